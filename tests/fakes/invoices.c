/* SPDX-License-Identifier: MIT
 * invoices.c - a small invoicing application: one process is one target of a slot.
 *
 *   invoices --port 0 --slot blue --release r41 [--target 1] [--control /tmp/x.sock] [--pid-file F]
 *            [--listen HOST:PORT] [--features quotes,expenses,...] [--catchall] [--show-slot] [--slow-all MS] [--manifest FILE]
 *            [--visit] (also a login and a front end: visit.h) [--bundle-html] (its bundle is the index page)
 *
 * Prints "port N" on stdout once it listens.  What it does can be changed at an exact instant,
 * over the control socket or by POST /-/control?... from the same machine; the change is in
 * force before the answer is sent:
 *
 *   lose FEATURE|all HOW     HOW: 404 500 503 hang reset kill-worker cut empty slow:300ms
 *                           creep:20ms (each answer so much later than the last) alternate:1s every:3 (the third fails)
 *                           load:10 (what comes past 10 requests a second fails)
 *   restore FEATURE|all
 *   release r44              the release it says it is
 *   digest D                 what /-/version says besides the release
 *   manifest FILE|off        what /-/manifest.json answers (404 when off); read at each request
 *   catchall on|off          every path answers index.html with 200 (a probe that cannot fail)
 *   leak on|off              the account is broken, and shows all it knows (--visit)
 *   stats                    requests so far, by feature, as one JSON line
 *
 * `lose` at start: --lose quotes=404 (may be repeated). */
#include <getopt.h>
#include <signal.h>
#include <strings.h>

#include "tests/fakes/fake.h"
#include "tests/fakes/visit.h"

enum { IN_MAX = 64 * 1024, MAX_CONNS = 4096, MAX_LATER = 4096 };
enum how { FINE, STATUS_404, STATUS_500, STATUS_503, HANG, RESET, KILL_WORKER, CUT, EMPTY, SLOW, CREEP, ALTERNATE, EVERY, LOADED };
static const char *const how_names[] = { "fine", "404", "500", "503", "hang", "reset", "kill-worker", "cut", "empty", "slow", "creep", "alternate", "every", "load" };

struct feature {
	const char *name, *path, *type, *body, *empty;
	bool post;              /* takes POST: 201 */
	bool on;
	enum how how;
	long slow_ms;           /* what stands behind the colon of a HOW that has one */
	uint64_t asked, busy;   /* since it was lost; within this second */
	double since, second;
	uint64_t gets, posts, probes;
};

#define PAGE(title, text) "<!DOCTYPE html><html><head><title>" title "</title></head><body>" text "</body></html>\n"
#define JSON "application/json"
#define HTML "text/html; charset=utf-8"

static struct feature features[] = {
	{ .name = "home", .path = "/", .type = HTML, .empty = "",
	  .body = PAGE("Invoices", "<h1>Invoices</h1><p><a href=\"/api/quotes\">Quotes</a> <a href=\"/expenses\">Expenses</a></p>") },
	{ .name = "quotes", .path = "/api/quotes", .type = JSON, .post = true,
	  .empty = "{\"quotes\":[],\"currency\":\"EUR\"}\n",
	  .body = "{\"quotes\":[{\"id\":7,\"customer\":\"Brandt\",\"total\":1190},{\"id\":8,\"customer\":\"Osei\",\"total\":240}],\"currency\":\"EUR\"}\n" },
	{ .name = "expenses", .path = "/expenses", .type = HTML, .post = true, .empty = PAGE("Expenses", ""),
	  .body = PAGE("Expenses", "<table id=\"exp\"><tr><th>What</th></tr><tr><td>Train</td></tr></table><p>Total EUR 128</p>") },
	{ .name = "invoices", .path = "/api/invoices", .type = JSON, .post = true, .empty = "{\"invoices\":[]}\n",
	  .body = "{\"invoices\":[{\"id\":1041,\"paid\":true},{\"id\":1042,\"paid\":false}],\"open\":1}\n" },
	{ .name = "customers", .path = "/api/customers", .type = JSON, .empty = "{\"customers\":[]}\n",
	  .body = "{\"customers\":[{\"id\":3,\"name\":\"Brandt\"},{\"id\":4,\"name\":\"Osei\"}]}\n" },
	{ .name = "reports", .path = "/api/reports", .type = JSON, .empty = "{\"reports\":[]}\n",
	  .body = "{\"reports\":[{\"month\":\"2026-10\",\"turnover\":18200}],\"year\":2026}\n" },
};

struct conn {
	ev_io io;
	int fd;                 /* -1 = free */
	char *in;
	size_t n;
	char *out;
	size_t out_n, out_off;
	bool end_after, reset_after, reading, hung;
	uint64_t serial;        /* tells a later answer whether this is still its connection */
};

/* A slow answer waiting for its time. */
struct later { ev_timer timer; struct conn *c; uint64_t serial; bool used, keep, head; struct feature *f; };

static struct conn conns[MAX_CONNS];
static struct later laters[MAX_LATER];
static uint64_t serials, n_requests, n_unknown;
static const char *slot = "none", *target = "1";
static char release[65] = "r0", digest[97], manifest[512];
static bool catchall, show_slot;
static long slow_all;
static struct ctl ctl;
static struct visit visit;
static const char *more_head = "";      /* lines of the answer that is being made */

static void conn_parse(struct ev_loop *loop, struct conn *c);

static void conn_close(struct ev_loop *loop, struct conn *c, bool reset)
{
	ev_io_stop(loop, &c->io);
	if (reset)
		close_reset(c->fd);
	else
		close(c->fd);
	free(c->in);
	free(c->out);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

static void conn_events(struct ev_loop *loop, struct conn *c)
{
	int want = (c->reading || c->hung ? EV_READ : 0) | (c->out_n > c->out_off ? EV_WRITE : 0);

	ev_io_stop(loop, &c->io);
	ev_io_set(&c->io, c->fd, want);
	if (want)
		ev_io_start(loop, &c->io);
}

static void conn_flush(struct ev_loop *loop, struct conn *c)
{
	while (c->out_off < c->out_n) {
		ssize_t w = send(c->fd, c->out + c->out_off, c->out_n - c->out_off, MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EAGAIN)
			break;
		if (w <= 0) {
			conn_close(loop, c, false);
			return;
		}
		c->out_off += (size_t)w;
	}
	if (c->out_off == c->out_n) {
		free(c->out);
		c->out = NULL;
		c->out_n = c->out_off = 0;
		if (c->end_after) {
			conn_close(loop, c, c->reset_after);
			return;
		}
	}
	conn_events(loop, c);
}

static void out_add(struct conn *c, const char *s, size_t n)
{
	c->out = need(realloc(c->out, c->out_n + n));
	memcpy(c->out + c->out_n, s, n);
	c->out_n += n;
}

static const char *status_text(int status)
{
	switch (status) {
	case 200: return "OK";
	case 201: return "Created";
	case 302: return "Found";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 413: return "Content Too Large";
	case 500: return "Internal Server Error";
	case 503: return "Service Unavailable";
	default: return "Bad Request";
	}
}

/* cut: the head promises the whole body, half of it comes, then the end. */
static void answer(struct conn *c, int status, const char *type, const char *body, bool keep, bool head, bool cut)
{
	char h[768], extra[96] = "";
	size_t len = strlen(body);

	if (show_slot)
		snprintf(extra, sizeof(extra), "X-App-Slot: %.20s\r\nX-App-Target: %.20s\r\n", slot, target);
	int n = snprintf(h, sizeof(h), "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nX-App-Release: %s\r\n%s%s%s\r\n",
			 status, status_text(status), type, len, release, extra, more_head, keep ? "" : "Connection: close\r\n");
	out_add(c, h, (size_t)n);
	if (!head)
		out_add(c, body, cut ? len / 2 : len);
	c->end_after = c->end_after || !keep || cut;
}

static void fine(struct conn *c, struct feature *f, bool keep, bool head)
{
	answer(c, 200, f->type, f->how == EMPTY ? f->empty : f->body, keep, head, false);
}

static void later_fire(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct later *l = t->data;
	struct conn *c = l->c;

	(void)revents;
	l->used = false;
	if (c->fd < 0 || c->serial != l->serial)
		return;
	fine(c, l->f, l->keep, l->head);
	c->reading = true;
	uint64_t serial = c->serial;
	conn_flush(loop, c);
	if (c->fd >= 0 && c->serial == serial)
		conn_parse(loop, c);
}

/* The connection reads no further request until this one is answered. */
static void answer_later(struct ev_loop *loop, struct conn *c, struct feature *f, bool keep, bool head, long ms)
{
	for (size_t i = 0; i < MAX_LATER; i++) {
		struct later *l = &laters[i];

		if (l->used)
			continue;
		*l = (struct later){ .c = c, .serial = c->serial, .used = true, .keep = keep, .head = head, .f = f };
		ev_timer_init(&l->timer, later_fire, (double)ms / 1000.0, 0.);
		l->timer.data = l;
		ev_timer_start(loop, &l->timer);
		c->reading = false;
		return;
	}
	answer(c, 503, "text/plain", "too many slow requests\n", false, head, false);
}

static struct feature *feature_named(const char *name)
{
	for (size_t i = 0; i < FAKE_LEN(features); i++)
		if (features[i].on && strcmp(features[i].name, name) == 0)
			return &features[i];
	return NULL;
}

static bool set_how(const char *name, const char *how, const char **why)
{
	enum how h = FINE;
	long ms = 0;

	for (size_t i = 1; i < FAKE_LEN(how_names); i++) {
		size_t n = strlen(how_names[i]);

		if (i < SLOW ? strcmp(how_names[i], how) != 0 : strncmp(how_names[i], how, n) != 0 || how[n] != ':')
			continue;
		h = (enum how)i;
		if (i >= EVERY)
			ms = strtol(how + n + 1, NULL, 10) > 0 ? strtol(how + n + 1, NULL, 10) : -1;
		else if (i >= SLOW)
			ms = duration_ms(how + n + 1);
	}
	if (strcmp(how, "fine") != 0 && (h == FINE || ms < 0)) {
		*why = "how: want 404 500 503 hang reset kill-worker cut empty slow:300ms creep:20ms alternate:1s every:3 load:10";
		return false;
	}
	bool all = strcmp(name, "all") == 0;
	if (!all && !feature_named(name)) {
		*why = "no such feature";
		return false;
	}
	for (size_t i = 0; i < FAKE_LEN(features); i++)
		if (all || strcmp(features[i].name, name) == 0) {
			features[i].how = h;
			features[i].slow_ms = ms;
			features[i].asked = features[i].busy = 0;
			features[i].since = features[i].second = ev_time();
		}
	return true;
}

static bool set_release(const char *r)
{
	size_t n = strlen(r);

	if (n == 0 || n >= sizeof(release) || strpbrk(r, " \r\n\t\"\\"))
		return false;
	memcpy(release, r, n + 1);
	return true;
}

/* One command; the answer is "ok" or "error WHY". */
static const char *command(char *verb, char *a, char *b)
{
	const char *why = "unknown command";

	if (strcmp(verb, "lose") == 0 && a && b)
		return set_how(a, b, &why) ? "ok" : why;
	if (strcmp(verb, "restore") == 0 && a)
		return set_how(a, "fine", &why) ? "ok" : why;
	if (strcmp(verb, "release") == 0 && a)
		return set_release(a) ? "ok" : "not a release";
	if (strcmp(verb, "digest") == 0 && a) {
		snprintf(digest, sizeof(digest), "%s", a);
		return "ok";
	}
	if (strcmp(verb, "manifest") == 0 && a) {
		snprintf(manifest, sizeof(manifest), "%s", strcmp(a, "off") == 0 ? "" : a);
		return "ok";
	}
	if (strcmp(verb, "catchall") == 0 && a) {
		catchall = strcmp(a, "on") == 0;
		return "ok";
	}
	if (strcmp(verb, "leak") == 0 && a) {
		visit.leak = strcmp(a, "on") == 0;
		return "ok";
	}
	return why;
}

static void on_control(struct ctl_conn *c, char *line)
{
	char *save, *verb = strtok_r(line, " ", &save), *a = strtok_r(NULL, " ", &save), *b = strtok_r(NULL, " ", &save);

	if (verb && strcmp(verb, "stats") == 0) {
		char text[2048];
		size_t n = (size_t)snprintf(text, sizeof(text), "{\"slot\":\"%s\",\"target\":\"%s\",\"release\":\"%s\",\"requests\":%llu,\"unknown\":%llu,\"features\":{",
					    slot, target, release, (unsigned long long)n_requests, (unsigned long long)n_unknown);
		for (size_t i = 0; i < FAKE_LEN(features); i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"%s\":{\"how\":\"%s\",\"gets\":%llu,\"posts\":%llu,\"probes\":%llu}",
					      i ? "," : "", features[i].name, how_names[features[i].how], (unsigned long long)features[i].gets,
					      (unsigned long long)features[i].posts, (unsigned long long)features[i].probes);
		ctl_reply(c, "%s}}\n", text);
		return;
	}
	const char *said = verb ? command(verb, a, b) : "empty command";
	if (strcmp(said, "ok") == 0)
		ctl_reply(c, "ok\n");
	else
		ctl_reply(c, "error %s\n", said);
}

/* POST /-/control?lose=quotes&how=404, ?restore=quotes, ?release=r44, ?catchall=on; this machine only. */
static void control_request(struct conn *c, char *query, bool keep)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	char *save, *verb = NULL, *a = NULL, *b = NULL;

	if (getpeername(c->fd, (struct sockaddr *)&peer, &len) < 0 || ntohl(peer.sin_addr.s_addr) >> 24 != 127) {
		answer(c, 404, "text/plain", "not found\n", keep, false, false);
		return;
	}
	for (char *p = query ? strtok_r(query, "&", &save) : NULL; p; p = strtok_r(NULL, "&", &save)) {
		char *eq = strchr(p, '=');

		if (!eq)
			continue;
		*eq = '\0';
		if (strcmp(p, "how") == 0)
			b = eq + 1;
		else {
			verb = p;
			a = eq + 1;
		}
	}
	const char *said = verb ? command(verb, a, b) : "empty command";
	answer(c, strcmp(said, "ok") == 0 ? 200 : 400, "text/plain", said, keep, false, false);
}

/* Is this one of the requests that it fails now? */
static bool fails_now(struct feature *f)
{
	double now = ev_time();

	f->asked++;
	if (now - f->second >= 1.) {
		f->second = now;
		f->busy = 0;
	}
	f->busy++;
	return f->how == ALTERNATE ? (long)((now - f->since) * 1000) / (f->slow_ms > 0 ? f->slow_ms : 1) % 2 == 0 :
	       f->how == EVERY ? f->asked % (uint64_t)f->slow_ms == 0 : f->how == LOADED && f->busy > (uint64_t)f->slow_ms;
}

static void feature_request(struct ev_loop *loop, struct conn *c, struct feature *f, bool post, bool head, bool keep)
{
	switch (f->how) {
	case STATUS_404:
		answer(c, 404, "text/plain", "not found\n", keep, head, false);
		return;
	case STATUS_500:
		answer(c, 500, JSON, "{\"error\":\"no such table: quotes_v2\"}\n", keep, head, false);
		return;
	case STATUS_503:
		answer(c, 503, "text/plain", "out of workers\n", keep, head, false);
		return;
	case HANG:
		c->reading = false;
		c->hung = true;
		return;
	case RESET:
		c->end_after = c->reset_after = true;
		return;
	case KILL_WORKER:       /* the worker dies over the request: an end without an answer */
		c->end_after = true;
		return;
	default:
		if (fails_now(f)) {
			answer(c, 500, JSON, "{\"error\":\"too many connections\"}\n", keep, head, false);
			return;
		}
		break;
	}
	if (post) {
		if (f->post)
			answer(c, 201, JSON, "{\"created\":true}\n", keep, false, f->how == CUT);
		else
			answer(c, 405, "text/plain", "method not allowed\n", keep, false, false);
	} else if (f->how == CUT)
		answer(c, 200, f->type, f->body, keep, head, true);
	else if (f->how == SLOW || f->how == CREEP || slow_all)
		answer_later(loop, c, f, keep, head, f->how == SLOW ? f->slow_ms : f->how == CREEP ? f->slow_ms * (long)f->asked : slow_all);
	else
		fine(c, f, keep, head);
}

static void manifest_request(struct conn *c, bool keep, bool head)
{
	static char text[16 * 1024];
	FILE *f = manifest[0] ? fopen(manifest, "re") : NULL;
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[n] = '\0';
	if (f)
		fclose(f);
	answer(c, f ? 200 : 404, f ? JSON : "text/plain", f ? text : "no manifest\n", keep, head, false);
}

/* What it has, as a crawler is told; a feature that it lost to a 404 is not in it. */
static void sitemap(struct conn *c, bool keep, bool head)
{
	char body[2048] = "<?xml version=\"1.0\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n";

	for (size_t i = 0; i < FAKE_LEN(features); i++)
		if (features[i].on && features[i].how != STATUS_404)
			snprintf(body + strlen(body), sizeof(body) - strlen(body), "<url><loc>%s</loc></url>\n", features[i].path);
	snprintf(body + strlen(body), sizeof(body) - strlen(body), "</urlset>\n");
	answer(c, 200, "application/xml", body, keep, head, false);
}

static bool visited(struct conn *c, const char *method, const char *path, const char *headers, size_t head_len, size_t body_len, bool keep, bool head)
{
	char body[2048];
	struct visit_answer a;

	snprintf(body, sizeof(body), "%.*s", (int)(body_len < sizeof(body) ? body_len : sizeof(body) - 1), c->in + head_len);
	if (!visit_request(&visit, method, path, headers, body, &a))
		return false;
	more_head = a.more;
	answer(c, a.status, a.type, a.body, keep, head, false);
	more_head = "";
	return true;
}

static void request(struct ev_loop *loop, struct conn *c, const char *method, char *path, bool keep, bool probe, size_t head_len, size_t body_len)
{
	bool head = strcmp(method, "HEAD") == 0, post = strcmp(method, "POST") == 0;
	char *query = strchr(path, '?'), body[256];

	n_requests++;
	if (query)
		*query++ = '\0';
	if (strcmp(path, "/-/control") == 0 && post) {
		control_request(c, query, keep);
		return;
	}
	if (strcmp(path, "/-/version") == 0) {
		snprintf(body, sizeof(body), "{\"release\":\"%s\",\"slot\":\"%s\",\"digest\":\"%s\"}\n", release, slot, digest);
		answer(c, 200, JSON, body, keep, head, false);
		return;
	}
	if (strcmp(path, "/-/manifest.json") == 0) {
		manifest_request(c, keep, head);
		return;
	}
	if (strcmp(path, "/healthz") == 0) {
		answer(c, 200, "text/plain", "ok\n", keep, head, false);
		return;
	}
	if (visited(c, method, path, c->in, head_len, body_len, keep, head))
		return;
	if (strcmp(path, "/sitemap.xml") == 0 && !catchall) {
		sitemap(c, keep, head);
		return;
	}
	for (size_t i = 0; i < FAKE_LEN(features); i++) {
		struct feature *f = &features[i];

		if (!f->on || strcmp(f->path, path) != 0)
			continue;
		f->probes += probe;
		f->posts += post;
		f->gets += !post;
		feature_request(loop, c, f, post, head, keep);
		return;
	}
	n_unknown++;
	if (catchall)
		answer(c, 200, HTML, features[0].body, keep, head, false);
	else
		answer(c, 404, "text/plain", "not found\n", keep, head, false);
}

/* True: a whole request was taken from the buffer and answered (or not, on purpose). */
static bool take_request(struct ev_loop *loop, struct conn *c)
{
	char *end = memmem(c->in, c->n, "\r\n\r\n", 4);

	if (!end)
		return false;
	size_t head_len = (size_t)(end - c->in) + 4, body_len = 0;
	bool keep = true, probe = false;
	char method[16], path[1024];

	*end = '\0';
	if (strlen(c->in) != head_len - 4 || sscanf(c->in, "%15s %1023s", method, path) != 2) {
		answer(c, 400, "text/plain", "bad request\n", false, false, false);
		c->n = 0;
		return true;
	}
	if (strstr(c->in, " HTTP/1.0"))
		keep = false;
	for (char *l = strstr(c->in, "\r\n"); l; l = strstr(l + 2, "\r\n")) {
		char *h = l + 2;

		if (strncasecmp(h, "Content-Length:", 15) == 0)
			body_len = (size_t)strtoul(h + 15, NULL, 10);
		else if (strncasecmp(h, "Connection:", 11) == 0)
			keep = keep && strncasecmp(h + 11 + strspn(h + 11, " "), "close", 5) != 0;
		else if (strncasecmp(h, "X-Switchd-Probe:", 16) == 0)
			probe = true;
	}
	if (body_len > IN_MAX - head_len) {
		answer(c, 413, "text/plain", "too large\n", false, false, false);
		c->n = 0;
		return true;
	}
	if (c->n < head_len + body_len) {
		*end = '\r';
		return false;
	}
	request(loop, c, method, path, keep, probe, head_len, body_len);
	c->n -= head_len + body_len;
	memmove(c->in, c->in + head_len + body_len, c->n);
	return true;
}

static void conn_parse(struct ev_loop *loop, struct conn *c)
{
	while (c->reading && !c->end_after && take_request(loop, c))
		;
	conn_flush(loop, c);
}

static void conn_event(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c = w->data;

	if (revents & EV_READ) {
		if (c->hung)            /* only its end is of interest any more */
			c->n = 0;
		ssize_t n = read(c->fd, c->in + c->n, IN_MAX - c->n);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			conn_close(loop, c, false);
			return;
		}
		c->n += (size_t)n;
		if (c->hung)
			return;
		if (c->n == IN_MAX && !memmem(c->in, c->n, "\r\n\r\n", 4)) {
			conn_close(loop, c, true);
			return;
		}
		conn_parse(loop, c);
		return;
	}
	conn_flush(loop, c);
}

static void on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	int one = 1;

	(void)revents;
	for (;;) {
		int fd = accept(w->fd, NULL, NULL);

		if (fd < 0)
			return;
		nonblocking(fd);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		struct conn *c = NULL;
		for (size_t i = 0; i < MAX_CONNS && !c; i++)
			if (conns[i].fd < 0)
				c = &conns[i];
		if (!c) {
			close(fd);
			return;
		}
		c->fd = fd;
		c->in = need(malloc(IN_MAX));
		c->reading = true;
		c->serial = ++serials;
		ev_io_init(&c->io, conn_event, fd, EV_READ);
		c->io.data = c;
		ev_io_start(loop, &c->io);
	}
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static void choose_features(char *list)
{
	char *save;

	for (size_t i = 0; i < FAKE_LEN(features); i++)
		features[i].on = false;
	for (char *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		bool known = false;

		for (size_t i = 0; i < FAKE_LEN(features); i++)
			if (strcmp(features[i].name, name) == 0)
				known = features[i].on = true;
		if (!known)
			die("--features: no feature '%s'", name);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", 1, NULL, 'p' }, { "listen", 1, NULL, 'l' }, { "slot", 1, NULL, 's' }, { "release", 1, NULL, 'r' },
		{ "target", 1, NULL, 't' }, { "features", 1, NULL, 'f' }, { "control", 1, NULL, 'c' }, { "catchall", 0, NULL, 'a' },
		{ "pid-file", 1, NULL, 'P' }, { "show-slot", 0, NULL, 'S' }, { "lose", 1, NULL, 'L' }, { "slow-all", 1, NULL, 'w' }, { "manifest", 1, NULL, 'm' }, { "digest", 1, NULL, 'D' },
		{ "visit", 0, NULL, 'v' }, { "bundle-html", 0, NULL, 'B' }, { 0 }
	};
	char where[128] = "127.0.0.1:0";
	const char *control = NULL, *pid_file = NULL, *why = "";
	struct ev_loop *loop = ev_default_loop(0);
	ev_io accept_io;
	ev_signal term, intr;
	int port, o;

	for (size_t i = 0; i < FAKE_LEN(features); i++)
		features[i].on = true;
	for (size_t i = 0; i < MAX_CONNS; i++)
		conns[i].fd = -1;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'p': snprintf(where, sizeof(where), "127.0.0.1:%ld", number("--port", optarg, 0, 65535)); break;
		case 'l': snprintf(where, sizeof(where), "%s", optarg); break;
		case 's': slot = optarg; break;
		case 'r': if (!set_release(optarg)) die("--release: '%s' is none", optarg); break;
		case 't': target = optarg; break;
		case 'f': choose_features(optarg); break;
		case 'c': control = optarg; break;
		case 'a': catchall = true; break;
		case 'P': pid_file = optarg; break;
		case 'v': visit.on = true; break;
		case 'B': visit.bundle_html = true; break;
		case 'S': show_slot = true; break;
		case 'D': snprintf(digest, sizeof(digest), "%s", optarg); break;
		case 'm': snprintf(manifest, sizeof(manifest), "%s", optarg); break;
		case 'w': slow_all = number("--slow-all", optarg, 0, 60000); break;
		case 'L': {
			char *eq = strchr(optarg, '=');

			if (!eq)
				die("--lose: want FEATURE=HOW");
			*eq = '\0';
			if (!set_how(optarg, eq + 1, &why))
				die("--lose %s: %s", optarg, why);
			break;
		}
		default: die("usage: invoices --port N --slot blue --release r41 (see the head of invoices.c)");
		}
	signal(SIGPIPE, SIG_IGN);
	int fd = listen_on(where, &port);
	ev_io_init(&accept_io, on_accept, fd, EV_READ);
	ev_io_start(loop, &accept_io);
	if (control)
		ctl_start(loop, &ctl, control, on_control);
	ev_signal_init(&term, on_signal, SIGTERM);
	ev_signal_start(loop, &term);
	ev_signal_init(&intr, on_signal, SIGINT);
	ev_signal_start(loop, &intr);
	if (pid_file)
		write_pid_file(pid_file);
	printf("port %d\n", port);
	fflush(stdout);
	ev_run(loop, 0);
	for (size_t i = 0; i < MAX_CONNS; i++)
		if (conns[i].fd >= 0)
			conn_close(loop, &conns[i], false);
	if (control)
		unlink(control);
	return 0;
}
