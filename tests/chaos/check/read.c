/* SPDX-License-Identifier: MIT
 * read.c - reads what a run left behind. */
#include <dirent.h>
#include <sys/stat.h>

#include "tests/chaos/check/check.h"

/* A whole file, ended by a NUL; "" when there is none. */
static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n = 0, cap = 65536;
	char *text = need(malloc(cap));

	while (f && !feof(f) && !ferror(f)) {
		if (n + 32768 > cap)
			text = need(realloc(text, cap *= 2));
		n += fread(text + n, 1, cap - n - 1, f);
	}
	if (f)
		fclose(f);
	text[n] = '\0';
	return text;
}

const char *field(const struct line *l, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = l->text; *p; p += strlen(p) + 1)
		if (strncmp(p, key, n) == 0 && p[n] == '=')
			return p + n + 1;
	return "";
}

int64_t field_number(const struct line *l, const char *key)
{
	const char *s = field(l, key);

	return *s ? strtoll(s, NULL, 10) : -1;
}

bool field_is(const struct line *l, const char *key, const char *value) { return strcmp(field(l, key), value) == 0; }

static void read_driver(struct run *r)
{
	char path[1200];

	snprintf(path, sizeof(path), "%s/log/driver", r->dir);
	char *text = slurp(path), *save;
	size_t number = 0;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		number++;
		size_t n = strlen(l);
		char *copy = need(malloc(n + 2)), *tab = strchr(l, '\t');

		if (!tab)
			continue;
		memcpy(copy, tab + 1, n - (size_t)(tab - l));
		copy[n - (size_t)(tab - l) - 1] = copy[n - (size_t)(tab - l)] = '\0';
		for (char *p = copy; *p; p++)
			if (*p == '\t')
				*p = '\0';
		GROW(r->lines, r->n_lines, r->cap_lines);
		struct line *x = &r->lines[r->n_lines++];
		*x = (struct line){ .at = strtoll(l, NULL, 10), .word = copy, .text = copy, .number = number };
		if (strcmp(x->word, "run") == 0 && *field(x, "wall_minus_mono"))
			r->wall_minus_mono = field_number(x, "wall_minus_mono");
	}
	if (r->n_lines) {
		r->begin = r->lines[0].at;
		r->end = r->lines[r->n_lines - 1].at;
	}
}

struct value value_parse(const char *s)
{
	struct value v = { .kind = V_BAD };
	unsigned long long gen, epoch;
	char slot[16], word[16];
	int end = 0;

	snprintf(v.text, sizeof(v.text), "%s", s);
	if (sscanf(s, "%15[a-z]:pin.%llu:%15[a-z]%n", slot, &epoch, word, &end) == 3 && !s[end]) {
		v.kind = V_PIN;
		v.v = (struct version){ 0, epoch };
	} else if (sscanf(s, "%15[a-z]:%llu.%llu:%15[a-z]%n", slot, &gen, &epoch, word, &end) == 4 && !s[end]) {
		/* Generation 7 is the foreign hand's (faults_proxy.c). */
		v.kind = gen == 7 ? V_FOREIGN : V_OURS;
		v.v = (struct version){ gen, epoch };
		v.shield = strcmp(word, "shield") == 0;
		if (!v.shield && strcmp(word, "plain") != 0)
			v.kind = V_BAD;
	} else
		return v;
	v.slot = slot_of(slot);
	if (!v.slot || (strcmp(slot, "blue") != 0 && strcmp(slot, "green") != 0))
		v.kind = V_BAD;
	return v;
}

/* The tab-separated fields of a line, in place. */
static size_t fields(char *l, char **out, size_t max)
{
	size_t n = 0;

	for (char *p = l; p && n < max; n++) {
		out[n] = p;
		p = strchr(p, '\t');
		if (p)
			*p++ = '\0';
	}
	return n;
}

static void read_front(struct run *r, int i)
{
	struct front *f = &r->front[i];
	char path[1200], *save, *at[8];

	snprintf(path, sizeof(path), "%s/log/maps%d", r->dir, i);
	char *text = slurp(path);
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (fields(l, at, 8) < 4)
			continue;
		GROW(f->shown, f->n_shown, f->cap_shown);
		struct shown *s = &f->shown[f->n_shown++];
		*s = (struct shown){ .t0 = strtoll(at[0], NULL, 10), .t1 = strtoll(at[1], NULL, 10), .pid = strtol(at[2], NULL, 10) };
		s->there = s->pid > 0;
		if (s->there)
			s->v = value_parse(at[3]);
	}
	free(text);
	snprintf(path, sizeof(path), "%s/log/poll%d", r->dir, i);
	text = slurp(path);
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (fields(l, at, 8) < 6)
			continue;
		GROW(f->poll, f->n_poll, f->cap_poll);
		struct poll_ *p = &f->poll[f->n_poll++];
		*p = (struct poll_){ .t0 = strtoll(at[0], NULL, 10), .t1 = strtoll(at[1], NULL, 10), .status = (int)strtol(at[2], NULL, 10), .app = slot_of(at[4]) };
		snprintf(p->how, sizeof(p->how), "%.11s", at[2]);
		char *slash = strchr(at[3], '/');
		p->there = p->status == 200 && slash;
		if (p->there) {
			*slash = '\0';
			p->by = slot_of(at[3]);
			p->v = value_parse(slash + 1);
		}
	}
	free(text);
	snprintf(path, sizeof(path), "%s/log/client%d", r->dir, i);
	text = slurp(path);
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (fields(l, at, 8) < 7)
			continue;
		GROW(f->req, f->n_req, f->cap_req);
		struct request *q = &f->req[f->n_req++];
		*q = (struct request){ .t0 = strtoll(at[0], NULL, 10), .t1 = strtoll(at[1], NULL, 10), .status = (int)strtol(at[5], NULL, 10), .tag = slot_of(at[6]) };
		snprintf(q->method, sizeof(q->method), "%.5s", at[2]);
		snprintf(q->path, sizeof(q->path), "%.31s", at[3]);
		snprintf(q->kind, sizeof(q->kind), "%.9s", at[4]);
	}
	free(text);
}

/* ---- events ---- */

static struct version version_of(const json_t *side)
{
	const json_t *v = json_object_get(side, "version");

	return (struct version){ (uint64_t)json_integer_value(json_object_get(v, "gen")), (uint64_t)json_integer_value(json_object_get(v, "epoch")) };
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

/* archive: whose it is, from 1; 0 = nobody's */
static void add_event(struct run *r, json_t *o, int archive)
{
	unsigned long long gen, seq;

	if (sscanf(text_of(o, "id"), "%llu-%llu", &gen, &seq) != 2) {
		if (strcmp(text_of(o, "kind"), "archive.gap") == 0)
			r->gaps++;
		if (strcmp(text_of(o, "kind"), "store.lost") == 0) {
			GROW(r->told_lost, r->n_told_lost, r->cap_told_lost);
			r->told_lost[r->n_told_lost++] = strdup(text_of(o, "detail"));
		}
		json_decref(o);
		return;
	}
	GROW(r->events, r->n_events, r->cap_events);
	struct event *e = &r->events[r->n_events++];
	memset(e, 0, sizeof(*e));
	e->gen = gen;
	e->seq = seq;
	e->in = archive ? 1u << archive : 0;
	snprintf(e->kind, sizeof(e->kind), "%s", text_of(o, "kind"));
	snprintf(e->by, sizeof(e->by), "%s", text_of(o, "by"));
	snprintf(e->release, sizeof(e->release), "%s", text_of(o, "release"));
	e->at = (int64_t)json_integer_value(json_object_get(o, "at")) * 1000 - r->wall_minus_mono;
	e->from = slot_of(text_of(json_object_get(o, "from"), "slot"));
	e->to = slot_of(text_of(json_object_get(o, "to"), "slot"));
	e->from_v = version_of(json_object_get(o, "from"));
	e->to_v = version_of(json_object_get(o, "to"));
	e->deploy = (long)json_integer_value(json_object_get(o, "deploy"));
	e->because = text_of(o, "because");
	e->detail = text_of(o, "detail");
	e->json = o;
}

static int by_id(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	return x->gen != y->gen ? (x->gen > y->gen ? 1 : -1) : (x->seq > y->seq) - (x->seq < y->seq);
}

/* One event in two archives is one event; two events with one id are two histories under one name. */
static void unite_events(struct run *r)
{
	struct finding *f = finding("I16");
	size_t n = 0;

	qsort(r->events, r->n_events, sizeof(*r->events), by_id);
	for (size_t i = 0; i < r->n_events; i++) {
		struct event *e = &r->events[i];

		if (n && by_id(e, &r->events[n - 1]) == 0) {
			if (!json_equal(e->json, r->events[n - 1].json))
				breach(f, "two events with the id %llu-%llu: %s and %s", (unsigned long long)e->gen, (unsigned long long)e->seq, r->events[n - 1].kind, e->kind);
			r->events[n - 1].in |= e->in;
			continue;
		}
		r->events[n++] = *e;
	}
	r->n_events = n;
}

/* Every archive is written from the stream, in order, and without a gap: what one has and another passed over was in the memory
 * of who committed it, and not in the store any more. */
static void find_lost(struct run *r, int archives)
{
	for (int i = 1; i <= archives; i++) {
		size_t first = SIZE_MAX, last = 0;

		for (size_t k = 0; k < r->n_events; k++)
			if (r->events[k].in & 1u << i) {
				first = first == SIZE_MAX ? k : first;
				last = k;
			}
		for (size_t k = first; k < last; k++)
			if (!(r->events[k].in & 1u << i))
				r->events[k].lost = true;
	}
}

/* What a controller itself calls lost: "hold.set by uid:0 (1795974040-79), ..." */
static void take_lost(struct run *r)
{
	unsigned long long gen, seq;

	for (size_t i = 0; i < r->n_told_lost; i++) {
		for (const char *at = r->told_lost[i]; (at = strchr(at, '(')); at++)
			for (size_t k = 0; sscanf(at, "(%llu-%llu)", &gen, &seq) == 2 && k < r->n_events; k++)
				if (r->events[k].gen == gen && r->events[k].seq == seq)
					r->events[k].lost = true;
		free(r->told_lost[i]);
	}
}

static void read_archives(struct run *r)
{
	for (int i = 1; i <= site_count(r, "controllers"); i++) {
		char dir[1100], path[1400], *save;
		struct dirent *e;

		snprintf(dir, sizeof(dir), "%s/state%d/archive", r->dir, i);
		DIR *d = opendir(dir);
		while (d && (e = readdir(d))) {
			if (!strstr(e->d_name, ".jsonl"))
				continue;
			snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
			char *text = slurp(path);
			for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
				json_t *o = json_loads(l, 0, NULL);

				if (o)
					add_event(r, o, i);
				else
					breach(finding("I16"), "%s: a line that is no JSON: %.80s", path, l);
			}
			free(text);
		}
		if (d)
			closedir(d);
	}
	/* What a killed controller had not archived yet stands in the stream still. */
	for (int i = 1; i <= site_count(r, "controllers"); i++) {
		char path[1200];
		size_t k;
		json_t *event;

		snprintf(path, sizeof(path), "%s/log/last-timeline-%d", r->dir, i);
		char *text = slurp(path);
		json_t *o = json_loads(text, 0, NULL);
		json_array_foreach(json_object_get(o, "events"), k, event)
			add_event(r, json_incref(event), 0);
		json_decref(o);
		free(text);
	}
	unite_events(r);
	find_lost(r, site_count(r, "controllers"));
	take_lost(r);
}

/* ---- MONITOR ---- */

/* The quoted words of a line: "EVALSHA" "abc" "7"...; escapes stay as they are. */
static size_t words(char *s, char **out, size_t max)
{
	size_t n = 0;

	for (char *p = strchr(s, '"'); p && n < max; p = strchr(p, '"')) {
		out[n++] = ++p;
		while (*p && *p != '"')
			p += *p == '\\' && p[1] ? 2 : 1;
		if (!*p)
			break;
		*p++ = '\0';
	}
	return n;
}

/* A commit is the script whose last key is q:RID; it wrote when an HSET of the record follows from "lua". */
static void read_tap(struct run *r, int server)
{
	char path[1200], *save, *w[40];

	snprintf(path, sizeof(path), "%s/log/tap%d", r->dir, server);
	char *text = slurp(path);
	bool open_commit = false;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		bool lua = strstr(l, " lua]") != NULL;
		int64_t at = strtoll(l, NULL, 10);
		size_t n = words(l, w, 40);

		if (!lua) {
			open_commit = false;
			if (n < 8 || (strcmp(w[0], "EVALSHA") != 0 && strcmp(w[0], "EVAL") != 0))
				continue;
			size_t keys = (size_t)strtoul(w[2], NULL, 10);
			if (!keys || keys + 6 > n || !strstr(w[2 + keys], ":q:"))
				continue;
			GROW(r->commits, r->n_commits, r->cap_commits);
			struct commit *c = &r->commits[r->n_commits++];
			memset(c, 0, sizeof(*c));
			c->at = at;
			c->server = server;
			snprintf(c->rid, sizeof(c->rid), "%.71s", w[3 + keys]);
			snprintf(c->owner, sizeof(c->owner), "%.71s", w[4 + keys]);
			c->term = strtoull(w[5 + keys], NULL, 10);
			open_commit = true;
		} else if (open_commit && n > 8 && strcmp(w[0], "HSET") == 0 && strstr(w[1], ":s:")) {
			struct commit *c = &r->commits[r->n_commits - 1];

			c->gen = strtoull(w[3], NULL, 10);
			c->epoch = strtoull(w[5], NULL, 10);
			c->rev = strtoull(w[7], NULL, 10);
			c->wrote = true;
		}
	}
	free(text);
}

/* ---- all ---- */

bool site_text(const struct run *r, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	for (const char *p = r->site; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (strncmp(p, name, n) == 0 && p[n] == ' ') {
			snprintf(out, size, "%.*s", (int)strcspn(p + n + 1, "\n"), p + n + 1);
			return true;
		}
	out[0] = '\0';
	return false;
}

int site_count(const struct run *r, const char *name)
{
	char text[32];

	return site_text(r, name, text, sizeof(text)) ? (int)strtol(text, NULL, 10) : 0;
}

void run_read(struct run *r, const char *dir)
{
	char path[1200];

	r->dir = dir;
	snprintf(path, sizeof(path), "%s/site", dir);
	char *text = slurp(path);
	snprintf(r->site, sizeof(r->site), "%s", text);
	free(text);
	read_driver(r);
	if (!r->n_lines || !*r->site)
		die("%s: no chaos run", dir);
	r->n_fronts = site_count(r, "fronts");
	for (int i = 1; i <= r->n_fronts && i <= MAX_FRONTS; i++)
		read_front(r, i);
	for (int i = 1; i <= site_count(r, "redis"); i++)
		read_tap(r, i);
	read_archives(r);
	for (int i = 1; i <= site_count(r, "controllers") && !r->last_status; i++) {
		snprintf(path, sizeof(path), "%s/log/last-status-%d", dir, i);
		text = slurp(path);
		json_t *o = json_loads(text, 0, NULL);
		/* Of one that can say it. */
		if (o && json_is_true(json_object_get(o, "loaded")) && json_is_true(json_object_get(json_object_get(o, "store"), "up")))
			r->last_status = o;
		else
			json_decref(o);
		free(text);
	}
}
