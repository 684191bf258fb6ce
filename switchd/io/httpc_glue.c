/* SPDX-License-Identifier: MIT
 * httpc_glue.c - curl_multi_socket_action driven by ev_io and one ev_timer.
 *
 * libcurl calls back from inside its own calls, and calling into it again from there
 * is not allowed: so the two callbacks below only note what libcurl wants (which
 * descriptors, which time) and everything else happens on the way out of the loop's
 * own callbacks. */
#include "switchd/io/httpc_glue.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>

#include "switchd/base/log.h"

/* One descriptor that libcurl wants watched. */
struct watch {
	ev_io io;
	struct glue *glue;
	struct watch *next;             /* among the spare ones */
};

struct glue {
	struct ev_loop *loop;
	CURLM *multi;
	ev_timer timer;
	struct watch *spare;            /* a transfer takes and gives back one each time: no malloc for it */
	glue_done_fn *done;
	void *arg;
	int depth;                      /* done() is on the stack */
	void *keep;
	bool keep_done;
	bool doomed;                    /* glue_free() was called from inside done() */
};

static void glue_destroy(struct glue *g)
{
	ev_timer_stop(g->loop, &g->timer);
	curl_multi_cleanup(g->multi);   /* closes the kept connections: their watches come back by on_socket */
	ev_timer_stop(g->loop, &g->timer);
	for (struct watch *w = g->spare, *next; w; w = next) {
		next = w->next;
		free(w);
	}
	free(g->keep);
	free(g);
}

static void drain(struct glue *g)
{
	CURLMsg *m;
	int left;

	g->depth++;
	while (!g->doomed && (m = curl_multi_info_read(g->multi, &left))) {
		CURL *easy = m->easy_handle;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		if (!g->keep_done)
			curl_multi_remove_handle(g->multi, easy); /* m is gone with it */
		g->done(g->arg, easy, code);
	}
	if (--g->depth == 0 && g->doomed)
		glue_destroy(g);
}

static void act(struct glue *g, curl_socket_t fd, int mask)
{
	int running;
	CURLMcode mc = curl_multi_socket_action(g->multi, fd, mask, &running);

	if (mc != CURLM_OK)
		log_error("httpc", "what=multi error=%s", LOG_Q(curl_multi_strerror(mc)));
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct glue *g = ((struct watch *)io->data)->glue;

	(void)loop;
	act(g, io->fd, (revents & EV_READ ? CURL_CSELECT_IN : 0) | (revents & EV_WRITE ? CURL_CSELECT_OUT : 0) |
		       (revents & EV_ERROR ? CURL_CSELECT_ERR : 0));
	drain(g);
}

static void arm(struct glue *g, long ms)
{
	ev_timer_stop(g->loop, &g->timer);
	if (ms < 0)
		return;
	ev_timer_set(&g->timer, (double)ms / 1000, 0.);
	ev_timer_start(g->loop, &g->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct glue *g = timer->data;

	(void)loop, (void)revents;
	/* It may fire a hair early, by the loop's clock: libcurl (7.88 and later) then asks again for the same time. */
	act(g, CURL_SOCKET_TIMEOUT, 0);
	drain(g);
}

static int on_curl_timer(CURLM *multi, long ms, void *arg)
{
	(void)multi;
	arm(arg, ms);
	return 0;
}

static struct watch *watch_take(struct glue *g, curl_socket_t fd)
{
	struct watch *w = g->spare;

	if (w)
		g->spare = w->next;
	else
		w = xcalloc(1, sizeof(*w));
	w->glue = g;
	w->next = NULL;
	ev_io_init(&w->io, on_io, fd, 0);
	w->io.data = w;
	return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *mine)
{
	struct glue *g = arg;
	struct watch *w = mine;
	int events = what == CURL_POLL_IN ? EV_READ : what == CURL_POLL_OUT ? EV_WRITE : EV_READ | EV_WRITE;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w) {
			ev_io_stop(g->loop, &w->io);
			w->next = g->spare;
			g->spare = w;
			/* The slot survives a REMOVE in some versions: a later IN must not find a spare watch in it. */
			curl_multi_assign(g->multi, fd, NULL);
		}
		return 0;
	}
	if (!w) {
		w = watch_take(g, fd);
		curl_multi_assign(g->multi, fd, w);
	}
	ev_io_stop(g->loop, &w->io);
	ev_io_set(&w->io, fd, events);
	ev_io_start(g->loop, &w->io);
	return 0;
}

struct glue *glue_new(struct ev_loop *loop, long max_kept, glue_done_fn *done, void *arg)
{
	struct glue *g = xcalloc(1, sizeof(*g));

	g->loop = loop;
	g->done = done;
	g->arg = arg;
	g->multi = curl_multi_init();
	must(g->multi != NULL);
	ev_timer_init(&g->timer, on_timer, 0., 0.);
	g->timer.data = g;
	curl_multi_setopt(g->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(g->multi, CURLMOPT_SOCKETDATA, g);
	curl_multi_setopt(g->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(g->multi, CURLMOPT_TIMERDATA, g);
	curl_multi_setopt(g->multi, CURLMOPT_MAXCONNECTS, max_kept);
	curl_multi_setopt(g->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return g;
}

void glue_free(struct glue **gp, void *keep)
{
	struct glue *g = *gp;

	if (!g)
		return;
	*gp = NULL;
	g->keep = keep;
	if (g->depth)
		g->doomed = true;
	else
		glue_destroy(g);
}

void glue_keep_done(struct glue *g) { g->keep_done = true; }
bool glue_add(struct glue *g, CURL *easy) { return curl_multi_add_handle(g->multi, easy) == CURLM_OK; }
void glue_remove(struct glue *g, CURL *easy) { curl_multi_remove_handle(g->multi, easy); }

bool glue_address_is(const char *ip, const struct curl_sockaddr *a)
{
	struct in6_addr want, got = IN6ADDR_ANY_INIT;
	bool v6 = strchr(ip, ':') != NULL;

	if (inet_pton(v6 ? AF_INET6 : AF_INET, ip, &want) != 1 || a->family != (v6 ? AF_INET6 : AF_INET))
		return false;
	if (v6)
		got = ((const struct sockaddr_in6 *)(const void *)&a->addr)->sin6_addr;
	else
		memcpy(&got, &((const struct sockaddr_in *)(const void *)&a->addr)->sin_addr, sizeof(struct in_addr));
	return memcmp(&want, &got, v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr)) == 0;
}
