/* SPDX-License-Identifier: MIT
 * load.c - a strict client: it retries nothing and forgets nothing.
 *
 *   load --to 127.0.0.1:8080 [--get /api/quotes*4] [--post /api/quotes] [--head /] [--get /invoice/7=404] ...
 *        [--connections 8] [--rate 200 | --rate 0 (as fast as it goes)] [--new-connections] [--timeout 5s]
 *        [--host shop.example.com] [--tag X-App-Release] [--seconds N | --requests N] [--control PATH]
 *        [--log FILE] [--max-records 8000000] [--pid-file F]
 *
 * One request in flight per connection; *N is a weight, =STATUS the only status that is good there.
 * Good is a complete answer with 2xx or 3xx.  Everything else is failed, by kind:
 *   status-NNN  a complete answer that is not good      cut      an answer that ends in the middle
 *   refused     no connection                           reset    reset before the first byte
 *   closed      an end before the first byte, on a new connection
 *   stale       the same on a connection that was used before (the request may have crossed its end)
 *   timeout     no complete answer in time              protocol not HTTP as we know it
 * A connection that ends while nothing is asked on it is no failure (counted as idle_closed).
 *
 * Control socket, one command each; SIGUSR1 prints stats on stdout, SIGTERM/SIGINT end with them:
 *   mark NAME        answered once taken            stats [FROM [TO]]   one JSON line between two marks
 *   more N           answered after N more answers   rate N             from now on
 *   pause            answered when nothing is in flight; resume
 *   stop             the stats, and the end
 * A request belongs to the span in which it ended; by_begun counts those that also began in it. */
#include <getopt.h>
#include <signal.h>
#include <strings.h>

#include "tests/fakes/fake.h"
#include "tests/fakes/tally.h"

enum { MAX_CONNS = 4096, MAX_MIX = 1024, HEAD_MAX = 16 * 1024 };
enum state { UNUSED, CONNECTING, BUSY, IDLE };
struct conn {
	ev_io io;
	int fd;
	enum state state;
	bool used_before, close_after, head_done, any;
	int path, status, tag;
	int64_t start, not_before;
	size_t sent, head_n;
	int64_t body_left;      /* -1: until the end */
	char head[HEAD_MAX];
};

static struct conn *conns;
static long n_conns = 8, rate = 200, timeout_ms = 5000, max_requests, seconds;
static struct conn **idle;      /* a stack: the connection used last is used next */
static long n_idle;
static int mix[MAX_MIX], n_mix, mix_at;
static bool new_connections, paused, stopping;
static uint64_t done_total;
static int64_t started_at, next_due;
static struct sockaddr_storage to;
static socklen_t to_len;
static const char *host = "shop.test", *tag_header = "X-App-Release";
static struct ctl ctl;
static ev_timer tick;

static void issue_all(struct ev_loop *loop);

static void print_stats(void)
{
	struct text t = { 0 };

	stats(&t, "start", started_at, INT64_MAX);
	fputs(t.s, stdout);
	fflush(stdout);
	free(t.s);
	if (log_file)
		fflush(log_file);
}

/* ---- requests ---- */

static void conn_drop(struct ev_loop *loop, struct conn *c)
{
	ev_io_stop(loop, &c->io);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->used_before = false;
}

static void answer_waiting(void)
{
	for (size_t i = 0; i < CTL_CONNS; i++) {
		struct ctl_conn *w = &ctl.conn[i];

		if (w->fd < 0 || !w->waiting)
			continue;
		if (w->tag >= 0 ? done_total >= (uint64_t)w->tag : in_flight == 0)
			ctl_reply(w, "ok\n");
	}
}

/* The request of this connection has ended, for better or worse. */
static void ended(struct ev_loop *loop, struct conn *c, enum kind kind)
{
	int64_t now = now_us();

	remember(c->start, now, c->path, kind, c->status, c->tag);
	done_total++;
	in_flight--;
	if (kind != OK && kind != BAD_STATUS) {
		conn_drop(loop, c);
		/* At full speed a dead front would otherwise be asked by a spinning loop. */
		c->not_before = now + 10000;
	} else if (c->close_after || new_connections)
		conn_drop(loop, c);
	else
		c->used_before = true;
	c->state = c->fd < 0 ? UNUSED : IDLE;
	if (c->fd >= 0) {
		ev_io_stop(loop, &c->io);
		ev_io_set(&c->io, c->fd, EV_READ);
		ev_io_start(loop, &c->io);
	}
	idle[n_idle++] = c;
	answer_waiting();
	if (max_requests && done_total >= (uint64_t)max_requests)
		stopping = true;
	if (stopping && in_flight == 0)
		ev_break(loop, EVBREAK_ALL);
	else if (rate == 0)
		issue_all(loop);
}

static void conn_write(struct ev_loop *loop, struct conn *c)
{
	const struct path *p = &paths[c->path];

	while (c->sent < p->len) {
		ssize_t w = send(c->fd, p->text + c->sent, p->len - c->sent, MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EAGAIN)
			break;
		if (w < 0) {
			/* An answer may stand in the socket although it takes no more (an early refusal): reading tells. */
			break;
		}
		c->sent += (size_t)w;
	}
	ev_io_stop(loop, &c->io);
	ev_io_set(&c->io, c->fd, c->sent < p->len ? EV_READ | EV_WRITE : EV_READ);
	ev_io_start(loop, &c->io);
}

/* False: not HTTP as we know it. */
static bool parse_head(struct conn *c)
{
	size_t tag_len = strlen(tag_header);
	bool http10;

	if (sscanf(c->head, "HTTP/1.%*1[01] %3d", &c->status) != 1 || c->status < 100)
		return false;
	http10 = c->head[7] == '0';
	c->close_after = http10;
	c->body_left = -1;
	for (char *l = strstr(c->head, "\r\n"); l && l[2] != '\r'; l = strstr(l + 2, "\r\n")) {
		char *h = l + 2, *e = strstr(h, "\r\n"), *v = memchr(h, ':', (size_t)(e - h));

		if (!v)
			return false;
		size_t name = (size_t)(v - h);
		for (v++; v < e && *v == ' '; v++)
			;
		if (name == 14 && strncasecmp(h, "Content-Length", 14) == 0)
			c->body_left = strtoll(v, NULL, 10);
		else if (name == 10 && strncasecmp(h, "Connection", 10) == 0)
			c->close_after = strncasecmp(v, "close", 5) == 0 || (http10 && strncasecmp(v, "keep-alive", 10) != 0);
		else if (name == 17 && strncasecmp(h, "Transfer-Encoding", 17) == 0)
			return false;
		else if (name == tag_len && strncasecmp(h, tag_header, tag_len) == 0)
			c->tag = tag_index(v, (size_t)(e - v));
	}
	if (paths[c->path].method == HEAD || c->status == 204 || c->status == 304)
		c->body_left = 0;
	return true;
}

static enum kind judged(const struct conn *c)
{
	int expect = paths[c->path].expect;

	if (expect)
		return c->status == expect ? OK : BAD_STATUS;
	return c->status >= 200 && c->status < 400 ? OK : BAD_STATUS;
}

/* n more bytes stand in c->head from old_n on (head), or were read over (body). */
static void head_bytes(struct ev_loop *loop, struct conn *c)
{
	for (;;) {
		c->head[c->head_n] = '\0';
		char *e = memmem(c->head, c->head_n, "\r\n\r\n", 4);
		if (!e) {
			if (c->head_n == HEAD_MAX - 1)
				ended(loop, c, PROTOCOL);
			return;
		}
		size_t len = (size_t)(e - c->head) + 4, rest = c->head_n - len;
		if (!parse_head(c)) {
			ended(loop, c, PROTOCOL);
			return;
		}
		if (c->status < 200) {  /* 100, 103: the answer is still to come */
			memmove(c->head, c->head + len, rest);
			c->head_n = rest;
			continue;
		}
		c->head_done = true;
		if (c->body_left >= 0) {
			if ((int64_t)rest > c->body_left)
				ended(loop, c, PROTOCOL);
			else if ((c->body_left -= (int64_t)rest) == 0)
				ended(loop, c, judged(c));
		}
		return;
	}
}

static void at_end(struct ev_loop *loop, struct conn *c, bool reset)
{
	if (c->state == IDLE) {
		idle_closed++;
		conn_drop(loop, c);
		c->state = UNUSED;
	} else if (c->head_done && c->body_left == -1 && !reset)
		ended(loop, c, judged(c));
	else if (c->any)
		ended(loop, c, CUT);
	else if (c->used_before)
		ended(loop, c, STALE);
	else
		ended(loop, c, reset ? RESET : CLOSED);
}

static void conn_read(struct ev_loop *loop, struct conn *c)
{
	static char body[256 * 1024];
	bool head = !c->head_done && c->state == BUSY;
	ssize_t n = head ? read(c->fd, c->head + c->head_n, HEAD_MAX - 1 - c->head_n) : read(c->fd, body, sizeof(body));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		at_end(loop, c, n < 0);
		return;
	}
	if (c->state == IDLE) {         /* bytes nobody asked for: a front that answers twice is broken */
		fprintf(stderr, "load: bytes on an idle connection\n");
		idle_closed++;
		conn_drop(loop, c);
		c->state = UNUSED;
		return;
	}
	c->any = true;
	if (head) {
		c->head_n += (size_t)n;
		head_bytes(loop, c);
	} else if (c->body_left >= 0) {
		if (n > c->body_left)
			ended(loop, c, PROTOCOL);
		else if ((c->body_left -= n) == 0)
			ended(loop, c, judged(c));
	}
}

static void conn_event(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c = w->data;

	if (c->state == CONNECTING) {
		int err = 0;
		socklen_t len = sizeof(err);

		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err) {
			ended(loop, c, REFUSED);
			return;
		}
		c->state = BUSY;
		conn_write(loop, c);
		return;
	}
	if (revents & EV_READ)
		conn_read(loop, c);
	else if (revents & EV_WRITE && c->state == BUSY)
		conn_write(loop, c);
}

static void issue(struct ev_loop *loop, struct conn *c)
{
	int one = 1;

	c->path = mix[mix_at];
	mix_at = (mix_at + 1) % n_mix;
	c->sent = c->head_n = 0;
	c->head_done = c->any = c->close_after = false;
	c->status = c->tag = 0;
	c->start = now_us();
	in_flight++;
	if (c->fd >= 0) {
		c->state = BUSY;
		conn_write(loop, c);
		return;
	}
	c->fd = socket(to.ss_family, SOCK_STREAM, 0);
	if (c->fd < 0)
		die("socket: %s", strerror(errno));
	nonblocking(c->fd);
	if (to.ss_family == AF_INET)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	ev_io_init(&c->io, conn_event, c->fd, EV_WRITE);
	c->io.data = c;
	c->state = CONNECTING;
	if (connect(c->fd, (struct sockaddr *)&to, to_len) == 0 || errno == EINPROGRESS) {
		ev_io_start(loop, &c->io);
		return;
	}
	/* Our own limit, not the front's fault: never to be counted as its failure. */
	if (errno == EADDRNOTAVAIL)
		die("load: out of local ports");
	ended(loop, c, REFUSED);
}

static void issue_all(struct ev_loop *loop)
{
	static bool inside;     /* ended() comes back here from issue() when connect() fails at once */
	int64_t now = now_us();

	if (inside || paused || stopping)
		return;
	inside = true;
	if (rate == 0) {
		for (long i = n_idle - 1; i >= 0; i--) {
			struct conn *c = idle[i];

			if (c->not_before > now)
				continue;
			memmove(idle + i, idle + i + 1, (size_t)(n_idle - i - 1) * sizeof(*idle));
			n_idle--;
			issue(loop, c);
		}
	} else {
		for (; next_due <= now; next_due += 1000000 / rate) {
			if (n_idle == 0) {
				/* A whole second behind: these will never be sent, and that is said. */
				if (now - next_due > 1000000) {
					skipped += (uint64_t)((now - next_due) * rate / 1000000);
					next_due = now;
				}
				break;
			}
			/* Said, because a rate that was not kept measures something else. */
			late += now - next_due > 5000;
			issue(loop, idle[--n_idle]);
		}
	}
	inside = false;
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	int64_t now = now_us();

	(void)w;
	(void)revents;
	for (long i = 0; i < n_conns; i++) {
		struct conn *c = &conns[i];

		if ((c->state == BUSY || c->state == CONNECTING) && now - c->start > timeout_ms * 1000)
			ended(loop, c, TIMEOUT);
	}
	if (seconds && now - started_at >= (int64_t)seconds * 1000000) {
		stopping = true;
		if (in_flight == 0)
			ev_break(loop, EVBREAK_ALL);
	}
	issue_all(loop);
}

/* ---- control ---- */

static void stats_command(struct ctl_conn *c, const char *from, const char *until)
{
	const struct mark *a = from ? mark_named(from) : NULL, *b = until ? mark_named(until) : NULL;
	struct text t = { 0 };

	if ((from && !a) || (until && !b)) {
		ctl_reply(c, "error no such mark\n");
		return;
	}
	stats(&t, from ? from : "start", a ? a->at : started_at, b ? b->at : INT64_MAX);
	ctl_reply(c, "%s", t.s);
	free(t.s);
}

static void on_control(struct ctl_conn *c, char *line)
{
	struct ev_loop *loop = ev_default_loop(0);
	char *save, *verb = strtok_r(line, " ", &save), *a = strtok_r(NULL, " ", &save), *b = strtok_r(NULL, " ", &save);

	if (!verb)
		ctl_reply(c, "error empty command\n");
	else if (strcmp(verb, "mark") == 0 && a && strlen(a) < sizeof(marks[0].name)) {
		if (n_marks == MAX_MARKS) {
			ctl_reply(c, "error too many marks\n");
			return;
		}
		struct mark *m = &marks[n_marks++];
		snprintf(m->name, sizeof(m->name), "%s", a);
		m->at = now_us();
		ctl_reply(c, "ok %lld\n", (long long)m->at);
	} else if (strcmp(verb, "stats") == 0)
		stats_command(c, a, b);
	else if (strcmp(verb, "more") == 0 && a) {
		c->tag = (int64_t)done_total + number("more", a, 1, 100000000);
		c->waiting = true;
	} else if (strcmp(verb, "pause") == 0) {
		paused = true;
		c->tag = -1;
		c->waiting = true;
		answer_waiting();
	} else if (strcmp(verb, "resume") == 0) {
		paused = false;
		next_due = now_us();
		ctl_reply(c, "ok\n");
	} else if (strcmp(verb, "rate") == 0 && a) {
		rate = number("rate", a, 0, 1000000);
		next_due = now_us();
		ctl_reply(c, "ok\n");
	} else if (strcmp(verb, "stop") == 0) {
		stats_command(c, NULL, NULL);
		ev_break(loop, EVBREAK_ALL);
	} else
		ctl_reply(c, "error unknown command\n");
}

static void on_usr1(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	print_stats();
}

static void on_end(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

/* "/api/quotes*4", "/invoice/7=404" */
static void add_path(enum method method, char *spec)
{
	char *star = strchr(spec, '*'), *eq = strchr(spec, '=');
	long weight = 1;

	if (n_paths == MAX_PATHS)
		die("at most %d paths", MAX_PATHS);
	struct path *p = &paths[n_paths];
	if (star) {
		*star = '\0';
		weight = number("weight", star + 1, 1, 100);
	}
	if (eq) {
		*eq = '\0';
		p->expect = (int)number("status", eq + 1, 100, 599);
	}
	p->path = spec;
	p->method = method;
	for (long i = 0; i < weight; i++) {
		if (n_mix == MAX_MIX)
			die("too many paths by weight");
		mix[n_mix++] = n_paths;
	}
	n_paths++;
}

static void make_texts(void)
{
	static const char body[] = "{\"customer\":\"Brandt\",\"total\":99}";
	uint32_t x = 2463534242u;

	for (int i = 0; i < n_paths; i++) {
		struct path *p = &paths[i];
		char length[80] = "";

		if (p->method == POST)
			snprintf(length, sizeof(length), "Content-Type: application/json\r\nContent-Length: %zu\r\n", sizeof(body) - 1);
		int n = asprintf(&p->text, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: load\r\n%s%s\r\n%s", method_names[p->method], p->path, host,
				 new_connections ? "Connection: close\r\n" : "", length, p->method == POST ? body : "");
		if (n < 0)
			die("out of memory");
		p->len = (size_t)n;
	}
	/* Mixed once, always alike: two runs ask the same in the same order. */
	for (int i = n_mix - 1; i > 0; i--) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		int k = (int)(x % (uint32_t)(i + 1)), t = mix[i];
		mix[i] = mix[k];
		mix[k] = t;
	}
}

static void options(int argc, char **argv, const char **control, const char **pid_file)
{
	static const struct option table[] = {
		{ "to", 1, NULL, 't' }, { "get", 1, NULL, 'g' }, { "post", 1, NULL, 'p' }, { "head", 1, NULL, 'h' }, { "connections", 1, NULL, 'c' },
		{ "rate", 1, NULL, 'r' }, { "new-connections", 0, NULL, 'n' }, { "timeout", 1, NULL, 'T' }, { "host", 1, NULL, 'H' },
		{ "tag", 1, NULL, 'G' }, { "seconds", 1, NULL, 's' }, { "requests", 1, NULL, 'q' }, { "control", 1, NULL, 'C' },
		{ "log", 1, NULL, 'l' }, { "max-records", 1, NULL, 'm' }, { "pid-file", 1, NULL, 'P' }, { 0 }
	};
	int o;

	while ((o = getopt_long(argc, argv, "", table, NULL)) != -1)
		switch (o) {
		case 't': if (!address(optarg, &to, &to_len)) die("--to: not an address"); break;
		case 'g': add_path(GET, optarg); break;
		case 'p': add_path(POST, optarg); break;
		case 'h': add_path(HEAD, optarg); break;
		case 'c': n_conns = number("--connections", optarg, 1, MAX_CONNS); break;
		case 'r': rate = number("--rate", optarg, 0, 1000000); break;
		case 'n': new_connections = true; break;
		case 'T': if ((timeout_ms = duration_ms(optarg)) <= 0) die("--timeout: want a duration"); break;
		case 'H': host = optarg; break;
		case 'G': tag_header = optarg; break;
		case 's': seconds = number("--seconds", optarg, 1, 86400); break;
		case 'q': max_requests = number("--requests", optarg, 1, 2000000000); break;
		case 'C': *control = optarg; break;
		case 'l': if (!(log_file = fopen(optarg, "w"))) die("%s: %s", optarg, strerror(errno)); break;
		case 'm': max_records = number("--max-records", optarg, 1000, 200000000); break;
		case 'P': *pid_file = optarg; break;
		default: die("usage: load --to HOST:PORT --get PATH ... (see the head of load.c)");
		}
	if (!to_len || !n_paths)
		die("load: --to and at least one path are needed");
}

int main(int argc, char **argv)
{
	struct ev_loop *loop = ev_default_loop(0);
	const char *control = NULL, *pid_file = NULL;
	ev_signal usr1, term, intr;

	options(argc, argv, &control, &pid_file);
	make_texts();
	signal(SIGPIPE, SIG_IGN);
	conns = need(calloc((size_t)n_conns, sizeof(*conns)));
	idle = need(calloc((size_t)n_conns, sizeof(*idle)));
	for (long i = 0; i < n_conns; i++) {
		conns[i].fd = -1;
		idle[n_idle++] = &conns[i];
	}
	for (size_t i = 0; i < CTL_CONNS; i++)
		ctl.conn[i].fd = -1;
	if (control)
		ctl_start(loop, &ctl, control, on_control);
	ev_signal_init(&usr1, on_usr1, SIGUSR1);
	ev_signal_start(loop, &usr1);
	ev_signal_init(&term, on_end, SIGTERM);
	ev_signal_start(loop, &term);
	ev_signal_init(&intr, on_end, SIGINT);
	ev_signal_start(loop, &intr);
	started_at = next_due = now_us();
	ev_timer_init(&tick, on_tick, 0., 0.001);
	ev_timer_start(loop, &tick);
	if (pid_file)
		write_pid_file(pid_file);
	ev_run(loop, 0);
	print_stats();
	if (log_file)
		fclose(log_file);
	if (control)
		unlink(control);
	for (long i = 0; i < n_conns; i++)
		conn_drop(loop, &conns[i]);
	for (int i = 0; i < n_paths; i++)
		free(paths[i].text);
	free(records);
	free(conns);
	free(idle);
	return 0;
}
