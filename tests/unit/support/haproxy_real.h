/* SPDX-License-Identifier: MIT
 * haproxy_real.h - the real HAProxy with the printed snippet, four little applications behind it,
 * and a client.  Everything dies with the test (PR_SET_PDEATHSIG). */
#ifndef TESTS_UNIT_HAPROXY_REAL_H
#define TESTS_UNIT_HAPROXY_REAL_H

#include "tests/unit/support/haproxy_rig.h"

/* --- the applications -------------------------------------------------------------- */

struct apps {
	atomic_bool lost[2];            /* the slot's /api/quotes and POSTs to it answer 404 */
	atomic_bool streaming;          /* a client is being held by /stream */
};

static UNUSED void app_answer(struct apps *apps, int slot, int i, int fd)
{
	char head[2048], out[512];
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(head) - 1 && (got = read(fd, head + n, sizeof(head) - 1 - n)) > 0) {
		n += (size_t)got;
		head[n] = '\0';
		if (strstr(head, "\r\n\r\n"))
			break;
	}
	head[n] = '\0';
	bool quotes = strstr(head, " /api/quotes") || strstr(head, " /other");
	bool stream = strstr(head, " /stream");
	int len = snprintf(out, sizeof(out), "HTTP/1.1 %s\r\nConnection: close\r\nX-Probe: %s\r\n\r\n%s%d\n",
			   quotes && atomic_load(&apps->lost[slot]) ? "404 Not Found" : "200 OK",
			   strcasestr(head, "x-switchd-probe:") ? "yes" : "no", slot_name(slot), i + 1);
	if (write(fd, out, (size_t)len) == len && stream) {
		atomic_store(&apps->streaming, true);
		while (read(fd, head, sizeof(head)) > 0)
			;
	}
	close(fd);
}

/* One process for all four: a thread a connection, for /stream holds one. */
struct conn { struct apps *apps; int slot, i, fd; };

static UNUSED void *app_conn(void *arg)
{
	struct conn c = *(struct conn *)arg;

	free(arg);
	app_answer(c.apps, c.slot, c.i, c.fd);
	return NULL;
}

static UNUSED void apps_run(struct rig *r)
{
	struct pollfd p[4];

	for (int k = 0; k < 4; k++)
		p[k] = (struct pollfd){ .fd = r->app_fd[k / 2][k % 2], .events = POLLIN };
	for (;;) {
		if (poll(p, 4, -1) < 0)
			continue;
		for (int k = 0; k < 4; k++) {
			struct conn *c;
			pthread_t t;
			int fd = p[k].revents ? accept4(p[k].fd, NULL, NULL, SOCK_CLOEXEC) : -1;

			if (fd < 0)
				continue;
			c = malloc(sizeof(*c));
			if (!c)
				_exit(1);
			*c = (struct conn){ r->shared, k / 2, k % 2, fd };
			if (pthread_create(&t, NULL, app_conn, c) == 0)
				pthread_detach(t);
		}
	}
}

static UNUSED void apps_start(struct rig *r)
{
	r->shared = mmap(NULL, sizeof(*r->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(r->shared != MAP_FAILED);
	for (int s = 0; s < 2; s++)
		for (int i = 0; i < 2; i++)
			r->app_fd[s][i] = listen_any(&r->target[s][i].port);
	r->apps = fork();
	assert_true(r->apps >= 0);
	if (r->apps == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		apps_run(r);
	}
}

/* --- HAProxy -------------------------------------------------------------------------- */

/* One raw command on the runtime socket; false when nobody answers. */
static UNUSED bool raw(struct rig *r, const char *command, char *out, size_t size)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = 3 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = 0;
	ssize_t got;

	assert_true(fd >= 0);
	assert_true(TEXT_COPY(un.sun_path, r->socket));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	bool ok = connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0 && dprintf(fd, "%s\n", command) > 0;
	while (ok && n < size - 1 && (got = read(fd, out + n, size - 1 - n)) > 0)
		n += (size_t)got;
	out[n] = '\0';
	close(fd);
	return ok && n > 0;
}

static UNUSED void raw_ok(struct rig *r, const char *fmt, ...) PRINTF(2, 3);
static UNUSED void raw_ok(struct rig *r, const char *fmt, ...)
{
	char command[512], out[65536];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	assert_true(raw(r, command, out, sizeof(out)));
	assert_string_equal(out, "\n");
}

/* What the running proxy holds for a key: "" when none. `entries` may be NULL. */
static UNUSED void shown(struct rig *r, const char *map, char *out, size_t size, int *entries)
{
	char command[256], text[65536], *line, *rest = text;
	int n = 0;

	(void)TEXT_FORMAT(command, "show map %s", map);
	assert_true(raw(r, command, text, sizeof(text)));
	out[0] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		char *key = strchr(line, ' '), *v = key ? strchr(key + 1, ' ') : NULL;

		if (!v)
			continue;
		if (n++ == 0)
			(void)text_copy(out, size, v + 1);
	}
	if (entries)
		*entries = n;
}

#define assert_shows(r, want) do { char v_[256]; shown((r), (r)->map, v_, sizeof(v_), NULL); assert_string_equal(v_, (want)); } while (0)

/* mode: "-db", or "-W" for a master with a worker. */
static UNUSED pid_t haproxy_spawn(struct rig *r, const char *mode, const char *option, const char *value_text)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open(r->log, O_WRONLY | O_CREAT | O_APPEND, 0644);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, 1);
		dup2(fd, 2);
		execlp("haproxy", "haproxy", mode, "-f", r->cfg_file, option, value_text, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static UNUSED uint64_t haproxy_pid(struct rig *r)
{
	char text[16384], *p;

	if (!raw(r, "show info", text, sizeof(text)) || !(p = strstr(text, "\nPid: ")))
		return 0;
	return strtoull(p + 6, NULL, 10);
}

static UNUSED void haproxy_start(struct rig *r)
{
	r->haproxy = haproxy_spawn(r, "-db", NULL, NULL);
	WAIT_UNTIL(haproxy_pid(r) == (uint64_t)r->haproxy);
}

static UNUSED void write_cfg(struct rig *r, const char *extra)
{
	struct buf text = BUF_INIT(65536);
	char bind_to[64];
	int fd = listen_any(&r->front_port);

	close(fd); /* between here and HAProxy's bind the port is free: the kernel does not hand it out again at once */
	(void)TEXT_FORMAT(bind_to, "127.0.0.1:%u", r->front_port);
	assert_true(proxy_snippet_bind(&r->svc, &r->proxy, bind_to, &text));
	buf_adds(&text, extra);
	put_file(r->cfg_file, buf_str(&text));
	buf_free(&text);
}

static UNUSED void rig_start(struct rig *r, const char *service)
{
	struct buf text = BUF_INIT(65536);

	rig_config(r, service);
	apps_start(r);
	assert_true(proxy_init_files(&r->svc, &r->proxy, &text));
	buf_free(&text);
	write_cfg(r, "");
	haproxy_start(r);
	r->px = proxy_new(r->loop, &r->svc, &r->proxy);
}

/* How often the log says it: a master is deaf to signals until it has said "Loading success". */
static UNUSED int log_says(struct rig *r, const char *what)
{
	struct buf b = BUF_INIT(1 << 20);
	int n = 0;

	if (mapfile_read(r->log, &b))
		for (const char *p = buf_str(&b); (p = strstr(p, what)); p++)
			n++;
	buf_free(&b);
	return n;
}

static UNUSED void haproxy_kill(struct rig *r) { kill_and_reap(&r->haproxy); }

/* Another HAProxy takes over: -sf tells the old one to finish. */
static UNUSED void haproxy_reload(struct rig *r)
{
	char old[32];
	pid_t next, was = r->haproxy;

	(void)TEXT_FORMAT(old, "%d", (int)was);
	next = haproxy_spawn(r, "-db", "-sf", old);
	r->haproxy = next;
	WAIT_UNTIL(haproxy_pid(r) == (uint64_t)next);
	WAIT_UNTIL(waitpid(was, NULL, WNOHANG) == was);
}

/* --- a client ---------------------------------------------------------------------------- */

struct answer { int status; char text[4096], body[512], stamp[160]; };

static UNUSED int front_connect(struct rig *r)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(r->front_port) };
	struct timeval limit = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static UNUSED struct answer ask_host(struct rig *r, const char *method, const char *path, const char *header, const char *host)
{
	struct answer a = { 0 };
	int fd = front_connect(r);
	size_t n = 0;
	ssize_t got;
	char *p;

	assert_true(dprintf(fd, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", method, path, host, header) > 0);
	while (n < sizeof(a.text) - 1 && (got = read(fd, a.text + n, sizeof(a.text) - 1 - n)) > 0)
		n += (size_t)got;
	a.text[n] = '\0';
	close(fd);
	if (strlen(a.text) > 12)
		a.status = (int)strtol(a.text + 9, NULL, 10);
	if ((p = strstr(a.text, "\r\n\r\n")))
		(void)TEXT_COPY(a.body, p + 4);
	if ((p = strcasestr(a.text, "\r\nx-switchd: ")))
		(void)text_copy_n(a.stamp, sizeof(a.stamp), p + 13, strcspn(p + 13, "\r"));
	return a;
}

static UNUSED struct answer ask(struct rig *r, const char *method, const char *path, const char *header)
{
	return ask_host(r, method, path, header, "shop.example.com");
}

#define PROBE "X-Switchd-Probe: shop/quotes\r\n"

static UNUSED void rig_stop(struct rig *r)
{
	void *shared = r->shared;

	rig_free(r);
	munmap(shared, sizeof(struct apps));
}

#endif
