/* SPDX-License-Identifier: MIT
 * tls.h - HTTPS before a hostile server: HAProxy with certificates made for the test.
 *
 * The listening socket is opened here and inherited, so that there is neither a port to
 * guess nor a start to wait for: connections queue until HAProxy is up. */
#ifndef TESTS_UNIT_SUPPORT_TLS_H
#define TESTS_UNIT_SUPPORT_TLS_H

#include "tests/unit/support/hostile.h"

struct tls_front {
	pid_t pid;
	uint16_t port;
	char dir[64], ca[128];          /* ca: the file that verifies the server */
};

static inline void tls_run(const char *dir, const char *script)
{
	char cmd[4096];

	snprintf(cmd, sizeof(cmd), "cd %s && { %s; } >log 2>&1", dir, script);
	if (system(cmd) != 0) {
		fprintf(stderr, "tls.h: failed: %s\n", cmd);
		abort();
	}
}

static inline void tls_run_haproxy(struct tls_front *t, int fd, uint16_t behind, const char *mode, const char *bind)
{
	bool http = strcmp(mode, "http") == 0;
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/haproxy.cfg", t->dir);
	f = fopen(path, "w");
	if (!f)
		abort();
	fprintf(f,
		"defaults\n  mode %s\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n"
		"frontend f\n  bind fd@%d %s\n%s  default_backend b\n"
		"backend b\n  server s 127.0.0.1:%u\n",
		mode, fd, bind,
		http ? "  http-request set-header X-Sni %[ssl_fc_sni] if { ssl_fc }\n  http-request set-header X-Http %[fc_http_major]\n"
		       "  http-request set-header X-Src %[src]\n" : "",
		behind);
	fclose(f);
	fflush(NULL);
	t->pid = fork();
	if (t->pid < 0)
		abort();
	if (t->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(path, sizeof(path), "%s/haproxy.log", t->dir);
		if (!freopen(path, "w", stderr) || !freopen("/dev/null", "w", stdout))
			_exit(1);
		snprintf(path, sizeof(path), "%s/haproxy.cfg", t->dir);
		execlp("haproxy", "haproxy", "-db", "-f", path, (char *)NULL);
		_exit(127);
	}
	close(fd);
}

/* No TLS: HAProxy with a bind of one's own ("proto h2", "accept-proxy"). */
static inline void plain_front_start(struct tls_front *t, uint16_t behind, const char *bind)
{
	int fd = hostile_listen(&t->port, 128);

	snprintf(t->dir, sizeof(t->dir), "/tmp/switchd-tls-XXXXXX");
	if (!mkdtemp(t->dir))
		abort();
	tls_run_haproxy(t, fd, behind, "http", bind);
}

/* `make` is shell: it leaves ca.pem, which verifies the server, and both.pem, its certificates and key. mode: "http" or "tcp". */
static inline void tls_start_with(struct tls_front *t, uint16_t behind, const char *mode, const char *make)
{
	char bind[256];
	int fd = hostile_listen(&t->port, 128);

	snprintf(t->dir, sizeof(t->dir), "/tmp/switchd-tls-XXXXXX");
	if (!mkdtemp(t->dir))
		abort();
	snprintf(t->ca, sizeof(t->ca), "%s/ca.pem", t->dir);
	tls_run(t->dir, make);
	snprintf(bind, sizeof(bind), "ssl crt %s/both.pem alpn h2,http/1.1", t->dir);
	tls_run_haproxy(t, fd, behind, mode, bind);
}

#define TLS_MAKE_CA "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 90 -subj /CN=ca.test"
#define TLS_MAKE_REQUEST                                                                         \
	"openssl req -newkey rsa:2048 -nodes -keyout srv.key -out srv.csr -subj /CN=shop.test && " \
	"echo subjectAltName=DNS:shop.test >ext"

/* A certificate for shop.test, signed by a CA of its own. */
static inline void tls_start(struct tls_front *t, uint16_t behind, const char *mode)
{
	tls_start_with(t, behind, mode,
		       TLS_MAKE_CA " && " TLS_MAKE_REQUEST " && "
		       "openssl x509 -req -in srv.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out srv.pem -days 30 -extfile ext && "
		       "cat srv.pem srv.key >both.pem");
}

static inline void tls_stop(struct tls_front *t)
{
	char cmd[160];

	if (t->pid <= 0)
		return;
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
	t->pid = 0;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", t->dir);
	if (system(cmd) != 0)
		abort();
}

#endif
