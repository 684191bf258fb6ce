/* SPDX-License-Identifier: MIT
 * httpd.c - listeners and the loop: one MHD daemon each, driven through its epoll descriptor. */
#include "switchd/io/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switchd/base/text.h"
#include "switchd/io/httpd_priv.h"

enum {
	CONNECTIONS = 256, HEADER_MS = 5000, KEEP_ALIVE_MS = 15000, SEND_MS = 30000,
	STALL_S = 30,                   /* MHD's own: no byte either way */
	CONNECTION_MEMORY = 16 * 1024,
	CLOSE_ROUNDS = 64,
};

/* ---- connections ---- */

void conn_deadline(struct conn *c, int64_t ms)
{
	if (c)
		c->deadline = ms ? mono_plus_ms(mono_now(), ms) : (mono_us){ 0 };
}

static void read_ip(struct MHD_Connection *mhd, char out[HTTPD_IP_TEXT])
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *sa = info ? info->client_addr : NULL;

	out[0] = '\0';
	if (sa && sa->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, out, HTTPD_IP_TEXT);
	else if (sa && sa->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, out, HTTPD_IP_TEXT);
}

static void read_peer(struct conn *c, struct MHD_Connection *mhd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	c->peer = (struct httpd_peer){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
	if (!c->listener->unix_path)
		read_ip(mhd, c->peer.ip);
	else if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0) {
		c->peer.local = true;
		c->peer.uid = cred.uid;
		c->peer.gid = cred.gid;
		c->peer.pid = cred.pid;
	}
}

static void conn_began(struct listener *l, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct conn *c = xcalloc(1, sizeof(*c));

	c->listener = l;
	c->fd = info ? (int)info->connect_fd : -1;
	c->next = l->conns;
	if (c->next)
		c->next->prev = c;
	l->conns = c;
	read_peer(c, mhd);
	conn_deadline(c, l->cfg.header_ms);
	*context = c;
	if (!ev_is_active(&l->httpd->sweep))
		ev_timer_again(l->httpd->loop, &l->httpd->sweep);
}

static void conn_notify(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct listener *l = cls;
	struct conn *c = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		conn_began(l, mhd, context);
		return;
	}
	*context = NULL;
	if (!c)
		return;
	l->kick = true;         /* at its limit MHD stops accepting, and begins again only when it is run once more */
	if (c->prev)
		c->prev->next = c->next;
	else
		l->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	free(c);
}

/* Cuts whoever is late with a header, a body, the next request or taking an answer. The
 * shutdown shows up as the end of input in MHD, which then cleans up by itself. */
static void on_sweep(struct ev_loop *loop, ev_timer *w, int events)
{
	struct httpd *h = w->data;
	mono_us now = mono_now();
	bool any = false;

	(void)events;
	for (struct listener *l = h->listeners; l; l = l->next)
		for (struct conn *c = l->conns; c; c = c->next) {
			any = true;
			if (c->deadline.us && c->deadline.us < now.us && c->fd >= 0) {
				c->deadline.us = 0;
				shutdown(c->fd, SHUT_RDWR);
			}
		}
	if (!any)                       /* an idle daemon does not wake up for nothing */
		ev_timer_stop(loop, w);
}

/* ---- the loop ---- */

static void run(struct listener *l)
{
	l->kick = false;
	MHD_run(l->mhd);
}

static void on_epoll(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	run(w->data);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct httpd *h = w->data;

	(void)loop;
	(void)events;
	for (struct listener *l = h->listeners; l; l = l->next)
		run(l);
}

/* Before each sleep: what was resumed runs, then MHD says when it wants to be called.
 * The timer is only ever moved nearer; fired early, it costs one MHD_run. */
static void on_prepare(struct ev_loop *loop, ev_prepare *w, int events)
{
	struct httpd *h = w->data;
	int64_t least = -1;
	MHD_UNSIGNED_LONG_LONG ms;

	(void)events;
	for (struct listener *l = h->listeners; l; l = l->next) {
		if (l->kick)
			run(l);
		if (l->kick)
			least = 0;
		else if (MHD_get_timeout(l->mhd, &ms) == MHD_YES && (least < 0 || (int64_t)ms < least))
			least = (int64_t)ms;
	}
	if (least < 0) {
		ev_timer_stop(loop, &h->timer);
		return;
	}
	ev_tstamp at = ev_now(loop) + (ev_tstamp)least / 1000;

	if (ev_is_active(&h->timer) && h->due <= at)
		return;
	ev_timer_stop(loop, &h->timer);
	ev_timer_set(&h->timer, (ev_tstamp)least / 1000, 0.);
	ev_timer_start(loop, &h->timer);
	h->due = at;
}

/* ---- life ---- */

struct httpd *httpd_new(struct ev_loop *loop, httpd_handler_fn *handler, void *arg)
{
	struct httpd *h = xcalloc(1, sizeof(*h));

	h->loop = loop;
	h->handler = handler;
	h->arg = arg;
	ev_prepare_init(&h->prepare, on_prepare);
	ev_init(&h->timer, on_timer);
	ev_init(&h->sweep, on_sweep);
	h->prepare.data = h->timer.data = h->sweep.data = h;
	h->sweep.repeat = 1.;
	ev_prepare_start(loop, &h->prepare);
	return h;
}

/* Ours is done by target_parse(), strictly; MHD's own decoding would be lenient and lose the original. */
static size_t leave_as_is(void *cls, struct MHD_Connection *mhd, char *s)
{
	(void)cls;
	(void)mhd;
	return strlen(s);
}

static bool start_daemon(struct listener *l, char *err, size_t err_size)
{
	errno = 0;
	l->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, request_access, l,
				  MHD_OPTION_LISTEN_SOCKET, l->fd,
				  MHD_OPTION_CONNECTION_LIMIT, l->cfg.max_connections,
				  MHD_OPTION_PER_IP_CONNECTION_LIMIT, l->cfg.max_per_ip,
				  MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)STALL_S,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
				  MHD_OPTION_STRICT_FOR_CLIENT, 1,
				  MHD_OPTION_NOTIFY_CONNECTION, conn_notify, l,
				  MHD_OPTION_NOTIFY_COMPLETED, request_completed, l,
				  MHD_OPTION_URI_LOG_CALLBACK, request_line, l,
				  MHD_OPTION_UNESCAPE_CALLBACK, leave_as_is, NULL,
				  MHD_OPTION_END);
	const union MHD_DaemonInfo *info = l->mhd ? MHD_get_daemon_info(l->mhd, MHD_DAEMON_INFO_EPOLL_FD) : NULL;

	if (!info) {
		text_format(err, err_size, "the HTTP server does not start: %s", errno ? strerror(errno) : "no reason given");
		if (l->mhd)
			MHD_stop_daemon(l->mhd);        /* closes the socket */
		else
			close(l->fd);
		return false;
	}
	ev_io_init(&l->io, on_epoll, info->epoll_fd, EV_READ);
	l->io.data = l;
	ev_io_start(l->httpd->loop, &l->io);
	return true;
}

static struct listener *find(const struct httpd *h, int id)
{
	for (struct listener *l = h->listeners; l; l = l->next)
		if (l->cfg.id == id)
			return l;
	return NULL;
}

static void remove_unix_path(struct listener *l)
{
	struct stat st;

	if (l->unix_path && lstat(l->unix_path, &st) == 0 && st.st_dev == l->unix_dev && st.st_ino == l->unix_ino)
		unlink(l->unix_path);
}

static void set_defaults(struct httpd_listener *c)
{
	c->host = c->unix_path = NULL;
	c->max_connections = c->max_connections ? c->max_connections : CONNECTIONS;
	c->max_body = c->no_body ? 0 : c->max_body ? c->max_body : HTTPD_BODY_MAX;
	c->header_ms = c->header_ms ? c->header_ms : HEADER_MS;
	c->keep_alive_ms = c->keep_alive_ms ? c->keep_alive_ms : KEEP_ALIVE_MS;
	c->send_ms = c->send_ms ? c->send_ms : SEND_MS;
}

static void sweep_at_least_every(struct httpd *h, int64_t ms)
{
	ev_tstamp every = (ev_tstamp)ms / 2000;

	if (every < h->sweep.repeat) {
		h->sweep.repeat = every > 0.05 ? every : 0.05;
		if (ev_is_active(&h->sweep))
			ev_timer_again(h->loop, &h->sweep);
	}
}

bool httpd_listen(struct httpd *h, const struct httpd_listener *cfg, char *err, size_t err_size)
{
	bool local = cfg->unix_path && *cfg->unix_path;
	struct stat st;

	must(!h->inside && !find(h, cfg->id));
	int fd = local ? socket_unix(cfg->unix_path, cfg->unix_mode, err, err_size) :
			 socket_tcp(cfg->host ? cfg->host : "", cfg->port, err, err_size);

	if (fd < 0)
		return false;
	struct listener *l = xcalloc(1, sizeof(*l));

	l->httpd = h;
	l->cfg = *cfg;
	l->fd = fd;
	set_defaults(&l->cfg);
	if (local) {
		l->unix_path = xstrdup(cfg->unix_path);
		if (lstat(l->unix_path, &st) == 0) {
			l->unix_dev = st.st_dev;
			l->unix_ino = st.st_ino;
		}
	}
	if (!start_daemon(l, err, err_size)) {
		remove_unix_path(l);
		free(l->unix_path);
		free(l);
		return false;
	}
	sweep_at_least_every(h, l->cfg.header_ms);
	l->next = h->listeners;
	h->listeners = l;
	return true;
}

static void listener_close(struct listener *l)
{
	struct httpd *h = l->httpd;

	l->closing = true;
	ev_io_stop(h->loop, &l->io);
	MHD_socket fd = MHD_quiesce_daemon(l->mhd);

	/* MHD aborts the process when it is stopped with suspended connections: resume them all, and
	 * let them say their last word.  A round that resumes may read a pipelined request, hence rounds. */
	for (int i = 0; i < CLOSE_ROUNDS; i++) {
		requests_give_up(l);
		MHD_run(l->mhd);
	}
	must(l->parked == 0);
	MHD_stop_daemon(l->mhd);
	if (fd != MHD_INVALID_SOCKET)
		close(fd);
	remove_unix_path(l);
	free(l->unix_path);
	free(l);
}

void httpd_close(struct httpd *h, int id)
{
	must(!h->inside);
	for (struct listener **at = &h->listeners; *at; at = &(*at)->next)
		if ((*at)->cfg.id == id) {
			struct listener *l = *at;

			*at = l->next;
			listener_close(l);
			return;
		}
}

void httpd_free(struct httpd **hp)
{
	struct httpd *h = *hp;

	if (!h)
		return;
	while (h->listeners)
		httpd_close(h, h->listeners->cfg.id);
	ev_prepare_stop(h->loop, &h->prepare);
	ev_timer_stop(h->loop, &h->timer);
	ev_timer_stop(h->loop, &h->sweep);
	free(h);
	*hp = NULL;
}

uint16_t httpd_port(const struct httpd *h, int id)
{
	const struct listener *l = find(h, id);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (!l || getsockname(l->fd, (struct sockaddr *)&ss, &len) != 0)
		return 0;
	return ss.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)(void *)&ss)->sin_port) :
	       ss.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)(void *)&ss)->sin6_port) : 0;
}

unsigned httpd_connections(const struct httpd *h, int id)
{
	const struct listener *l = find(h, id);
	unsigned n = 0;

	for (const struct conn *c = l ? l->conns : NULL; c; c = c->next)
		n++;
	return n;
}
