/* SPDX-License-Identifier: MIT
 * haproxy_snippet.c - the standard configuration (haproxy.md), whole: it runs as it is printed.
 *
 * Everything is named after the service, so that two services fit into one file.  Text that came
 * from the configuration is checked before it is printed; what may not be there is refused. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "switchd/proxy/haproxy.h"

struct snip {
	const struct service_config *svc;
	const struct proxy_config *cfg;
	struct buf *out;
	char var[160];          /* the service's name as part of a variable's name */
	char in[2][160];        /* abstract sockets of the two listens */
	bool failed;
};

/* HAProxy's variables know letters, digits, '_' and '.': '-' is spelled _d and '_' itself _u, so that
 * no two services share one. */
static void variable_name(const char *service, char *out, size_t size)
{
	size_t n = 0;

	for (; *service && n + 3 < size; service++) {
		if (*service == '-' || *service == '_') {
			out[n++] = '_';
			out[n++] = *service == '-' ? 'd' : 'u';
		} else {
			out[n++] = *service;
		}
	}
	out[n] = '\0';
}

/* Abstract sockets are one name space per machine: two HAProxys of one service must not meet there. */
static uint32_t mark_of(const struct proxy_config *cfg)
{
	uint32_t h = 2166136261u;

	for (int part = 0; part < 2; part++)
		for (const char *p = part ? cfg->map : cfg->socket; *p; p++)
			h = (h ^ (unsigned char)*p) * 16777619u;
	return h;
}

static bool word(struct snip *s, const char *text, const char *more)
{
	if (!hap_word_ok(text, more, 1000))
		s->failed = true;
	return !s->failed;
}

static void global_part(struct snip *s)
{
	bool unix_socket = s->cfg->socket[0] == '/';

	buf_addf(s->out,
		 "# HAProxy for the service %s, switched by switchd.  switchd writes two files and nothing else:\n"
		 "#   %s   who serves, the version, the shield\n"
		 "#   %s   the paths that the shield covers\n"
		 "# `switchctl proxy init %s` creates them; HAProxy does not start without them.\n"
		 "global\n"
		 "  # Whoever can open this socket can move the traffic: mode 600, owned by switchd's user (add: user switchd).\n"
		 "  # Level: up to HAProxy 2.6 `set map` and `show` work at level user; newer releases want more for every\n"
		 "  # write, and cutting the sessions left after a flip wants admin everywhere.\n",
		 s->svc->name, s->cfg->map, s->cfg->paths, s->svc->name);
	if (unix_socket)
		buf_addf(s->out, "  stats socket %s mode 600 level admin\n", s->cfg->socket);
	else
		buf_addf(s->out, "  stats socket %s level admin   # a unix socket is safer: anyone on this machine can open a port\n", s->cfg->socket);
	buf_adds(s->out,
		 "\ndefaults\n"
		 "  mode http\n"
		 "  timeout connect 1s\n"
		 "  timeout client 30s\n"
		 "  timeout server 30s\n\n");
}

static void bind_lines(struct snip *s, const char *bind)
{
	const struct target *front = &s->svc->front_target;
	bool tls = text_starts(s->svc->front, "https:");

	if (bind)
		buf_addf(s->out, "  bind %s\n", bind);
	else if (tls)
		buf_addf(s->out, "  bind :80\n  # The certificate is yours:\n  # bind :%u ssl crt /etc/haproxy/site.pem\n", front->port ? front->port : 443u);
	else
		buf_addf(s->out, "  bind :%u\n", front->port ? front->port : 80u);
}

static void frontend_part(struct snip *s, const char *bind)
{
	const char *name = s->svc->name, *v = s->var;
	const char *blue = s->cfg->backend[BLUE], *green = s->cfg->backend[GREEN];
	size_t lb = strlen(blue), lg = strlen(green);
	bool by_slot = lb > 4 && lg > 5 && strcmp(blue + lb - 4, "blue") == 0 && strcmp(green + lg - 5, "green") == 0 &&
		       lb - 4 == lg - 5 && memcmp(blue, green, lb - 4) == 0;

	buf_addf(s->out,
		 "# A second service in the same frontend: its http-request lines and its set-header line go beside these, above\n"
		 "# every use_backend (its variables have its own name); del-header stays the last; every use_backend line of both gets\n"
		 "# a condition such as { req.hdr(host) -i shop.example.com }, and one default_backend remains.\n"
		 "frontend %s\n", name);
	bind_lines(s, bind);
	buf_addf(s->out,
		 "  # \"<slot>:<gen>.<epoch>:<plain|shield>\": slot, version and shield change in one write.\n"
		 "  http-request set-var(txn.sw_%s) str(%s),map(%s)\n"
		 "  # Probes are told who answered, and by which version.  May be narrowed, e.g. by { src 10.0.0.0/8 }.\n"
		 "  http-request set-var(txn.probe_%s) int(1) if { req.hdr(X-Switchd-Probe) -m beg %s/ }\n"
		 "  http-after-response set-header X-Switchd %%[res.hdr(X-Switchd-By)]/%%[var(txn.sw_%s)] if { var(txn.probe_%s) -m found }\n"
		 "  http-after-response del-header X-Switchd-By\n",
		 v, name, s->cfg->map, v, name, v, v);
	buf_addf(s->out,
		 "  use_backend %s if { var(txn.sw_%s),field(3,:) -m str shield } { method GET HEAD } !{ var(txn.probe_%s) -m found } "
		 "{ path,map_str(%s) -m found }\n", s->cfg->shield_backend, v, v, s->cfg->paths);
	if (by_slot)
		buf_addf(s->out, "  use_backend %.*s%%[var(txn.sw_%s),field(1,:)]\n", (int)(lb - 4), blue, v);
	else
		buf_addf(s->out, "  use_backend %s if { var(txn.sw_%s),field(1,:) -m str green }\n", green, v);
	buf_addf(s->out, "  default_backend %s   # an unknown or missing value: one slot, never a mixture\n\n", blue);
}

/* TLS towards the slot: the public name is asked for, whatever the address. */
static void server_tls(struct snip *s, const struct slot_config *slot)
{
	const struct tls_config *t = &slot->tls;
	const char *host = s->svc->front_target.host;
	struct in6_addr any;

	buf_adds(s->out, " ssl");
	if (!t->verify)
		buf_adds(s->out, " verify none");
	else if (!t->ca_file[0])
		buf_adds(s->out, " verify required ca-file @system-ca");
	else if (word(s, t->ca_file, "_./+-"))
		buf_addf(s->out, " verify required ca-file %s", t->ca_file);
	/* HAProxy looks for the key in the same file, or in FILE.key. */
	if (t->cert_file[0] && word(s, t->cert_file, "_./+-"))
		buf_addf(s->out, " crt %s", t->cert_file);
	/* An address has no name to be asked for (RFC 6066). */
	if (host && host[0] && inet_pton(AF_INET, host, &any) != 1 && inet_pton(AF_INET6, host, &any) != 1 && word(s, host, "_.-"))
		buf_addf(s->out, " sni str(%s) check-sni %s", host, host);
}

static void server_line(struct snip *s, enum slot slot, size_t i)
{
	const struct target *t = &s->svc->slot[slot].targets[i];
	struct in6_addr any;
	bool v6 = inet_pton(AF_INET6, t->host, &any) == 1;
	bool literal = v6 || inet_pton(AF_INET, t->host, &any) == 1;

	bool socket = t->unix_path && t->unix_path[0];

	if (!word(s, socket ? t->unix_path : t->host, socket ? "_./+-" : "_.:-"))
		return;
	if (socket)
		buf_addf(s->out, "  server %c%zu unix@%s check inter 500ms rise 1", slot == BLUE ? 'b' : 'g', i + 1, t->unix_path);
	else
		buf_addf(s->out, "  server %c%zu %s%s%s:%u check inter 500ms rise 1", slot == BLUE ? 'b' : 'g', i + 1, v6 ? "[" : "", t->host,
			 v6 ? "]" : "", t->port);
	if (s->svc->slot[slot].proxy_protocol) /* its checks then begin with one too */
		buf_adds(s->out, " send-proxy");
	if (!literal && !socket) /* a name that does not resolve yet must not keep HAProxy from starting */
		buf_adds(s->out, " init-addr last,libc,none");
	if (t->tls)
		server_tls(s, &s->svc->slot[slot]);
	buf_adds(s->out, "\n");
}

/* As many servers as a slot may have targets; those that the name does not fill stay away. */
static void template_line(struct snip *s, enum slot slot)
{
	const struct slot_config *c = &s->svc->slot[slot];

	if (!word(s, c->source.host, "_.-"))
		return;
	buf_addf(s->out, "  server-template %c %d %s:%u check inter 500ms rise 1 resolvers %s-dns init-addr none", slot == BLUE ? 'b' : 'g', MAX_TARGETS,
		 c->source.host, c->source.port, s->svc->name);
	if (c->proxy_protocol)
		buf_adds(s->out, " send-proxy");
	if (strcmp(c->source.scheme, "https") == 0 || (!c->source.scheme[0] && c->source.port == 443 && s->svc->front_target.tls))
		server_tls(s, c);
	buf_adds(s->out, "\n");
}

static void slot_part(struct snip *s, enum slot slot)
{
	buf_addf(s->out,
		 "backend %s\n"
		 "  # A request that a server refuses goes to the slot's next one at once; the default holds it for seconds.\n"
		 "  retries 1\n"
		 "  option redispatch 1\n"
		 "  http-response set-header X-Switchd-By %s\n", s->cfg->backend[slot], slot_name(slot));
	const struct target_source *source = &s->svc->slot[slot].source;

	if (source->kind == SOURCE_FILE && word(s, source->path, "_./+- "))
		buf_addf(s->out,
			 "  # The addresses of this slot stand in %s; HAProxy does not read it.  Below is what was in it when this was\n"
			 "  # printed: whoever changes the file changes these lines too, before the slot is deployed.\n", source->path);
	if (source->kind == SOURCE_DNS)
		template_line(s, slot);
	for (size_t i = 0; source->kind != SOURCE_DNS && i < s->svc->slot[slot].n_targets; i++)
		server_line(s, slot, i);
	buf_adds(s->out, "\n");
}

/* Who answers for the names of slots that change. */
static void resolvers_part(struct snip *s)
{
	if (s->svc->slot[BLUE].source.kind != SOURCE_DNS && s->svc->slot[GREEN].source.kind != SOURCE_DNS)
		return;
	buf_addf(s->out,
		 "# HAProxy follows these names all the time; switchd reads them at claim and deploy: let them change only in between.\n"
		 "resolvers %s-dns\n"
		 "  parse-resolv-conf\n"
		 "  accepted_payload_size 8192\n\n", s->svc->name);
}

static void shield_part(struct snip *s)
{
	buf_addf(s->out,
		 "# Only while the shield is up: a GET or HEAD on a path of %s\n"
		 "# that the active slot fails is asked again of the other one.\n"
		 "backend %s\n"
		 "  balance first\n"
		 "  retries 1\n"
		 "  option redispatch 1\n"
		 "  retry-on 404 500 502 503 504 conn-failure empty-response\n",
		 s->cfg->paths, s->cfg->shield_backend);
	for (int i = 0; i < 2; i++)
		buf_addf(s->out, "  use-server %s if { var(txn.sw_%s),field(1,:) -m str %s }\n", slot_name(i), s->var, slot_name(i));
	for (int i = 0; i < 2; i++)
		buf_addf(s->out, "  server %s abns@%s send-proxy-v2\n", slot_name(i), s->in[i]);
	for (int i = 0; i < 2; i++)
		buf_addf(s->out,
			 "\nlisten %s-in\n"
			 "  bind abns@%s accept-proxy\n"
			 "  use_backend %s\n", s->cfg->backend[i], s->in[i], s->cfg->backend[i]);
}

bool hap_snippet(const struct service_config *svc, const struct proxy_config *cfg, const char *bind, struct buf *out)
{
	struct snip s = { .svc = svc, .cfg = cfg, .out = out };
	char why[256];

	if (!hap_names_ok(svc, cfg, why, sizeof(why)) || (bind && !hap_word_ok(bind, " _./:*@[]+-", 500)))
		return false;
	variable_name(svc->name, s.var, sizeof(s.var));
	for (int i = 0; i < 2; i++)
		/* 63 bytes of name at most: the whole fits into sun_path with room. */
		(void)TEXT_FORMAT(s.in[i], "%s-%s-%08" PRIx32, svc->name, slot_name(i), mark_of(cfg));
	global_part(&s);
	frontend_part(&s, bind);
	resolvers_part(&s);
	slot_part(&s, BLUE);
	slot_part(&s, GREEN);
	shield_part(&s);
	return !s.failed && !out->full;
}
