/* SPDX-License-Identifier: MIT
 * import_haproxy.c - reads a haproxy.cfg line by line; every line becomes something, and says what. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/import.h"

enum section { IN_NONE, IN_GLOBAL, IN_DEFAULTS, IN_FRONT, IN_BACK, IN_LISTEN, IN_OTHER };

struct reading {
	struct hap *h;
	enum section in;
	int line;
	const char *text;               /* of the line, trimmed */
	const char *words[IMPORT_MAX_WORDS]; size_t n;
	struct hap_front *front;
	struct hap_backend *back;
	size_t front_room, back_room;
};

static void became(struct reading *r, enum import_line what)
{
	if (r->h->became[r->line - 1] != LINE_TODO)
		r->h->became[r->line - 1] = what;
}

void hap_todo(struct hap *h, int line, const char *text, const char *why)
{
	if (h->n_todos == h->todo_room) {
		struct hap_todo *more = arena_alloc(h->arena, (2 * h->todo_room + 16) * sizeof(*more));

		if (h->n_todos)
			memcpy(more, h->todos, h->n_todos * sizeof(*more));
		h->todos = more;
		h->todo_room = 2 * h->todo_room + 16;
	}
	h->todos[h->n_todos++] = (struct hap_todo){ line, arena_str(h->arena, text), arena_str(h->arena, why) };
	if (line > 0)
		h->became[line - 1] = LINE_TODO;
}

static void todo(struct reading *r, const char *why) { hap_todo(r->h, r->line, r->text, why); }

/* ---- words ---- */

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/* One character after a backslash, as HAProxy takes it. */
static const char *escaped(const char *p, char *out)
{
	switch (*p) {
	case 'n': *out = '\n'; return p + 1;
	case 'r': *out = '\r'; return p + 1;
	case 't': *out = '\t'; return p + 1;
	case 'x':
		if (hex(p[1]) >= 0 && hex(p[2]) >= 0 && (p[1] != '0' || p[2] != '0')) {
			*out = (char)(hex(p[1]) * 16 + hex(p[2]));
			return p + 3;
		}
		break;
	default: break;
	}
	*out = *p;
	return p + 1;
}

/* Splits a line into its words; what is behind # is not read. */
static void split(struct reading *r, const char *p)
{
	struct arena *a = r->h->arena;
	char quote = 0, *word, *w;

	r->n = 0;
	while (*p && r->n < IMPORT_MAX_WORDS) {
		while (*p == ' ' || *p == '\t')
			p++;
		if (!*p || *p == '#')
			return;
		word = w = arena_alloc(a, strlen(p) + 1);
		for (; *p && (quote || (*p != ' ' && *p != '\t' && *p != '#'));) {
			if (quote != '\'' && *p == '\\' && p[1]) {
				p = escaped(p + 1, w++);
			} else if (quote ? *p == quote : *p == '"' || *p == '\'') {
				quote = quote ? 0 : *p;
				p++;
			} else {
				*w++ = *p++;
			}
		}
		*w = '\0';
		r->words[r->n++] = word;
	}
}

static bool is(const struct reading *r, size_t i, const char *word) { return i < r->n && strcmp(r->words[i], word) == 0; }
static const char *word(const struct reading *r, size_t i) { return i < r->n ? r->words[i] : ""; }

static bool one_of(const char *w, const char *list)
{
	size_t n = strlen(w);

	for (const char *p = list; *p;) {
		size_t len = strcspn(p, " ");

		if (len == n && strncmp(p, w, n) == 0)
			return true;
		p += len + (p[len] == ' ');
	}
	return false;
}

/* ---- servers ---- */

/* "10.0.0.1:80", "2001:db8::1:80", "ipv4@name:80" -> what a target is; NULL: it is none. */
static const char *target_text(struct arena *a, const char *w)
{
	char why[200];
	struct address parsed;

	if (text_starts(w, "ipv4@") || text_starts(w, "ipv6@"))
		w += 5;
	const char *colon = strrchr(w, ':'), *made;

	if (!colon || !colon[1] || strchr(w, '@') || strchr(w, '/') || colon == w)
		return NULL;
	bool bare6 = memchr(w, ':', (size_t)(colon - w)) && w[0] != '[';

	made = arena_format(a, bare6 ? "[%.*s]%s" : "%.*s%s", (int)(colon - w), w, colon);
	return address_parse(made, &parsed, why, sizeof(why)) && !parsed.rest[0] && !parsed.scheme[0] ? made : NULL;
}

static void read_server(struct reading *r)
{
	static const char valued[] = "check-sni cookie crt fall fastinter id init-addr inter downinter maxconn maxqueue minconn namelookup observe on-error "
				     "on-marked-down on-marked-up pool-max-conn pool-purge-delay resolve-opts resolve-prefer resolvers rise slowstart sni "
				     "source track weight ciphers ciphersuites alpn proto npn ssl-min-ver ssl-max-ver verifyhost error-limit tls-tickets log-proto";
	struct hap_backend *b = r->back;
	struct hap_server s = { .name = word(r, 1), .line = r->line, .ca_file = "" };

	s.address = r->n > 2 ? target_text(r->h->arena, r->words[2]) : NULL;
	if (!s.address) {
		todo(r, "not an address with a port that a probe could connect to: write the target yourself");
		return;
	}
	for (size_t i = 3; i < r->n; i++) {
		const char *w = r->words[i];

		if (strcmp(w, "ssl") == 0) {
			s.tls = true;
		} else if (strcmp(w, "backup") == 0) {
			s.backup = true;
		} else if (strcmp(w, "verify") == 0) {
			s.no_verify = is(r, ++i, "none");
		} else if (strcmp(w, "ca-file") == 0) {
			s.ca_file = word(r, ++i);
		} else if (one_of(w, "disabled agent-check agent-port agent-addr send-proxy send-proxy-v2 addr port check-send-proxy check-via-socks4 socks4")) {
			todo(r, "the target is carried over; this word of it is not: probes go to the address as it stands");
			i += one_of(w, "agent-port agent-addr addr port socks4");
		} else if (one_of(w, valued)) {
			if (strcmp(w, "weight") == 0 && is(r, i + 1, "0"))
				todo(r, "weight 0: the target is carried over and probed all the same");
			i++;
		}
	}
	if (b->n_servers == b->room) {
		struct hap_server *more = arena_alloc(r->h->arena, (2 * b->room + 8) * sizeof(*more));

		if (b->n_servers)
			memcpy(more, b->servers, b->n_servers * sizeof(*more));
		b->servers = more;
		b->room = 2 * b->room + 8;
	}
	b->servers[b->n_servers++] = s;
	became(r, LINE_CARRIED);
}

/* ---- checks ---- */

static void add_expect(struct reading *r, const char *line)
{
	struct hap_check *c = &r->back->check;

	if (!c->expect)
		c->expect = arena_alloc(r->h->arena, 16 * sizeof(*c->expect));
	if (c->n_expect == 16) {
		todo(r, "more than 16 expectations");
		return;
	}
	c->expect[c->n_expect++] = arena_str(r->h->arena, line);
	became(r, LINE_CARRIED);
}

static bool status_ok(const char *s) { return strlen(s) == 3 && strspn(s, "0123456789") == 3 && s[0] >= '1' && s[0] <= '5'; }

static void expect_status(struct reading *r, const char *value, const char *no)
{
	char line[64], from[8], to[8];

	if (status_ok(value)) {
		TEXT_FORMAT(line, "%sstatus == %s", no, value);
		add_expect(r, line);
	} else if (strlen(value) == 7 && value[3] == '-' && text_copy_n(from, sizeof(from), value, 3) && text_copy(to, sizeof(to), value + 4) &&
		   status_ok(from) && status_ok(to) && !no[0]) {
		TEXT_FORMAT(line, "status >= %s", from);
		add_expect(r, line);
		TEXT_FORMAT(line, "status <= %s", to);
		add_expect(r, line);
	} else {
		todo(r, "statuses as a list: write an assertion for each, or one that covers them");
	}
}

static void expect_string(struct reading *r, const char *value, const char *no)
{
	json_t *j = json_string(value);
	char *text = j ? json_dumps(j, JSON_ENCODE_ANY) : NULL;

	if (text && value[0] && strlen(text) < 3000 && !strpbrk(value, "\r\n"))
		add_expect(r, arena_format(r->h->arena, "%sbody contains %s", no, text));
	else
		todo(r, "this text cannot be written as an assertion");
	free(text);
	json_decref(j);
}

static void read_expect(struct reading *r)
{
	size_t i = 2;
	const char *no = "";

	while (one_of(word(r, i), "min-recv comment ok-status error-status tout-status on-success on-error status-code"))
		i += 2;
	if (is(r, i, "!")) {
		no = "not ";
		i++;
	}
	if (is(r, i, "status") && i + 1 < r->n)
		expect_status(r, r->words[i + 1], no);
	else if (is(r, i, "string") && i + 1 < r->n)
		expect_string(r, r->words[i + 1], no);
	else if (is(r, i, "rstring"))
		todo(r, "a pattern: `body matches /.../` takes PCRE; try it with `switchctl probe`");
	else if (is(r, i, "rstatus"))
		todo(r, "a pattern of statuses: `status 2xx`, or comparisons");
	else
		todo(r, "an expectation of a kind that is not known here");
}

static void set_path(struct reading *r, const char *method, const char *path)
{
	struct hap_check *c = &r->back->check;

	c->line = c->line ? c->line : r->line;
	if (method[0] && !one_of(method, "GET HEAD"))
		todo(r, "only GET and HEAD are carried over: another method needs writes: true and a person's word");
	else if (method[0])
		c->method = method;
	if (path[0] == '/' && strlen(path) <= 1024 && !path[strcspn(path, " \t\r\n#\"<>\\^`{|}\177")])
		c->path = path;
	else if (path[0])
		todo(r, "not a path that a probe could ask for");
	became(r, LINE_CARRIED);
}

/* option httpchk [METHOD] URI [VERSION\r\nHost:\ name] */
static void read_httpchk(struct reading *r)
{
	const char *host = r->n > 4 ? strstr(r->words[4], "Host:") : NULL;

	r->back->check.line = r->line;
	if (r->n == 3)
		set_path(r, "", r->words[2]);
	else if (r->n > 3)
		set_path(r, r->words[2], r->words[3]);
	if (host)
		r->back->check.host = arena_strn(r->h->arena, host + 5 + strspn(host + 5, " "), strcspn(host + 5 + strspn(host + 5, " "), " \r\n"));
	became(r, LINE_CARRIED);
}

static void read_http_check(struct reading *r)
{
	const char *method = "", *path = "";

	if (is(r, 1, "expect")) {
		read_expect(r);
		return;
	}
	if (!is(r, 1, "send")) {
		todo(r, "a check in several steps: a probe asks once; write `steps:` for it");
		return;
	}
	for (size_t i = 2; i < r->n; i++) {
		if (is(r, i, "meth"))
			method = word(r, ++i);
		else if (is(r, i, "uri"))
			path = word(r, ++i);
		else if (is(r, i, "ver"))
			i++;
		else if (is(r, i, "hdr") && i + 2 < r->n && strcasecmp(r->words[i + 1], "Host") == 0) {
			r->back->check.host = r->words[i + 2];
			i += 2;
		} else {
			todo(r, "a header or body of the check: add `headers:` or `body:` to the feature");
			break;
		}
	}
	set_path(r, method, path);
}

/* ---- sections ---- */

static const char *first_path(const char *w) { return text_starts(w, "unix@") ? w + 5 : text_starts(w, "ipv4@") ? w + 5 : w; }

static void read_global(struct reading *r)
{
	bool admin = false;

	if (!is(r, 0, "stats") || !is(r, 1, "socket") || r->n < 3) {
		became(r, LINE_STAYS);
		return;
	}
	for (size_t i = 3; i + 1 < r->n; i++)
		admin = admin || (is(r, i, "level") && is(r, i + 1, "admin"));
	if (!r->h->stats_socket || !r->h->stats_socket[0]) {
		r->h->stats_socket = first_path(r->words[2]);
		r->h->stats_line = r->line;
		became(r, LINE_CARRIED);
		if (!admin)
			todo(r, "switchd writes to the map through it: it needs `level admin`");
		return;
	}
	became(r, LINE_STAYS);
}

static void read_bind(struct reading *r)
{
	struct hap_front *f = r->front;

	bool tls = false;

	for (size_t i = 2; i < r->n; i++)
		tls = tls || is(r, i, "ssl");
	/* The one that users end at: what is without TLS beside it redirects to it. */
	if (f->bind && (f->tls || !tls)) {
		became(r, LINE_STAYS);
		return;
	}
	if (f->bind && r->h->became[f->bind_line - 1] == LINE_CARRIED)
		r->h->became[f->bind_line - 1] = LINE_STAYS;
	f->bind = word(r, 1);
	f->bind_line = r->line;
	f->tls = tls;
	became(r, LINE_CARRIED);
}

static void read_front(struct reading *r)
{
	struct hap_front *f = r->front;

	if (is(r, 0, "bind")) {
		read_bind(r);
	} else if (is(r, 0, "default_backend") && r->n > 1) {
		f->fallback = r->words[1];
		f->fallback_line = r->line;
		became(r, LINE_CARRIED);
	} else if (is(r, 0, "use_backend") && r->n > 1) {
		if (f->n_uses == ARRAY_LEN(f->uses)) {
			todo(r, "too many use_backend lines in one frontend");
			return;
		}
		f->uses[f->n_uses] = r->words[1];
		f->use_line[f->n_uses++] = r->line;
		became(r, LINE_STAYS); /* until it is known whether the map takes its place */
	} else if (is(r, 0, "acl") && r->n > 3 && one_of(r->words[2], "hdr(host) req.hdr(host) hdr(Host) req.hdr(Host)") && !f->host) {
		size_t i = 3;

		while (i + 1 < r->n && r->words[i][0] == '-')
			i++;
		f->host = r->words[i];
		f->host_line = r->line;
		became(r, LINE_CARRIED);
	} else {
		became(r, LINE_UNREAD);
	}
}

static void read_back(struct reading *r)
{
	if (is(r, 0, "server"))
		read_server(r);
	else if (is(r, 0, "option") && is(r, 1, "httpchk"))
		read_httpchk(r);
	else if (is(r, 0, "http-check") && !one_of(word(r, 1), "disable-on-404 send-state comment"))
		read_http_check(r);
	else
		became(r, LINE_UNREAD);
}

/* What neither side took: HAProxy's own business, or something that a person must know of. */
static void read_rest(struct reading *r)
{
	static const char stays[] =
		"acl backlog balance bind bind-process capture clitcpka-cnt clitcpka-idle clitcpka-intvl compression declare description disabled email-alert enabled "
		"errorfile errorfiles errorloc errorloc302 errorloc303 filter force-persist fullconn grace guid hash-balance-factor hash-type http-after-response http-check "
		"http-error http-request http-response http-reuse http-send-name-header id ignore-persist load-server-state-from-file log log-format "
		"log-format-sd log-steps log-tag max-keep-alive-queue max-session-srv-conns maxconn mode monitor monitor-net monitor-uri option persist rate-limit "
		"redirect retries retry-on server-state-file-name srvtcpka-cnt srvtcpka-idle srvtcpka-intvl stats tcp-request tcp-response timeout "
		"transparent unique-id-format unique-id-header use-fcgi-app crt http-client quic-initial";
	const char *w = r->words[0];

	if (strcmp(w, "mode") == 0 && is(r, 1, "tcp"))
		todo(r, "switchd moves HTTP; the shield and the stamp need `mode http`");
	else if (one_of(w, "cookie stick stick-table appsession"))
		todo(r, "stickiness: after a flip nobody may stay with a server of the slot that was left");
	else if (strcmp(w, "server-template") == 0)
		todo(r, "a slot whose addresses are those of a name: targets: dns:NAME:PORT");
	else if (one_of(w, "use-server dispatch"))
		todo(r, "targets are a list of addresses: name them");
	else if (strcmp(w, "disabled") == 0)
		todo(r, "the section is disabled in HAProxy; here it is carried over as if it were not");
	else if (strcmp(w, "default-server") == 0 && r->n > 1 && strstr(r->text, "ssl"))
		todo(r, "TLS by default-server: write the targets as https://");
	else if (strcmp(w, "option") == 0 && (strstr(word(r, 1), "-check") || strstr(word(r, 1), "chk")))
		todo(r, "a check of this kind has no counterpart here: a probe of kind tcp, or exec, may stand in for it");
	else if (one_of(w, "tcp-check external-check"))
		todo(r, "a check of this kind has no counterpart here: a probe of kind tcp, or exec, may stand in for it");
	else if (strcmp(w, "option") == 0 && is(r, 1, "httpchk"))
		todo(r, "a check in defaults: name it in the backend that it is for");
	else if (one_of(w, stays) || strcmp(w, "default-server") == 0)
		became(r, LINE_STAYS);
	else
		todo(r, "not known to this importer");
}

static struct hap_front *new_front(struct reading *r)
{
	struct hap *h = r->h;

	if (h->n_fronts == IMPORT_MAX_BACKENDS)
		return NULL;
	struct hap_front *f = &h->fronts[h->n_fronts++];

	*f = (struct hap_front){ .name = word(r, 1), .line = r->line };
	return f;
}

static struct hap_backend *new_back(struct reading *r)
{
	struct hap *h = r->h;

	if (h->n_backends == IMPORT_MAX_BACKENDS)
		return NULL;
	struct hap_backend *b = &h->backends[h->n_backends++];

	*b = (struct hap_backend){ .name = word(r, 1), .line = r->line, .listens = r->in == IN_LISTEN };
	return b;
}

/* True: the line begins a section. */
static bool read_section(struct reading *r)
{
	static const struct { const char *word; enum section in; } sections[] = {
		{ "global", IN_GLOBAL }, { "defaults", IN_DEFAULTS }, { "frontend", IN_FRONT }, { "backend", IN_BACK }, { "listen", IN_LISTEN },
		{ "userlist", IN_OTHER }, { "peers", IN_OTHER }, { "resolvers", IN_OTHER }, { "cache", IN_OTHER }, { "mailers", IN_OTHER },
		{ "http-errors", IN_OTHER }, { "ring", IN_OTHER }, { "program", IN_OTHER }, { "fcgi-app", IN_OTHER }, { "log-forward", IN_OTHER },
		{ "log-profile", IN_OTHER }, { "traces", IN_OTHER }, { "crt-store", IN_OTHER }, { "acme", IN_OTHER },
	};

	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		if (!is(r, 0, sections[i].word))
			continue;
		r->in = sections[i].in;
		r->front = NULL;
		r->back = NULL;
		bool named = r->in != IN_FRONT && r->in != IN_BACK && r->in != IN_LISTEN;

		if (!named && r->n < 2) {
			todo(r, "a section without a name");
			r->in = IN_OTHER;
			return true;
		}
		if (r->in == IN_FRONT || r->in == IN_LISTEN)
			r->front = new_front(r);
		if (r->in == IN_BACK || r->in == IN_LISTEN)
			r->back = new_back(r);
		if (!named && !r->front && !r->back) {
			todo(r, "more sections than this importer has room for: what is in it is left out");
			r->in = IN_OTHER;
			return true;
		}
		became(r, named ? LINE_STAYS : LINE_CARRIED);
		return true;
	}
	return false;
}

static void read_line(struct reading *r)
{
	if (r->n == 0) {
		became(r, LINE_BLANK);
		return;
	}
	if (read_section(r))
		return;
	switch (r->in) {
	case IN_NONE: todo(r, "outside of every section"); return;
	case IN_GLOBAL: read_global(r); return;
	case IN_OTHER: became(r, LINE_STAYS); return;
	default: break;
	}
	if (strstr(r->text, "${") || strstr(r->text, "\"$")) {
		todo(r, "a variable of HAProxy's environment: write what it stands for");
		return;
	}
	r->h->became[r->line - 1] = LINE_UNREAD;
	if (r->front)
		read_front(r);
	if (r->back && r->h->became[r->line - 1] == LINE_UNREAD)
		read_back(r);
	if (r->h->became[r->line - 1] == LINE_UNREAD)
		read_rest(r);
}

bool hap_read(struct hap *h, struct arena *arena, const char *file, const char *text, size_t len, char *why, size_t why_size)
{
	struct reading r = { .h = h };
	size_t lines = 0;

	*h = (struct hap){ .arena = arena, .file = file, .stats_socket = "" };
	if (len > IMPORT_MAX_TEXT) {
		text_format(why, why_size, "%s: larger than 1 MiB", file);
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		lines += text[i] == '\n';
		if (!text[i]) {
			text_format(why, why_size, "%s:%zu: a NUL byte: not a text", file, lines + 1);
			return false;
		}
	}
	lines += len && text[len - 1] != '\n';
	if (lines > IMPORT_MAX_LINES) {
		text_format(why, why_size, "%s: %zu lines; %d are the most", file, lines, IMPORT_MAX_LINES);
		return false;
	}
	h->n_lines = lines;
	h->became = arena_alloc(arena, (lines + 1) * sizeof(*h->became));
	h->backends = arena_alloc(arena, IMPORT_MAX_BACKENDS * sizeof(*h->backends));
	h->fronts = arena_alloc(arena, IMPORT_MAX_BACKENDS * sizeof(*h->fronts));
	for (const char *p = text, *end = text + len; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;

		r.line++;
		while (p < stop && (*p == ' ' || *p == '\t'))
			p++;
		const char *last = stop;

		while (last > p && (last[-1] == ' ' || last[-1] == '\t' || last[-1] == '\r'))
			last--;
		r.text = arena_strn(arena, p, (size_t)(last - p));
		split(&r, r.text);
		read_line(&r);
		p = stop + 1;
	}
	return true;
}
