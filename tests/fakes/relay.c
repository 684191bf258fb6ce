/* SPDX-License-Identifier: MIT
 * relay.c - passes bytes from one socket to another, badly where asked.
 *
 *   relay --listen 127.0.0.1:0|/path --to 127.0.0.1:PORT|/path --control PATH [--pid-file F]
 *
 * Prints "port N".  Commands, in force when answered, for connections that exist too:
 *   ok            passes everything on              blackhole   accepts and reads nothing
 *   delay MS      each piece waits                  cut N       ends each connection after N bytes back
 *   drip N        N bytes a second back             reset       resets all, and each new one
 *   refuse        nobody listens (ok listens again) stats       one JSON line
 *   garbage       what comes back is noise of the same length */
#include <getopt.h>
#include <signal.h>

#include "tests/fakes/fake.h"

enum { MAX_PAIRS = 1024, PIECE = 16 * 1024, TICK_MS = 5 };
enum mode { PASS, BLACKHOLE, DELAY, CUT, DRIP, RESET, REFUSE, GARBAGE };

struct half { ev_io io; struct pair *pair; int fd; bool eof; char buf[PIECE]; size_t n, off; int64_t ready; };
struct pair { bool used; struct half client, server; uint64_t back; };  /* half.buf: what was read from that side */

static struct pair pairs[MAX_PAIRS];
static enum mode mode;
static long amount;
static const char *listen_text;
static char listen_again[128];
static int listen_fd = -1;
static struct sockaddr_storage to;
static socklen_t to_len;
static ev_io accept_io;
static ev_timer tick;
static struct ctl ctl;
static uint64_t n_accepted, n_bytes;

static void pair_close(struct ev_loop *loop, struct pair *p, bool reset)
{
	ev_io_stop(loop, &p->client.io);
	ev_io_stop(loop, &p->server.io);
	if (p->client.fd >= 0)
		reset ? close_reset(p->client.fd) : (void)close(p->client.fd);
	if (p->server.fd >= 0)
		reset ? close_reset(p->server.fd) : (void)close(p->server.fd);
	p->used = false;
}

/* Moves what was read from one side to the other. False: the pair is gone. */
static bool forward(struct ev_loop *loop, struct half *from, struct half *into)
{
	struct pair *p = from->pair;
	bool back = from == &p->server;
	size_t n = from->n - from->off;

	if (!n || mode == BLACKHOLE || (mode == DELAY && now_us() < from->ready))
		return true;
	if (mode == DRIP && back) {
		size_t per_tick = (size_t)(amount * TICK_MS / 1000);

		/* Fewer bytes a second than ticks: one at a time, when its moment has come. */
		if (!per_tick) {
			if (now_us() < from->ready)
				return true;
			from->ready = now_us() + 1000000 / (amount ? amount : 1);
			per_tick = 1;
		}
		n = n < per_tick ? n : per_tick;
	}
	if (mode == CUT && back && p->back + n > (uint64_t)amount)
		n = (uint64_t)amount > p->back ? (size_t)((uint64_t)amount - p->back) : 0;
	ssize_t w = n ? send(into->fd, from->buf + from->off, n, MSG_NOSIGNAL) : 0;
	if (w < 0 && errno != EAGAIN && errno != EINTR) {
		pair_close(loop, p, false);
		return false;
	}
	if (w > 0) {
		from->off += (size_t)w;
		n_bytes += (uint64_t)w;
		if (back)
			p->back += (uint64_t)w;
	}
	if (from->off == from->n)
		from->off = from->n = 0;
	if (mode == CUT && back && p->back >= (uint64_t)amount) {
		pair_close(loop, p, false);
		return false;
	}
	return true;
}

static void half_events(struct ev_loop *loop, struct half *h)
{
	ev_io_stop(loop, &h->io);
	if (h->n == 0 && !h->eof && mode != BLACKHOLE)
		ev_io_start(loop, &h->io);
}

static void pair_move(struct ev_loop *loop, struct pair *p)
{
	if (!forward(loop, &p->client, &p->server) || !forward(loop, &p->server, &p->client))
		return;
	half_events(loop, &p->client);
	half_events(loop, &p->server);
	if ((p->client.eof && !p->client.n) || (p->server.eof && !p->server.n))
		pair_close(loop, p, false);
}

static void noise(char *p, size_t n)
{
	static uint32_t x = 2463534242u;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		p[i] = (char)x;
	}
}

static void on_half(struct ev_loop *loop, ev_io *w, int revents)
{
	struct half *h = w->data;
	ssize_t n = read(h->fd, h->buf, sizeof(h->buf));

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		h->eof = true;
	else {
		if (mode == GARBAGE && h == &h->pair->server)
			noise(h->buf, (size_t)n);
		h->n = (size_t)n;
		h->off = 0;
		h->ready = now_us() + (mode == DELAY ? amount * 1000 : 0);
	}
	pair_move(loop, h->pair);
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	for (size_t i = 0; i < MAX_PAIRS; i++)
		if (pairs[i].used)
			pair_move(loop, &pairs[i]);
}

static void on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	int fd = accept(w->fd, NULL, NULL);
	struct pair *p = NULL;

	(void)revents;
	if (fd < 0)
		return;
	n_accepted++;
	for (size_t i = 0; i < MAX_PAIRS && !p; i++)
		if (!pairs[i].used)
			p = &pairs[i];
	if (!p || mode == RESET) {
		close_reset(fd);
		return;
	}
	int server = socket(to.ss_family, SOCK_STREAM, 0);
	/* Blocking connect: local sockets only, they answer at once. */
	if (server < 0 || connect(server, (struct sockaddr *)&to, to_len) < 0) {
		close_reset(fd);
		if (server >= 0)
			close(server);
		return;
	}
	nonblocking(fd);
	nonblocking(server);
	memset(p, 0, sizeof(*p));
	p->used = true;
	p->client.fd = fd;
	p->server.fd = server;
	p->client.pair = p->server.pair = p;
	ev_io_init(&p->client.io, on_half, fd, EV_READ);
	ev_io_init(&p->server.io, on_half, server, EV_READ);
	p->client.io.data = &p->client;
	p->server.io.data = &p->server;
	pair_move(loop, p);
}

static void start_listening(struct ev_loop *loop)
{
	int port;

	if (listen_fd >= 0)
		return;
	listen_fd = listen_on(listen_again[0] ? listen_again : listen_text, &port);
	/* The same port again after `refuse`. */
	if (port)
		snprintf(listen_again, sizeof(listen_again), "127.0.0.1:%d", port);
	ev_io_init(&accept_io, on_accept, listen_fd, EV_READ);
	ev_io_start(loop, &accept_io);
}

static void stop_listening(struct ev_loop *loop)
{
	if (listen_fd < 0)
		return;
	ev_io_stop(loop, &accept_io);
	close(listen_fd);
	listen_fd = -1;
	if (!listen_again[0])
		unlink(listen_text);
}

static void on_control(struct ctl_conn *c, char *line)
{
	static const char *const names[] = { "ok", "blackhole", "delay", "cut", "drip", "reset", "refuse", "garbage" };
	struct ev_loop *loop = ev_default_loop(0);
	char *save, *verb = strtok_r(line, " ", &save), *a = strtok_r(NULL, " ", &save);

	if (verb && strcmp(verb, "stats") == 0) {
		ctl_reply(c, "{\"accepted\":%llu,\"bytes\":%llu,\"mode\":\"%s\"}\n", (unsigned long long)n_accepted, (unsigned long long)n_bytes, names[mode]);
		return;
	}
	for (size_t i = 0; verb && i < FAKE_LEN(names); i++) {
		if (strcmp(verb, names[i]) != 0)
			continue;
		bool wants = i == DELAY || i == CUT || i == DRIP;
		if (wants != (a != NULL))
			break;
		mode = (enum mode)i;
		amount = a ? number(verb, a, 0, 1000000000) : 0;
		for (size_t k = 0; k < MAX_PAIRS; k++)
			if (pairs[k].used && (mode == RESET || mode == REFUSE))
				pair_close(loop, &pairs[k], true);
		if (mode == REFUSE)
			stop_listening(loop);
		else
			start_listening(loop);
		on_tick(loop, &tick, 0);
		ctl_reply(c, "ok\n");
		return;
	}
	ctl_reply(c, "error unknown command\n");
}

static void on_end(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen", 1, NULL, 'l' }, { "to", 1, NULL, 't' }, { "control", 1, NULL, 'c' }, { "pid-file", 1, NULL, 'P' }, { 0 }
	};
	struct ev_loop *loop = ev_default_loop(0);
	const char *control = NULL, *pid_file = NULL;
	ev_signal term;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'l': listen_text = optarg; break;
		case 't': if (!address(optarg, &to, &to_len)) die("--to: not an address"); break;
		case 'c': control = optarg; break;
		case 'P': pid_file = optarg; break;
		default: die("usage: relay --listen WHERE --to WHERE --control PATH");
		}
	if (!listen_text || !to_len || !control)
		die("relay: --listen, --to and --control are needed");
	signal(SIGPIPE, SIG_IGN);
	start_listening(loop);
	ctl_start(loop, &ctl, control, on_control);
	ev_timer_init(&tick, on_tick, 0., TICK_MS / 1000.);
	ev_timer_start(loop, &tick);
	ev_signal_init(&term, on_end, SIGTERM);
	ev_signal_start(loop, &term);
	if (pid_file)
		write_pid_file(pid_file);
	printf("port %s\n", listen_again[0] ? strchr(listen_again, ':') + 1 : "0");
	fflush(stdout);
	ev_run(loop, 0);
	for (size_t i = 0; i < MAX_PAIRS; i++)
		if (pairs[i].used)
			pair_close(loop, &pairs[i], false);
	stop_listening(loop);
	unlink(control);
	return 0;
}
