/* SPDX-License-Identifier: MIT
 * import_haproxy_write.c - a configuration of what was read: which two backends are one service, and what is left to say. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/import.h"
#include "switchd/core/config/settings.h"

/* One service to be written. */
struct made {
	name_text name;
	const struct hap_backend *side[2];      /* [BLUE], [GREEN]; the same one where its servers are shared out; NULL = placeholder */
	bool by_server;                 /* one backend, told apart by its servers */
	const char *guess;              /* how it was told; NULL = by the words blue and green */
};

struct writing { struct hap *h; struct buf *out; struct made list[IMPORT_MAX_BACKENDS]; size_t n; unsigned placeholder; };

static bool fits(const char *setting, unsigned at, const char *text)
{
	struct value v;
	char why[300];

	return setting_parse(setting_find(setting, at), text, &v, why, sizeof(why));
}

/* ---- which two are one ---- */

/* The name without the word; false: it is not in it. */
static bool without(const char *name, const char *word, char *out, size_t size)
{
	const char *at = strcasestr(name, word);
	size_t n = strlen(word);

	return at && text_format(out, size, "%.*s%s", (int)(at - name), name, at + n);
}

static const struct { const char *blue, *green, *said; } pairs[] = {
	{ "blue", "green", NULL }, { "-a", "-b", "by the endings -a and -b" }, { "_a", "_b", "by the endings _a and _b" },
	{ "-1", "-2", "by the endings -1 and -2" }, { "_1", "_2", "by the endings _1 and _2" }, { "old", "new", "by the words old and new" },
	{ "live", "idle", "by the words live and idle" },
};

static bool pair_up(const struct hap_backend *a, const struct hap_backend *b, struct made *m, char *key, size_t size)
{
	char other[256];

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const char *blue = pairs[i].blue, *green = pairs[i].green;
		bool ending = blue[0] == '-' || blue[0] == '_';
		size_t na = strlen(a->name), nb = strlen(b->name);

		if (ending && !(na > 2 && nb > 2 && strcmp(a->name + na - 2, blue) == 0 && strcmp(b->name + nb - 2, green) == 0 && na == nb &&
				strncmp(a->name, b->name, na - 2) == 0))
			continue;
		if (!ending && !(without(a->name, blue, key, size) && without(b->name, green, other, sizeof(other)) && strcasecmp(key, other) == 0))
			continue;
		if (ending)
			text_copy_n(key, size, a->name, na - 2);
		*m = (struct made){ .side = { a, b }, .guess = pairs[i].said };
		return true;
	}
	return false;
}

/* Letters, digits, _ . - ; what is at the ends and separates goes. */
static void name_service(struct writing *w, struct made *m, const char *from)
{
	size_t n = 0;

	for (const char *p = from; *p && n < NAME_MAX_LEN - 5; p++) {
		bool word = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');

		if (word || (n && strchr("_.-", *p)))
			m->name[n++] = *p;
	}
	while (n && strchr("_.-", m->name[n - 1]))
		n--;
	m->name[n] = '\0';
	if (!n)
		TEXT_COPY(m->name, "shop");
	name_text base;

	TEXT_COPY(base, m->name);
	for (int number = 2;; number++) {
		bool taken = false;

		for (size_t i = 0; i < w->n; i++)
			taken = taken || strcmp(w->list[i].name, m->name) == 0;
		if (!taken)
			return;
		TEXT_FORMAT(m->name, "%.*s-%d", NAME_MAX_LEN - 6, base, number);
	}
}

/* Of one backend alone: slot by a server's name, else by its being a backup. */
static enum slot slot_of(const struct hap_server *s) { return strcasestr(s->name, "green") ? GREEN : strcasestr(s->name, "blue") ? BLUE : NO_SLOT; }

static void alone(struct writing *w, const struct hap_backend *b)
{
	struct made m = { .side = { b, NULL }, .guess = NULL };
	bool named[2] = { false }, backup = false, plain = false;

	for (size_t i = 0; i < b->n_servers; i++) {
		if (slot_of(&b->servers[i]) != NO_SLOT)
			named[slot_of(&b->servers[i])] = true;
		backup = backup || b->servers[i].backup;
		plain = plain || !b->servers[i].backup;
	}
	if ((named[BLUE] && named[GREEN]) || (backup && plain)) {
		m.side[GREEN] = b;
		m.by_server = true;
		m.guess = named[BLUE] && named[GREEN] ? NULL : "by its backup servers";
	}
	name_service(w, &m, b->name);
	w->list[w->n++] = m;
}

static void make_services(struct writing *w)
{
	struct hap *h = w->h;
	bool done[IMPORT_MAX_BACKENDS] = { false };
	char key[256];

	for (size_t i = 0; i < h->n_backends; i++)
		for (size_t k = 0; k < h->n_backends && !done[i]; k++) {
			struct made m;

			if (k == i || done[k] || !h->backends[i].n_servers || !h->backends[k].n_servers)
				continue;
			if (!pair_up(&h->backends[i], &h->backends[k], &m, key, sizeof(key)))
				continue;
			done[i] = done[k] = true;
			name_service(w, &m, key);
			w->list[w->n++] = m;
		}
	for (size_t i = 0; i < h->n_backends; i++) {
		if (done[i])
			continue;
		if (h->backends[i].n_servers)
			alone(w, &h->backends[i]);
		else
			hap_todo(h, h->backends[i].line, h->backends[i].name, "no server in it could be carried over: it becomes no service");
	}
}

/* ---- writing one ---- */

static bool mine(const struct made *m, const struct hap_backend *b, const struct hap_server *s, enum slot slot)
{
	if (m->side[slot] != b)
		return false;
	if (!m->by_server)
		return true;
	enum slot named = slot_of(s);

	return (m->guess ? (s->backup ? GREEN : BLUE) : named == NO_SLOT ? BLUE : named) == slot;
}

/* One address twice is an error in a configuration, and one that is in both slots would be compared with itself. */
static bool told_before(const struct made *m, const struct hap_server *s, enum slot slot, const struct hap_server **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(list[i]->address, s->address) == 0)
			return true;
	if (slot == BLUE || !m->side[BLUE])
		return false;
	for (size_t i = 0; i < m->side[BLUE]->n_servers; i++)
		if (mine(m, m->side[BLUE], &m->side[BLUE]->servers[i], BLUE) && strcasecmp(m->side[BLUE]->servers[i].address, s->address) == 0)
			return true;
	return false;
}

static void put_slot(struct writing *w, const struct made *m, enum slot slot)
{
	const struct hap_backend *b = m->side[slot];
	const struct hap_server *list[MAX_TARGETS];
	bool tls = false, no_verify = false;
	const char *ca = "";
	size_t n = 0;

	for (size_t i = 0; b && i < b->n_servers; i++) {
		const struct hap_server *s = &b->servers[i];

		if (!mine(m, b, s, slot))
			continue;
		if (n == MAX_TARGETS)
			hap_todo(w->h, s->line, s->name, "more targets than a slot may have");
		else if (told_before(m, s, slot, list, n))
			hap_todo(w->h, s->line, s->name, "this address is told already: a target is in one slot, once");
		else
			list[n++] = s;
	}
	for (size_t i = 0; i < n; i++) {
		tls = tls || list[i]->tls;
		no_verify = no_verify || (list[i]->tls && list[i]->no_verify);
		ca = list[i]->tls && fits("ca_file", AT_TLS, list[i]->ca_file) ? list[i]->ca_file : ca;
	}
	buf_addf(w->out, "      %s:\n        targets:\n", slot_name(slot));
	for (size_t i = 0; i < n; i++) {
		buf_adds(w->out, "          - ");
		yaml_text(w->out, list[i]->tls ? arena_format(w->h->arena, "https://%s", list[i]->address) : list[i]->address);
		buf_addf(w->out, "     # %s:%d ", w->h->file, list[i]->line);
		yaml_comment(w->out, list[i]->name);
		buf_adds(w->out, "\n");
	}
	if (!n) {
		w->placeholder++;
		buf_addf(w->out, "          - 192.0.2.%u:%u   # TODO the second copy's servers: nothing in %s names them\n", 1 + w->placeholder % 250,
			 80 + w->placeholder / 250, w->h->file);
	}
	if (!tls)
		return;
	if (no_verify)
		buf_adds(w->out, "        tls: { verify: false }\n");
	else if (ca[0]) {
		buf_adds(w->out, "        tls: { ca_file: ");
		yaml_text(w->out, ca);
		buf_adds(w->out, " }\n");
	}
}

static bool leads_to(const struct made *m, const char *backend)
{
	return (m->side[BLUE] && strcmp(m->side[BLUE]->name, backend) == 0) || (m->side[GREEN] && strcmp(m->side[GREEN]->name, backend) == 0);
}

/* The frontend whose traffic the service takes, and which slot it names now. */
static const struct hap_front *front_of(const struct writing *w, const struct made *m, const char **now)
{
	const struct hap *h = w->h;

	*now = NULL;
	for (size_t i = 0; i < h->n_fronts; i++) {
		const struct hap_front *f = &h->fronts[i];

		if (f->fallback && leads_to(m, f->fallback)) {
			*now = f->fallback;
			return f;
		}
		for (size_t k = 0; k < f->n_uses; k++)
			if (leads_to(m, f->uses[k])) {
				*now = f->uses[k];
				return f;
			}
		if (m->side[BLUE] && m->side[BLUE]->listens && f->line == m->side[BLUE]->line)
			return f;
	}
	return NULL;
}

static void put_front(struct writing *w, const struct hap_front *f)
{
	const char *bind = f && f->bind ? f->bind : "", *colon = strrchr(bind, ':');
	size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
	char url[400], host[260] = "127.0.0.1";
	bool known = f && f->host;

	if (!f || !digits || digits > 5) {
		buf_adds(w->out, "    # TODO front: the public address, such as https://shop.example.com; without it nothing is observed\n");
		if (f && f->bind_line)
			hap_todo(w->h, f->bind_line, bind, "no port that a front could be made of");
		return;
	}
	if (known)
		TEXT_COPY(host, f->host);
	else if (colon > bind && bind[0] != '*' && !memchr(bind, ':', (size_t)(colon - bind)) && strncmp(bind, "0.0.0.0", 7) != 0)
		text_copy_n(host, sizeof(host), bind, (size_t)(colon - bind));
	bool usual = digits == (f->tls ? 3 : 2) && strncmp(colon + 1, f->tls ? "443" : "80", digits) == 0;

	TEXT_FORMAT(url, "%s://%s%s%.*s", f->tls ? "https" : "http", host, usual ? "" : ":", usual ? 0 : (int)digits, colon + 1);
	if (!fits("front", AT_SERVICE, url)) {
		buf_adds(w->out, "    # TODO front: the public address, such as https://shop.example.com\n");
		hap_todo(w->h, f->bind_line, bind, "makes no front");
		return;
	}
	buf_adds(w->out, "    front: ");
	yaml_text(w->out, url);
	buf_addf(w->out, "   # %s:%d%s\n", w->h->file, f->bind_line, known ? "" : " TODO the name that users know it by");
}

static void put_proxy(struct writing *w, const struct made *m)
{
	const char *socket = w->h->stats_socket;
	bool named = m->side[BLUE] && fits("blue", AT_BACKENDS, m->side[BLUE]->name) && m->side[GREEN] && fits("green", AT_BACKENDS, m->side[GREEN]->name);

	buf_adds(w->out, "    proxies:\n      - type: haproxy\n");
	if (socket[0] && fits("socket", AT_PROXY, socket)) {
		buf_adds(w->out, "        socket: ");
		yaml_text(w->out, socket);
		buf_addf(w->out, "   # %s:%d\n", w->h->file, w->h->stats_line);
	} else {
		buf_addf(w->out, "        # TODO socket: %s has no `stats socket PATH level admin` that can be used; this is the usual one\n"
				 "        socket: /run/haproxy/admin.sock\n", w->h->file);
		if (socket[0])
			hap_todo(w->h, w->h->stats_line, socket, "not a path or host:port");
	}
	if (!named || m->by_server) {
		buf_addf(w->out, "        # TODO HAProxy needs a backend for each slot: `switchctl proxy snippet haproxy %s` prints them\n", m->name);
		return;
	}
	buf_adds(w->out, "        backends: { blue: ");
	yaml_text(w->out, m->side[BLUE]->name);
	buf_adds(w->out, ", green: ");
	yaml_text(w->out, m->side[GREEN]->name);
	buf_adds(w->out, " }\n");
}

static void put_features(struct writing *w, const struct made *m, const struct hap_front *f)
{
	const struct hap_check *c = m->side[BLUE]->check.line ? &m->side[BLUE]->check : m->side[GREEN] ? &m->side[GREEN]->check : NULL;
	const struct hap_check *other = m->side[GREEN] && m->side[GREEN] != m->side[BLUE] ? &m->side[GREEN]->check : NULL;

	buf_adds(w->out, "    # A status says that the application is up, not that it works: name what your users would miss\n"
			 "    # (`switchctl discover URL` finds a first list).\n    features:\n");
	if (!c || !c->line) {
		buf_adds(w->out, "      home: /\n");
		return;
	}
	const char *path = c->path ? c->path : "/";

	buf_addf(w->out, "      health:   # %s:%d\n        path: ", w->h->file, c->line);
	yaml_text(w->out, path);
	buf_adds(w->out, "\n");
	if (c->method && strcmp(c->method, "HEAD") == 0)
		buf_adds(w->out, "        method: HEAD\n");
	if (c->n_expect)
		buf_adds(w->out, "        expect:\n");
	for (size_t i = 0; i < c->n_expect; i++) {
		buf_adds(w->out, "          - ");
		yaml_text(w->out, c->expect[i]);
		buf_adds(w->out, "\n");
	}
	if (c->host && !(f && f->host && strcasecmp(f->host, c->host) == 0))
		hap_todo(w->h, c->line, c->host, "the check is sent for this host; probes carry the name of `front:`");
	if (!other || other == c || !other->line)
		return;
	bool same = strcmp(other->path ? other->path : "/", path) == 0 && other->n_expect == c->n_expect;

	for (size_t i = 0; same && i < c->n_expect; i++)
		same = strcmp(c->expect[i], other->expect[i]) == 0;
	if (!same)
		hap_todo(w->h, other->line, other->path ? other->path : "/", "the other slot is checked otherwise: a feature is asked of both alike");
}

/* The lines that the map takes the place of. */
static void replaced(struct writing *w, const struct made *m, const struct hap_front *f)
{
	if (f->fallback && leads_to(m, f->fallback))
		hap_todo(w->h, f->fallback_line, f->fallback, arena_format(w->h->arena, "the map decides now: put the lines of `switchctl proxy snippet haproxy %s` here", m->name));
	for (size_t k = 0; k < f->n_uses; k++)
		if (leads_to(m, f->uses[k]))
			hap_todo(w->h, f->use_line[k], f->uses[k], arena_format(w->h->arena, "the map decides now; keep its condition in the lines of `switchctl proxy snippet haproxy %s`", m->name));
}

static void put_service(struct writing *w, const struct made *m)
{
	const char *now;
	const struct hap_front *f = front_of(w, m, &now);

	buf_addf(w->out, "\n  %s:\n    # ", m->name);
	if (m->by_server)
		buf_addf(w->out, "one backend, %s:%d; its servers are told apart %s", w->h->file, m->side[BLUE]->line, m->guess ? m->guess : "by their names");
	else if (m->side[GREEN])
		buf_addf(w->out, "two backends, %s:%d and :%d%s%s", w->h->file, m->side[BLUE]->line, m->side[GREEN]->line, m->guess ? ": TODO a guess, " : "",
			 m->guess ? m->guess : "");
	else
		buf_addf(w->out, "one backend, %s:%d, and no second copy of it", w->h->file, m->side[BLUE]->line);
	buf_adds(w->out, "\n");
	put_front(w, f);
	if (now && m->side[GREEN] && !m->by_server)
		buf_addf(w->out, "    initial: %s\n", slot_name(strcmp(now, m->side[BLUE]->name) == 0 ? BLUE : GREEN));
	buf_adds(w->out, "    slots:\n");
	put_slot(w, m, BLUE);
	put_slot(w, m, GREEN);
	put_proxy(w, m);
	put_features(w, m, f);
	if (f)
		replaced(w, m, f);
}

/* ---- the whole ---- */

/* "1-9, 12, 15-20" */
static void put_ranges(const struct hap *h, enum import_line what, struct buf *out)
{
	bool any = false;

	for (size_t i = 0; i < h->n_lines; i++) {
		size_t to = i;

		if (h->became[i] != what)
			continue;
		while (to + 1 < h->n_lines && (h->became[to + 1] == what || (h->became[to + 1] == LINE_BLANK && to + 2 < h->n_lines && h->became[to + 2] == what)))
			to++;
		buf_addf(out, to > i ? "%s%zu-%zu" : "%s%zu", any ? ", " : "", i + 1, to + 1);
		any = true;
		i = to;
	}
	buf_adds(out, any ? "" : "none");
}

static int by_line(const void *a, const void *b)
{
	const struct hap_todo *x = a, *y = b;

	return x->line != y->line ? (x->line < y->line ? -1 : 1) : strcmp(x->why, y->why);
}

void hap_write(struct hap *h, struct buf *out, size_t counts[N_LINES])
{
	struct writing w = { .h = h, .out = out };

	make_services(&w);
	buf_adds(out, "# Made by `switchctl import haproxy ");
	yaml_comment(out, h->file);
	buf_adds(out, "`.  HAProxy's own configuration stays where it is; each TODO needs a person.\n"
		      "# It only watches until you say otherwise: `mode: observe` writes to no proxy.\nversion: 1\nmode: observe\n");
	if (!w.n)
		buf_adds(out, "# TODO no backend with servers was found: this service is made up\n");
	buf_adds(out, "services:");
	for (size_t i = 0; i < w.n; i++)
		put_service(&w, &w.list[i]);
	if (!w.n)
		buf_adds(out, "\n  shop:\n    slots: { blue: [192.0.2.1:80], green: [192.0.2.2:80] }\n    features: { home: / }\n");
	for (int i = 0; i < N_LINES; i++)
		counts[i] = 0;
	for (size_t i = 0; i < h->n_lines; i++)
		counts[h->became[i]]++;
	buf_adds(out, "\n");
	if (h->n_todos)
		qsort(h->todos, h->n_todos, sizeof(*h->todos), by_line);
	for (size_t i = 0; i < h->n_todos; i++) {
		buf_adds(out, "# TODO ");
		yaml_comment(out, h->file);
		buf_addf(out, ":%d: ", h->todos[i].line);
		yaml_comment(out, h->todos[i].text);
		buf_addf(out, ": %s\n", h->todos[i].why);
	}
	buf_adds(out, "# Stays with HAProxy as it is: lines ");
	put_ranges(h, LINE_STAYS, out);
	buf_addf(out, "\n# %zu lines: %zu carried over, %zu TODO, %zu stay with HAProxy, %zu blank or comments\n", h->n_lines, counts[LINE_CARRIED],
		 counts[LINE_TODO], counts[LINE_STAYS], counts[LINE_BLANK]);
}
