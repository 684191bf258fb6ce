/* SPDX-License-Identifier: MIT
 * answer.c - how a call is answered: JSON, text, problems (RFC 9457).  Each answer frees the call.
 *
 * A problem says what, where traffic is now, and the next command: what a person at 3 a.m. wants of an error. */
#include <stdlib.h>
#include <string.h>

#include "switchd/api/route.h"

/* Foreign text may hold anything: one bad byte never costs the whole answer. */
json_t *json_clean(const char *s)
{
	json_t *j = json_string(s);
	char safe[1024];

	if (j)
		return j;
	text_printable(safe, sizeof(safe), s, strlen(s));
	return json_string(safe);
}

static size_t common_headers(struct call *c, struct httpd_header *h, char etag[VERSION_TEXT + 2])
{
	struct active_answer a;
	char v[VERSION_TEXT];
	size_t n = 0;

	h[n++] = (struct httpd_header){ "Cache-Control", "no-store" };
	h[n++] = (struct httpd_header){ "X-Content-Type-Options", "nosniff" };
	if (c->service[0]) {
		engine_active(call_engine(c), c->service, &a);
		if (a.known_service) {
			text_format(etag, VERSION_TEXT + 2, "\"%s\"", version_text(a.v, v));
			h[n++] = (struct httpd_header){ "ETag", etag };
		}
	}
	return n;
}

/* extra: one more header, or name NULL. */
static void send(struct call *c, unsigned status, const char *type, const char *text, struct httpd_header extra)
{
	struct httpd_header h[5];
	char etag[VERSION_TEXT + 2];
	size_t n = common_headers(c, h, etag);

	if (extra.name)
		h[n++] = extra;
	httpd_answer(c->req, status, type, h, n, text, strlen(text));
	call_free(c);
}

void answer_text(struct call *c, unsigned status, const char *type, const char *text)
{
	send(c, status, type, text, (struct httpd_header){ NULL, NULL });
}

void answer_json_with(struct call *c, unsigned status, json_t *taken, const char *name, const char *value)
{
	if (!taken) { /* something in it was not UTF-8: said, never hidden behind an empty answer */
		status = 500;
		taken = problem_new(500, "internal", "The answer could not be built.", "see switchd's log", 1);
	}
	char *text = json_dumps(taken, JSON_COMPACT | JSON_REAL_PRECISION(6));

	must(text != NULL);
	send(c, status, status >= 400 ? "application/problem+json" : "application/json", text, (struct httpd_header){ name, value });
	free(text);
	json_decref(taken);
}

void answer_json(struct call *c, unsigned status, json_t *taken) { answer_json_with(c, status, taken, NULL, NULL); }

/* The command that a person would type next.  S stands for the service. */
static const struct { const char *code, *next; } nexts[] = {
	{ "held", "switchctl resume S   |   a rollback always passes: switchctl rollback S" },
	{ "pinned", "end the pin: switchctl resume S" },
	{ "not-whole", "switchctl why S   |   override: switchctl flip S --force -m REASON" },
	{ "wrong-phase", "watch it: switchctl status S -w" },
	{ "claimed", "switchctl status S   |   end it: switchctl unclaim S --force -m REASON" },
	{ "condemned", "switchctl why S   |   forgive it: switchctl pardon S RELEASE -m REASON" },
	{ "no-rollback-target", "switchctl status S   |   all the same: switchctl rollback S --force -m REASON" },
	{ "sealed", "switchctl status S   |   all the same: switchctl rollback S --force -m REASON" },
	{ "needs-force", "switchctl status S   |   all the same: switchctl flip S --force -m REASON" },
	{ "last-good", "switchctl status S   |   all the same: switchctl claim S --release ID --force -m REASON" },
	{ "no-state", "switchctl status S   |   hold and rollback work without the store" },
	{ "not-alone", "ask the one that leads   |   with every store gone, on the proxy's host: switchctl --config FILE --direct proxy pin S SLOT" },
	{ "gate-refused", "mend it and build again   |   set it aside (role operate): switchctl deploy S --release ID --skip-gate GATE -m REASON" },
	{ "observe-mode", "set mode: enforce (or gate), then: systemctl reload switchd" },
	{ "proxy", "switchctl proxy diff S   |   all the same: switchctl flip S --force -m REASON" },
	{ "epoch-changed", "switchctl status S, then again with the epoch that it shows" },
};

void problem_where(struct call *c, json_t *p, const char *code)
{
	struct active_answer a;
	struct buf next = BUF_INIT(1024);
	const char *text = "switchctl status S";

	engine_active(call_engine(c), c->service, &a);
	if (!a.known_service)
		return;
	json_object_set_new(p, "service", json_clean(c->service));
	json_object_set_new(p, "active", json_string(slot_name(a.active)));
	json_object_set_new(p, "release", json_clean(a.release));
	json_object_set_new(p, "epoch", json_integer((json_int_t)a.v.epoch));
	for (size_t i = 0; i < ARRAY_LEN(nexts); i++)
		if (strcmp(nexts[i].code, code) == 0)
			text = nexts[i].next;
	for (; *text; text++) {
		/* A word of its own: "S" in REASON is not one. */
		bool word = *text == 'S' && (text[1] == '\0' || text[1] == ' ' || text[1] == ',') && text[-1] == ' ';

		if (word)
			buf_adds(&next, c->service);
		else
			buf_add(&next, text, 1);
	}
	json_object_set_new(p, "next", json_clean(buf_str(&next)));
	buf_free(&next);
}

json_t *problem_new(unsigned status, const char *code, const char *title, const char *detail, int exit_code)
{
	char type[96];

	TEXT_FORMAT(type, "urn:switchd:error:%s", code);
	return json_pack("{s:s,s:s,s:i,s:o,s:s,s:i,s:b}", "type", type, "title", title, "status", (int)status, "detail", json_clean(detail), "code", code,
			 "exit", exit_code, "moved", 0);
}

static void problem(struct call *c, unsigned status, const char *code, const char *title, const char *detail, int exit_code, const char *name,
		    const char *value)
{
	json_t *p = problem_new(status, code, title, detail, exit_code);

	if (c->service[0])
		problem_where(c, p, code);
	answer_json_with(c, status, p, name, value);
}

void answer_problem(struct call *c, unsigned status, const char *code, const char *title, const char *detail, int exit_code)
{
	problem(c, status, code, title, detail, exit_code, NULL, NULL);
}

void answer_problem_with(struct call *c, unsigned status, const char *code, const char *title, const char *detail, int exit_code,
			 const char *name, const char *value)
{
	problem(c, status, code, title, detail, exit_code, name, value);
}

void answer_bad(struct call *c, const char *code, const char *detail)
{
	answer_problem(c, 400, code, "The request is not as it must be.", detail, 2);
}

void answer_not_found(struct call *c, const char *what)
{
	char detail[160];

	TEXT_FORMAT(detail, "no such %s", what);
	answer_problem(c, 404, "not-found", "Not found.", detail, 2);
}
