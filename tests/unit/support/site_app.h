/* SPDX-License-Identifier: MIT
 * site_app.h - a small application with a login and a table of pages; each page can be told to misbehave.
 *
 * A forked child with a thread per connection, on a loopback port of its own; it dies with the test.  The table, the
 * counters and a log of what was asked are in shared memory: the test moves them between two probes. */
#ifndef TESTS_UNIT_SUPPORT_SITE_APP_H
#define TESTS_UNIT_SUPPORT_SITE_APP_H

#include "tests/unit/support/hostile.h"

enum page_mode { PAGE_OK, PAGE_HANG, PAGE_RESET, PAGE_CLOSE, PAGE_CUT, PAGE_DRIP, PAGE_HUGE, PAGE_ECHO };
enum { SITE_PAGES = 64 };

struct page {
	char path[96];
	int status;
	char type[64], head[256], body[2048];
	enum page_mode mode;
};

struct site_shared {
	struct page page[SITE_PAGES];
	atomic_int n_pages;
	atomic_bool catchall;           /* every other path is the index page, with 200 */
	atomic_bool wrong_echoes;       /* a wrong login shows what was sent, in several dresses */
	char stamp[64], stamp_in[64];   /* X-Switchd before and after the login; "" = none */
	char password[64];
	atomic_int round;               /* of site_reset(): what a connection of an earlier one does later is not counted */
	atomic_int requests, connections, logins, logouts, sessions, under_way, most_under_way;
	atomic_int log_len;
	char log[8192];                 /* "GET /login\nPOST /login\n" */
	char last[8192];                /* the last request, head and body */
};

struct site_app { pid_t pid; uint16_t port; struct site_shared *shared; };

#define SITE_SESSION "s3ssion-0123456789"
#define SITE_CSRF "cs+rf/tok=en"

static inline bool site_answer(int fd, int status, const char *type, const char *more, const char *stamp, const char *body, bool no_body)
{
	char head[2048], mark[160] = "";

	if (stamp[0])
		snprintf(mark, sizeof(mark), "X-Switchd: %s\r\n", stamp);
	snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Type: %s\r\n%s%sContent-Length: %zu\r\n\r\n", status, type, more, mark, strlen(body));
	return hostile_say(fd, head) && (no_body || hostile_say(fd, body));
}

static inline bool site_misbehave(int fd, const struct page *p, const char *req)
{
	static char filler[4096];

	switch (p->mode) {
	case PAGE_HANG:
		hostile_until_gone(fd);
		return false;
	case PAGE_RESET:
		hostile_reset(fd);
		return false;
	case PAGE_CLOSE:
		return false;
	case PAGE_CUT:
		hostile_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
		return false;
	case PAGE_DRIP:
		hostile_say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: 100000\r\n\r\n");
		while (hostile_say(fd, "x"))
			poll(NULL, 0, 20);
		return false;
	case PAGE_HUGE:
		hostile_say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nTransfer-Encoding: chunked\r\n\r\n");
		memset(filler, 'f', sizeof(filler));
		while (hostile_say(fd, "1000\r\n") && hostile_put(fd, filler, sizeof(filler)) && hostile_say(fd, "\r\n"))
			;
		return false;
	case PAGE_ECHO:
		return site_answer(fd, p->status, "text/plain", "", "", req, false);
	case PAGE_OK:
		break;
	}
	return true;
}

static inline bool site_login(int fd, struct site_shared *sh, const char *req, const char *body)
{
	char want[128], page[1024];

	snprintf(want, sizeof(want), "password=%s&", sh->password);
	if (strstr(body, "user=probe&") && strstr(body, want) && strstr(body, "csrf=cs%2Brf%2Ftok%3Den") && strstr(req, "pre=1")) {
		atomic_fetch_add(&sh->logins, 1);
		atomic_fetch_add(&sh->sessions, 1);
		return site_answer(fd, 302, "text/html", "Location: /account\r\nSet-Cookie: session=" SITE_SESSION "; Path=/; HttpOnly\r\n", sh->stamp,
				   "", false);
	}
	if (!atomic_load(&sh->wrong_echoes))
		return site_answer(fd, 200, "text/html", "", sh->stamp, "<p>wrong</p>", false);
	snprintf(page, sizeof(page), "<p>wrong: %.600s</p>", body);
	return site_answer(fd, 200, "text/html", "", sh->stamp, page, false);
}

/* False: the connection is over. */
static inline bool site_serve(int fd, struct site_shared *sh, const char *req)
{
	char method[16] = "", path[256] = "";
	const char *body = strstr(req, "\r\n\r\n") + 4;
	bool in = strstr(req, "session=" SITE_SESSION) != NULL, head_only;
	const char *stamp = in ? sh->stamp_in : sh->stamp;

	sscanf(req, "%15s %255s", method, path);
	head_only = strcmp(method, "HEAD") == 0;
	int at = atomic_fetch_add(&sh->log_len, (int)(strlen(method) + strlen(path) + 2));
	if (at + 300 < (int)sizeof(sh->log))
		at += snprintf(sh->log + at, 300, "%s %s\n", method, path);
	path[strcspn(path, "?")] = '\0';
	for (int i = 0; i < atomic_load(&sh->n_pages); i++)
		if (strcmp(sh->page[i].path, path) == 0) {
			const struct page *p = &sh->page[i];

			if (p->mode != PAGE_OK)
				return site_misbehave(fd, p, req);
			return site_answer(fd, p->status, p->type, p->head, stamp, p->body, head_only);
		}
	if (strcmp(path, "/login") == 0 && strcmp(method, "GET") == 0)
		return site_answer(fd, 200, "application/json", "Set-Cookie: pre=1\r\nX-Csrf: " SITE_CSRF "\r\n", stamp, "{\"csrf\":\"" SITE_CSRF "\",\"n\":7}", false);
	if (strcmp(path, "/login") == 0 && strcmp(method, "POST") == 0)
		return site_login(fd, sh, req, body);
	if (strcmp(path, "/account") == 0)
		return in ? site_answer(fd, 200, "text/html", "", stamp, "<h1>Account of probe</h1> number 7", head_only) :
			    site_answer(fd, 302, "text/html", "Location: /login\r\n", stamp, "", head_only);
	if (strcmp(path, "/logout") == 0 && strcmp(method, "POST") == 0) {
		atomic_fetch_add(&sh->logouts, 1);
		if (in)
			atomic_fetch_sub(&sh->sessions, 1);
		return site_answer(fd, 302, "text/html", "Location: /\r\n", stamp, "", false);
	}
	if (atomic_load(&sh->catchall))
		return site_answer(fd, 200, "text/html", "", stamp, "<h1>Account of probe</h1>", head_only);
	return site_answer(fd, 404, "text/html", "", stamp, "<h1>no such page</h1>", head_only);
}

struct site_connection { int fd; struct site_shared *shared; };

static inline bool site_read(int fd, char *req, size_t size, size_t *n)
{
	char *end;

	*n = 0;
	req[0] = '\0';
	while (!(end = strstr(req, "\r\n\r\n"))) {
		ssize_t r = *n < size - 1 ? recv(fd, req + *n, size - 1 - *n, 0) : 0;

		if (r <= 0)
			return false;
		*n += (size_t)r;
		req[*n] = '\0';
	}
	const char *cl = strcasestr(req, "Content-Length: ");
	size_t whole = (size_t)(end + 4 - req) + (cl && cl < end ? (size_t)strtoul(cl + 16, NULL, 10) : 0);

	while (*n < whole) {
		ssize_t r = *n < size - 1 ? recv(fd, req + *n, size - 1 - *n, 0) : 0;

		if (r <= 0)
			return false;
		*n += (size_t)r;
		req[*n] = '\0';
	}
	return true;
}

static inline void *site_thread(void *arg)
{
	struct site_connection c = *(struct site_connection *)arg;
	char req[8192];
	size_t n;
	bool go = true;

	free(arg);
	while (go && site_read(c.fd, req, sizeof(req), &n)) {
		int round = atomic_load(&c.shared->round);
		int now = atomic_fetch_add(&c.shared->under_way, 1) + 1, most = atomic_load(&c.shared->most_under_way);

		while (now > most && !atomic_compare_exchange_weak(&c.shared->most_under_way, &most, now))
			;
		memcpy(c.shared->last, req, n + 1);
		atomic_fetch_add(&c.shared->requests, 1);
		go = site_serve(c.fd, c.shared, req);
		if (round == atomic_load(&c.shared->round))
			atomic_fetch_sub(&c.shared->under_way, 1);
	}
	close(c.fd);
	return NULL;
}

static inline void site_reset(struct site_app *s)
{
	struct site_shared *sh = s->shared;
	int round = atomic_load(&sh->round) + 1;

	memset(sh, 0, sizeof(*sh));
	atomic_store(&sh->round, round);
	snprintf(sh->password, sizeof(sh->password), "%s", "p%40ss+word%26x");     /* p@ss word&x */
}

static inline struct page *site_page(struct site_app *s, const char *path, int status, const char *type, const char *body)
{
	int i = atomic_load(&s->shared->n_pages);
	struct page *p = &s->shared->page[i];

	snprintf(p->path, sizeof(p->path), "%s", path);
	snprintf(p->type, sizeof(p->type), "%s", type);
	snprintf(p->body, sizeof(p->body), "%s", body);
	p->head[0] = '\0';
	p->status = status;
	p->mode = PAGE_OK;
	atomic_store(&s->shared->n_pages, i + 1);
	return p;
}

static inline void site_start(struct site_app *s)
{
	int fd = hostile_listen(&s->port, 128);

	s->shared = mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->shared == MAP_FAILED)
		abort();
	site_reset(s);
	fflush(NULL);
	s->pid = fork();
	if (s->pid < 0)
		abort();
	if (s->pid) {
		close(fd);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct site_connection *c;
		pthread_t t;
		int conn = accept(fd, NULL, NULL);

		if (conn < 0)
			continue;
		setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		atomic_fetch_add(&s->shared->connections, 1);
		c = malloc(sizeof(*c));
		*c = (struct site_connection){ conn, s->shared };
		if (pthread_create(&t, NULL, site_thread, c))
			_exit(1);
		pthread_detach(t);
	}
}

static inline void site_stop(struct site_app *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
		munmap(s->shared, sizeof(*s->shared));
	}
	s->pid = 0;
}

#endif
