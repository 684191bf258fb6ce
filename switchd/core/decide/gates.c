/* SPDX-License-Identifier: MIT
 * gates.c - the table of gates, and what each asks. */
#include "switchd/core/decide/gates.h"

#include <stdio.h>
#include <string.h>

#include "switchd/core/config/settings.h"

enum { AHEAD_MS = 5 * 60 * 1000 };      /* clocks of build machines differ a little */

typedef struct { char *at; size_t size; } said;
#define SAY(s, ...) text_format((s).at, (s).size, __VA_ARGS__)

/* A gate that is not configured answers this: it is not shown. */
enum { NOT_SHOWN = N_GATE_RESULTS };

/* ---- toolchain: tested == built == running ---- */

static bool tests_passed(const char *result)
{
	static const char *const good[] = { "passed", "pass", "success", "succeeded", "ok", "green" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (strcmp(good[i], result) == 0)
			return true;
	return false;
}

/* What the slot's own manifest says, against the one that was given. */
static bool running_differs(const struct gate_ask *a, const char *digest, const char *builder, const char *version, const char *lockfile, said s)
{
	const struct manifest *own = a->facts->own == SM_READ ? a->facts->manifest : NULL;

	if (!own)
		return false;
	const struct { const char *field, *given, *has; } pairs[] = {
		{ "release", a->release, own->release }, { "digest", digest, own->digest }, { "builder.name", builder, own->builder },
		{ "builder.version", version, own->builder_version }, { "lockfile", lockfile, own->lockfile },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (pairs[i].given[0] && pairs[i].has[0] && strcmp(pairs[i].given, pairs[i].has) != 0) {
			SAY(s, "%s: the manifest says %s, %s says it runs %s", pairs[i].field, pairs[i].given, slot_name(a->slot), pairs[i].has);
			return true;
		}
	return false;
}

static bool field_missing(const struct manifest *m, said s)
{
	const struct { const char *field, *value; } needed[] = {
		{ "digest", m->digest }, { "builder.name", m->builder }, { "builder.version", m->builder_version }, { "tests.digest", m->tests.digest },
		{ "tests.builder", m->tests.builder }, { "tests.builder_version", m->tests.builder_version }, { "tests.result", m->tests.result },
	};

	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!needed[i].value[0]) {
			SAY(s, "the manifest has no %s", needed[i].field);
			return true;
		}
	return false;
}

static bool announced_otherwise(const struct gate_ask *a, said s)
{
	const struct manifest *m = a->manifest;

	if (m->release[0] && strcmp(m->release, a->release) != 0) {
		SAY(s, "release: the manifest is of %s, announced was %s", m->release, a->release);
		return true;
	}
	if (m->digest[0] && a->digest[0] && strcmp(m->digest, a->digest) != 0) {
		SAY(s, "digest: the manifest says %s, announced was %s", m->digest, a->digest);
		return true;
	}
	return false;
}

static enum gate_result tested_as_built(const struct gate_ask *a, said s)
{
	const struct manifest *m = a->manifest;
	const struct { const char *field, *tested, *built; } pairs[] = {
		{ "digest", m->tests.digest, m->digest }, { "builder", m->tests.builder, m->builder },
		{ "builder_version", m->tests.builder_version, m->builder_version },
	};

	if (announced_otherwise(a, s) || (a->claimed && manifest_contradicts(a->claimed, m, s.at, s.size)))
		return GR_REFUSE;
	if (!manifest_of_bits(m)) {
		SAY(s, "the manifest says nothing of bits, tools and tests");
		return GR_NOT_CHECKED;
	}
	if (field_missing(m, s))
		return GR_REFUSE;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (strcmp(pairs[i].tested, pairs[i].built) != 0) {
			SAY(s, "tests ran with %s %s, build used %s", pairs[i].field, pairs[i].tested, pairs[i].built);
			return GR_REFUSE;
		}
	if (m->tests.lockfile[0] && strcmp(m->tests.lockfile, m->lockfile) != 0) {
		SAY(s, "tests ran with lockfile %s, build used %s", m->tests.lockfile, m->lockfile[0] ? m->lockfile : "none");
		return GR_REFUSE;
	}
	if (!tests_passed(m->tests.result)) {
		SAY(s, "tests.result is %s%s%s", m->tests.result, m->tests.run[0] ? ", run " : "", m->tests.run);
		return GR_REFUSE;
	}
	if (running_differs(a, m->digest, m->builder, m->builder_version, m->lockfile, s))
		return GR_REFUSE;
	SAY(s, "%s %s tested and built %s%s", m->builder, m->builder_version, m->digest,
	    m->lockfile[0] && !m->tests.lockfile[0] ? "; with which lockfile it was tested is not told" : "");
	return GR_PASS;
}

static bool from_slot(const struct gate_ask *a) { return a->cfg->manifest_path && a->cfg->manifest_path[0]; }

/* No manifest is at hand: it may still come from the slot. */
static enum gate_result no_manifest(const struct gate_ask *a, said s)
{
	bool slot_tells = from_slot(a);

	if (a->manifest_error[0]) {
		SAY(s, "%s", a->manifest_error);
		return GR_REFUSE;
	}
	if (slot_tells && (a->when != WHEN_PROVE || a->facts->own == SM_NONE || a->facts->own == SM_ASKING)) {
		SAY(s, "no manifest yet: %s is asked for it at %s", a->when == WHEN_CLAIM ? "the filled slot" : slot_name(a->slot), a->cfg->manifest_path);
		return a->when == WHEN_CLAIM ? GR_NOT_CHECKED : GR_WAITING;
	}
	if (slot_tells) {
		SAY(s, "%s", a->facts->own_why);
		return a->facts->own == SM_BAD ? GR_REFUSE : GR_NOT_CHECKED;
	}
	SAY(s, "no manifest");
	return GR_NOT_CHECKED;
}

static const struct gate_said *before(const struct gate_ask *a, const char *name)
{
	for (size_t i = 0; a->when == WHEN_PROVE && i < a->n_before; i++)
		if (strcmp(a->before[i].name, name) == 0)
			return &a->before[i];
	return NULL;
}

/* While proving, what was said of a manifest that is in the record stands. */
static bool as_before(const struct gate_ask *a, const char *name, enum gate_result *result, said s)
{
	const struct gate_said *b = before(a, name);

	if (!b || a->manifest || b->result == GR_WAITING)
		return false;
	if (!(a->known && a->known->manifest) && b->result != GR_REFUSE)
		return false;
	SAY(s, "%s", b->text);
	*result = b->result;
	return true;
}

/* What is known of the bits that run, behind what was said of tested and built. */
static void say_running(const struct gate_ask *a, said s)
{
	static const char mark[] = "; running: ";
	const struct manifest *own = a->facts->own == SM_READ ? a->facts->manifest : NULL;
	const char *digest = a->manifest ? a->manifest->digest : a->known ? a->known->digest : "";
	char *was = strstr(s.at, mark);
	bool asked = false;
	size_t n;

	if (a->when != WHEN_PROVE)
		return;
	for (size_t i = 0; a->cfg->identity.on && i < a->cfg->identity.n_expect; i++)
		asked |= strstr(a->cfg->identity.expect[i], "{{digest}}") != NULL;
	n = was ? (size_t)(was - s.at) : strlen(s.at);
	if (asked && digest[0] && a->identity.result == GR_PASS)
		text_format(s.at + n, s.size - n, "%severy target of %s says these", mark, slot_name(a->slot));
	else if (asked && digest[0])
		text_format(s.at + n, s.size - n, "%s%s is asked", mark, slot_name(a->slot));
	else if (own && own->digest[0])
		text_format(s.at + n, s.size - n, "%s%s's own manifest says these", mark, slot_name(a->slot));
	else
		text_format(s.at + n, s.size - n, "%snot asked (no {{digest}} in identity)", mark);
}

static enum gate_result ask_toolchain(const struct gate_ask *a, said s)
{
	enum gate_result was;

	if (as_before(a, "toolchain", &was, s)) {
		const struct release *k = a->known;

		if (was == GR_PASS && from_slot(a) && (a->facts->own == SM_NONE || a->facts->own == SM_ASKING)) {
			SAY(s, "%s is asked at %s what it runs", slot_name(a->slot), a->cfg->manifest_path);
			return GR_WAITING;
		}
		if (was == GR_PASS && a->facts->own == SM_BAD) {
			SAY(s, "%s", a->facts->own_why);
			return GR_REFUSE;
		}
		if (was == GR_PASS && running_differs(a, k->digest, k->builder, k->builder_version, k->lockfile, s))
			return GR_REFUSE;
		if (was == GR_PASS)
			say_running(a, s);
		return was;
	}
	was = a->manifest ? tested_as_built(a, s) : no_manifest(a, s);
	if (was == GR_PASS)
		say_running(a, s);
	return was;
}

static enum gate_result ask_age(const struct gate_ask *a, said s)
{
	char age[AGE_TEXT], most[32];
	enum gate_result was;

	if (!a->cfg->tests_age_ms)
		return (enum gate_result)NOT_SHOWN;
	if (as_before(a, "age", &was, s))
		return was;
	if (!a->manifest) {
		was = no_manifest(a, s);
		return was == GR_REFUSE ? GR_NOT_CHECKED : was; /* one gate says that it cannot be read */
	}
	if (!a->manifest->tests.at.ms) {
		SAY(s, "the manifest has no tests.at");
		return GR_REFUSE;
	}
	int64_t ms = a->wall.ms - a->manifest->tests.at.ms;

	if (ms < -AHEAD_MS) {
		SAY(s, "tests.at is %s in the future", age_text(-ms, age));
		return GR_REFUSE;
	}
	duration_text(a->cfg->tests_age_ms, most);
	if (ms > a->cfg->tests_age_ms) {
		SAY(s, "the tests ran %s ago, at most %s are allowed", age_text(ms, age), most);
		return GR_REFUSE;
	}
	SAY(s, "the tests ran %s ago", age_text(ms > 0 ? ms : 0, age));
	return GR_PASS;
}

static enum gate_result ask_condemned(const struct gate_ask *a, said s)
{
	const char *digest = a->digest[0] ? a->digest : a->manifest ? a->manifest->digest : a->known ? a->known->digest : "";
	const struct condemned *c = condemned_find(a->condemned, a->release, digest);

	const struct gate_said *b = before(a, "condemned");

	/* What was forced stays so; it waits in ready for a person. */
	if (b && (!a->manifest || b->result == GR_SKIPPED)) {
		SAY(s, "%s", b->text);
		return b->result;
	}
	if (!c) {
		SAY(s, digest[0] ? "neither the name nor the bits are condemned" : "the name is not condemned; no digest was told");
		return digest[0] ? GR_PASS : GR_UNPROVEN;
	}
	if (strcmp(c->release, a->release) == 0)
		SAY(s, "%scondemned by %s: %.120s", a->force ? "forced; " : "", c->by, c->why);
	else
		SAY(s, "%sthe same bits as %s (%.40s), condemned by %s: %.80s", a->force ? "forced; " : "", c->release, c->digest, c->by, c->why);
	return a->force || (a->when == WHEN_PROVE && !a->manifest) ? GR_SKIPPED : GR_REFUSE;
}

static enum gate_result ask_identity(const struct gate_ask *a, said s)
{
	if (!a->cfg->identity.on)
		return (enum gate_result)NOT_SHOWN;
	SAY(s, "%s", a->identity.text);
	return a->identity.result;
}

static enum gate_result ask_features(const struct gate_ask *a, said s)
{
	char word[DECLARED_WORD + 1];

	/* A feature that nobody probes cannot be shown to have come. */
	for (size_t at = 0; a->manifest && declared_next(&a->manifest->adds, &at, word);)
		if (word[0] != '/' && !config_feature(a->cfg, word)) {
			SAY(s, "adds: %s is no feature of %s: nothing would see whether it is there", word, a->cfg->name);
			return GR_REFUSE;
		}
	SAY(s, "%s", a->features.text);
	return a->features.result;
}

static enum gate_result ask_inventory(const struct gate_ask *a, said s)
{
	const struct inventory_view *v = a->inventory;

	if (!a->cfg->n_inventory)
		return (enum gate_result)NOT_SHOWN;
	if (a->dry_run) {
		SAY(s, "the slots' routes are not read for a dry run; `switchctl inventory %s` compares them", a->cfg->name);
		return GR_NOT_CHECKED;
	}
	if (!v || !v->compared) {
		SAY(s, "both slots' routes are read once every feature is there");
		return GR_WAITING;
	}
	SAY(s, "%s", v->detail);
	return v->known && !v->lost ? GR_PASS : GR_REFUSE;
}

static enum gate_result ask_command(const struct gate_ask *a, said s)
{
	if (!a->cfg->command.n_exec)
		return (enum gate_result)NOT_SHOWN;
	if (a->dry_run || a->facts->command == GR_NOT_CHECKED) {
		SAY(s, a->dry_run ? "%s is not run for a dry run" : "%s runs once no other gate refuses", a->cfg->command.exec[0]);
		return a->dry_run ? GR_NOT_CHECKED : GR_WAITING;
	}
	SAY(s, "%s", a->facts->command_why);
	return a->facts->command;
}

static const struct gate_row {
	const char *name;
	unsigned when;
	bool of_slot;           /* decide has rows of its own for it */
	enum gate_result (*ask)(const struct gate_ask *, said);
	const char *doc;
} table[] = {
	{ "toolchain", WHEN_CLAIM | WHEN_DEPLOY | WHEN_PROVE, false, ask_toolchain,
	  "tested, built and running are one: digest, tool, its version, lock file, and the tests passed" },
	{ "age", WHEN_CLAIM | WHEN_DEPLOY | WHEN_PROVE, false, ask_age, "the tests ran no longer ago than `gates: age:`" },
	{ "condemned", WHEN_CLAIM | WHEN_DEPLOY | WHEN_PROVE, false, ask_condemned, "neither this name nor these bits were rolled back by automation" },
	{ "identity", WHEN_DEPLOY | WHEN_PROVE, true, ask_identity, "every target says that it runs the release announced" },
	{ "features", WHEN_CLAIM | WHEN_DEPLOY | WHEN_PROVE, true, ask_features,
	  "every feature is present on every target, and its probe can fail" },
	{ "inventory", WHEN_DEPLOY | WHEN_PROVE, false, ask_inventory,
	  "no route of the active slot is missing on the idle one, unless the manifest `removes:` it; both lists could be read" },
	{ "command", WHEN_DEPLOY | WHEN_PROVE, false, ask_command, "`gates: command:` ended with 0" },
};
_Static_assert(ARRAY_LEN(table) <= MAX_GATES, "more gates than a record has room for");

size_t gates_count(void) { return ARRAY_LEN(table); }
const char *gate_name(size_t i) { return table[i].name; }
const char *gate_doc(size_t i) { return table[i].doc; }
unsigned gate_when(size_t i) { return table[i].when; }

bool gate_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strcmp(table[i].name, name) == 0)
			return true;
	return false;
}

bool gate_listed(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; n && *p;) {
		size_t word = strcspn(p, ",");

		if (word == n && strncmp(p, name, n) == 0)
			return true;
		p += word + (p[word] == ',');
	}
	return false;
}

static bool required(const struct service_config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->n_require; i++)
		if (strcmp(cfg->require[i], name) == 0)
			return true;
	return false;
}

/* What a person or `require:` makes of what the gate itself says. */
static void weigh(const struct gate_ask *a, struct gate_said *g)
{
	char text[GATE_TEXT + 1];
	const struct gate_said *b = before(a, g->name);

	if (gate_listed(a->skip, g->name)) {
		TEXT_COPY(text, g->text);
		if (b)
			TEXT_COPY(g->text, b->text);
		else if (g->result == GR_REFUSE)
			TEXT_FORMAT(g->text, "set aside by %s: %.90s (it says: %.90s)", a->skip_by, a->skip_why, text);
		else
			TEXT_FORMAT(g->text, "set aside by %s: %.120s", a->skip_by, a->skip_why);
		g->result = GR_SKIPPED;
		return;
	}
	if (!required(a->cfg, g->name) || (g->result != GR_NOT_CHECKED && g->result != GR_UNPROVEN))
		return;
	/* A slot that is still to be filled may bring its manifest itself; a dry run runs no command. */
	if ((a->when == WHEN_CLAIM && from_slot(a)) || (a->dry_run && strcmp(g->name, "command") == 0))
		return;
	TEXT_COPY(text, g->text);
	TEXT_FORMAT(g->text, "required, and %s: %.180s", g->result == GR_UNPROVEN ? "unproven" : "not checked", text);
	g->result = GR_REFUSE;
}

size_t gates_ask(const struct gate_ask *a, struct gate_said out[MAX_GATES])
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct gate_said *g = &out[n];

		if (!(table[i].when & a->when))
			continue;
		const struct gate_said *b = before(a, table[i].name);

		if (a->settled && b && !table[i].of_slot) {
			*g = *b;
			n++;
			continue;
		}
		*g = (struct gate_said){ .text = "" };
		g->result = table[i].ask(a, (said){ g->text, sizeof(g->text) });
		if (g->result == (enum gate_result)NOT_SHOWN)
			continue;
		TEXT_COPY(g->name, table[i].name);
		weigh(a, g);
		n++;
	}
	return n;
}

static bool of_slot(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].of_slot;
	return false;
}

const struct gate_said *gates_find(const struct gate_said *list, size_t n, enum gate_result result)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].result == result && !of_slot(list[i].name))
			return &list[i];
	return NULL;
}

void gates_say_refused(const struct gate_said *list, size_t n, char *out, size_t size)
{
	size_t len = strlen(out);

	for (size_t i = 0; i < n; i++)
		if (list[i].result == GR_REFUSE && len < size) {
			text_format(out + len, size - len, "%s%s: %s", len ? "; " : "", list[i].name, list[i].text);
			len = strlen(out);
		}
}

json_t *gates_json(const struct gate_said *list, size_t n)
{
	json_t *out = json_array();

	for (size_t i = 0; i < n; i++) {
		char text[GATE_TEXT + 1];

		text_printable(text, sizeof(text), list[i].text, strlen(list[i].text));
		json_array_append_new(out, json_pack("{s:s,s:s,s:s}", "gate", list[i].name, "result", gate_result_name(list[i].result), "text", text));
	}
	return out;
}

void gates_doc(struct buf *out)
{
	buf_adds(out, "| gate | asked at | passes when |\n|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		buf_addf(out, "| `%s` | %s%s%s | %s |\n", table[i].name, table[i].when & WHEN_CLAIM ? "claim, " : "",
			 table[i].when & WHEN_DEPLOY ? "deploy, " : "", "while proving", table[i].doc);
}
