/* SPDX-License-Identifier: MIT
 * haproxy_rig.h - what the proxy tests share: a configuration made by hand, a loop that waits for
 * answers with a guard, a real HAProxy in a directory of its own, and a disk that can be stopped.
 * Included once by each test program (everything is static). */
#ifndef TESTS_UNIT_HAPROXY_RIG_H
#define TESTS_UNIT_HAPROXY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "switchd/proxy/mapfile.h"
#include "switchd/proxy/proxy.h"

#define UNUSED __attribute__((unused))
enum { GUARD_S = 20 };

/* --- the disk: fsync of this program waits while it is stopped ---------------- */

static atomic_bool disk_stopped;
static atomic_int disk_waiters;

int fsync(int fd)
{
	if (atomic_load(&disk_stopped)) {
		atomic_fetch_add(&disk_waiters, 1);
		while (atomic_load(&disk_stopped))
			usleep(500);
		atomic_fetch_sub(&disk_waiters, 1);
	}
	return (int)syscall(SYS_fsync, fd);
}

/* Root passes every permission bit, so EACCES is made here. */
static bool UNUSED connect_denied;

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	if (connect_denied) {
		errno = EACCES;
		return -1;
	}
	return (int)syscall(SYS_connect, fd, addr, len);
}

/* --- waiting --------------------------------------------------------------------- */

static UNUSED double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define WAIT_UNTIL(cond) do { double end_ = now_s() + GUARD_S; \
	while (!(cond)) { if (now_s() > end_) fail_msg("waited in vain for: %s", #cond); usleep(2000); } } while (0)

/* --- a configuration --------------------------------------------------------------- */

struct rig {
	char dir[64], socket[96], map[96], paths[96], cfg_file[96], log[96];
	struct target target[2][2];
	char target_text[2][2][32];
	struct feature features[5];
	struct proxy_config proxy;
	struct service_config svc;
	uint16_t front_port;
	struct ev_loop *loop;
	struct proxy *px;
	pid_t haproxy, apps;
	struct apps *shared;
	int app_fd[2][2];
};

static int UNUSED listen_any(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static UNUSED struct feature feature(const char *name, const char *path, const char *method, enum severity severity)
{
	return (struct feature){ .name = name, .path = path, .url = "", .method = method, .body = "", .severity = severity, .control_path = "" };
}

static UNUSED void rig_config(struct rig *r, const char *service)
{
	memset(r, 0, sizeof(*r));
	(void)TEXT_COPY(r->dir, "/tmp/switchd-proxy-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	assert_int_equal(chmod(r->dir, 0755), 0);
	(void)TEXT_FORMAT(r->socket, "%s/haproxy.sock", r->dir);
	(void)TEXT_FORMAT(r->map, "%s/svc.map", r->dir);
	(void)TEXT_FORMAT(r->paths, "%s/svc.paths", r->dir);
	(void)TEXT_FORMAT(r->cfg_file, "%s/haproxy.cfg", r->dir);
	(void)TEXT_FORMAT(r->log, "%s/log", r->dir);
	r->features[0] = feature("quotes", "/api/quotes?limit=1", "GET", SEV_CRITICAL);
	r->features[1] = feature("expenses", "/expenses", "GET", SEV_CRITICAL);
	r->features[2] = feature("post", "/post", "POST", SEV_CRITICAL);
	r->features[3] = feature("nice", "/nice", "GET", SEV_WARN);
	r->features[4] = feature("again", "/expenses", "HEAD", SEV_CRITICAL);
	r->proxy = (struct proxy_config){ .name = "haproxy", .type = "haproxy", .socket = r->socket, .map = r->map, .paths = r->paths,
					  .front = "", .backend = { "shop-blue", "shop-green" }, .shield_backend = "shop-shield" };
	r->svc = (struct service_config){ .name = service, .front = "http://shop.example.com", .initial = NO_SLOT, .shield = true,
					  .front_target = { .text = "", .host = "shop.example.com", .port = 80 },
					  .proxies = &r->proxy, .n_proxies = 1, .features = r->features, .n_features = 5 };
	for (int s = 0; s < 2; s++) {
		r->svc.slot[s] = (struct slot_config){ .targets = r->target[s], .n_targets = 2,
						       .tls = { .ca_file = "", .cert_file = "", .key_file = "", .verify = true } };
		for (int i = 0; i < 2; i++) {
			r->app_fd[s][i] = -1;
			(void)TEXT_FORMAT(r->target_text[s][i], "127.0.0.1:%d", 9000 + s * 2 + i);
			r->target[s][i] = (struct target){ .text = r->target_text[s][i], .host = "127.0.0.1", .port = (uint16_t)(9000 + s * 2 + i) };
		}
	}
	r->loop = ev_loop_new(EVFLAG_AUTO);
	assert_non_null(r->loop);
}

static UNUSED void kill_and_reap(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		(void)waitpid(*pid, NULL, 0);
	}
	*pid = 0;
}

static UNUSED void rig_free(struct rig *r)
{
	DIR *d;
	struct dirent *e;

	atomic_store(&disk_stopped, false);
	proxy_free(&r->px);
	ev_loop_destroy(r->loop);
	kill_and_reap(&r->haproxy);
	kill_and_reap(&r->apps);
	for (int i = 0; i < 4; i++)
		if (r->app_fd[i / 2][i % 2] >= 0)
			close(r->app_fd[i / 2][i % 2]);
	d = opendir(r->dir);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	assert_int_equal(rmdir(r->dir), 0);
}

/* --- calls that wait for their answer ---------------------------------------------- */

struct said { bool done; int order; struct proxy_answer a; int up, all; bool known; uint64_t n, m; struct ev_loop *loop; };
static int said_order;

static UNUSED void said_answer(void *arg, const struct proxy_answer *a)
{
	struct said *s = arg;

	assert_false(s->done);
	s->a = *a;
	s->done = true;
	s->order = ++said_order;
	if (s->loop)
		ev_break(s->loop, EVBREAK_ALL);
}

static void UNUSED said_ready(void *arg, const struct proxy_answer *a, int up, int all)
{
	struct said *s = arg;

	s->up = up;
	s->all = all;
	said_answer(arg, a);
}

static void UNUSED said_counts(void *arg, bool known, uint64_t n, uint64_t m)
{
	struct said *s = arg;
	struct proxy_answer none = { .result = PX_OK };

	s->known = known;
	s->n = n;
	s->m = m;
	said_answer(arg, &none);
}

static void UNUSED said_sessions(void *arg, bool known, uint64_t n) { said_counts(arg, known, n, 0); }

static UNUSED void guard(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)events;
	*(bool *)w->data = true;
	ev_break(loop, EVBREAK_ALL);
}

static UNUSED void run_until(struct rig *r, struct said *s)
{
	bool late = false;
	ev_timer t;

	ev_timer_init(&t, guard, GUARD_S, 0.);
	t.data = &late;
	ev_now_update(r->loop);
	ev_timer_start(r->loop, &t);
	s->loop = r->loop;
	while (!s->done && !late)
		ev_run(r->loop, EVRUN_ONCE);
	ev_timer_stop(r->loop, &t);
	if (!s->done)
		fail_msg("no answer in %d s", GUARD_S);
}

/* Lets the loop run until something outside it is true: background writes. */
#define LOOP_UNTIL(r, cond) do { double end_ = now_s() + GUARD_S; \
	while (!(cond)) { if (now_s() > end_) fail_msg("looped in vain for: %s", #cond); \
		ev_run((r)->loop, EVRUN_NOWAIT); usleep(1000); } } while (0)

static UNUSED struct proxy_value value(enum slot slot, uint64_t gen, uint64_t epoch, bool shield)
{
	return (struct proxy_value){ .slot = slot, .v = { gen, epoch }, .shield = shield };
}

static UNUSED struct said apply(struct rig *r, struct proxy_value v, enum proxy_order order)
{
	struct said s = { 0 };

	proxy_apply(r->px, &v, order, said_answer, &s);
	assert_false(s.done);
	run_until(r, &s);
	return s;
}

static UNUSED struct said read_back(struct rig *r)
{
	struct said s = { 0 };

	proxy_read_back(r->px, said_answer, &s);
	assert_false(s.done);
	run_until(r, &s);
	return s;
}

static UNUSED void assert_result_at(struct said s, enum proxy_result want, const char *file, int line)
{
	if (s.a.result != want) {
		print_error("result %s (%s), want %s\n", proxy_result_name(s.a.result), s.a.detail, proxy_result_name(want));
		_fail(file, line);
	}
}
#define assert_result(s, want) assert_result_at((s), (want), __FILE__, __LINE__)

/* --- files ---------------------------------------------------------------------------- */

static bool UNUSED file_is(const char *path, const char *text)
{
	struct buf b = BUF_INIT(1 << 20);
	bool is = mapfile_read(path, &b) && strcmp(buf_str(&b), text) == 0;

	buf_free(&b);
	return is;
}

static void UNUSED put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

#endif
