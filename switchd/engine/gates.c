/* SPDX-License-Identifier: MIT
 * gates.c - what the gates need to be found out: the slot's own manifest, and the command's exit code.
 *
 * Of the deploy that is being proved, and forgotten with it.  What was found is told to decide as struct gate_facts; this
 * file decides nothing. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/log.h"
#include "switchd/engine/service.h"

enum { ASK_AGAIN_MS = 300, AT_ONCE = 4 };

/* ---- the slot's own manifest ---- */

static void own_ends(struct service *s, enum slot_manifest state, const char *why)
{
	s->gates.own = state;
	s->gates.manifest = state == SM_READ ? &s->own_manifest : NULL;
	text_printable(s->gates.own_why, sizeof(s->gates.own_why), why, strlen(why));
	log_info("manifest", "service=%s slot=%s path=%s read=%d why=%s", s->cfg->name, slot_name(s->rec.deploy.slot), s->cfg->manifest_path,
		 state == SM_READ, LOG_Q(why));
	service_tick(s);
}

/* Not there is an answer, from an application that serves already; anything else may be one that is still starting. */
static bool is_absent(const struct service *s, long status)
{
	const struct slot_view *v = &s->view->slot[s->rec.deploy.slot];
	bool any = false;

	for (size_t i = 0; i < s->view->n; i++)
		any |= s->view->f[i].at[s->rec.deploy.slot] == V_PRESENT;
	return (status == 404 || status == 410) && any && !v->starting;
}

static void own_said(void *arg, const struct probe_page *p)
{
	struct service *s = arg;
	char why[300], name[200];

	s->own_asking = false;
	if (p->cancelled || s->rec.phase != PH_PROVING || s->gates.own != SM_ASKING)
		return;
	TEXT_FORMAT(name, "%s of %s", s->cfg->manifest_path, p->target);
	if (p->status >= 200 && p->status <= 299) {
		if (manifest_parse(name, p->body, p->len, &s->own_manifest, why, sizeof(why), NULL))
			own_ends(s, SM_READ, "");
		else
			own_ends(s, SM_BAD, why);
		return;
	}
	if (is_absent(s, p->status)) {
		TEXT_FORMAT(why, "no manifest: %s answers %ld for %s", p->target, p->status, s->cfg->manifest_path);
		own_ends(s, SM_ABSENT, why);
		return;
	}
	s->own_next = mono_plus_ms(mono_now(), ASK_AGAIN_MS);
	s->own_target = (s->own_target + 1) % s->cfg->slot[s->rec.deploy.slot].n_targets;
}

static void own_ask(struct service *s)
{
	enum slot slot = s->rec.deploy.slot;

	if (!s->cfg->manifest_path[0] || slot > GREEN || s->own_asking || (s->gates.own != SM_NONE && s->gates.own != SM_ASKING) ||
	    !s->cfg->slot[slot].n_targets || s->own_next.us > mono_now().us)
		return;
	if (s->own_target >= s->cfg->slot[slot].n_targets)
		s->own_target = 0;
	s->gates.own = SM_ASKING;
	s->own_asking = true;
	probe_page(s->runner, slot, s->own_target, s->cfg->manifest_path, own_said, s);
}

/* ---- the command ---- */

static void command_said(void *arg, const struct child_result *r)
{
	struct service *s = arg;
	const char *line = r->err_len ? r->err : r->out;
	char first[121];

	s->command = NULL;
	if (r->end == CHILD_CANCELLED)
		return;
	text_printable(first, sizeof(first), line, strcspn(line, "\n") < 120 ? strcspn(line, "\n") : 120);
	bool good = r->end == CHILD_EXITED && r->code == 0;

	if (r->end == CHILD_EXITED)
		TEXT_FORMAT(s->gates.command_why, "%.80s ended with %d%s%s", s->cfg->command.exec[0], r->code, first[0] ? ": " : "", first);
	else if (r->end == CHILD_TIMEOUT || r->end == CHILD_LATE)
		TEXT_FORMAT(s->gates.command_why, "%.80s did not end in %lld ms", s->cfg->command.exec[0], (long long)s->cfg->command.timeout_ms);
	else if (r->end == CHILD_SIGNALLED)
		TEXT_FORMAT(s->gates.command_why, "%.80s was killed by signal %d", s->cfg->command.exec[0], r->code);
	else
		TEXT_FORMAT(s->gates.command_why, "%.80s was not started: %s", s->cfg->command.exec[0], strerror(r->code));
	s->gates.command = good ? GR_PASS : GR_REFUSE;
	log_info("command", "service=%s end=%s code=%d us=%lld", s->cfg->name, child_end_name(r->end), r->code, (long long)r->run_us);
	service_tick(s);
}

/* It costs, and may have an effect: it is run once, and not for a release that is refused anyhow. */
static bool command_due(struct service *s)
{
	static const struct input tick = { .kind = IN_TICK, .slot = NO_SLOT, .found_slot = NO_SLOT };
	static struct world w;
	struct gate_said list[MAX_GATES];
	size_t n;

	if (!s->cfg->command.n_exec || s->command || s->gates.command != GR_NOT_CHECKED || gate_listed(s->rec.deploy.skip, "command"))
		return false;
	service_world(s, &w);
	n = decide_gates(&s->rec, &w, &tick, list);
	for (size_t i = 0; i < n; i++) {
		bool of_slot = strcmp(list[i].name, "identity") == 0 || strcmp(list[i].name, "features") == 0;

		if (strcmp(list[i].name, "command") != 0 && (list[i].result == GR_REFUSE || (list[i].result == GR_WAITING && !of_slot)))
			return false;
	}
	return true;
}

static void command_run(struct service *s)
{
	const struct record *r = &s->rec;
	const struct release *rel = &r->slot[r->deploy.slot];
	const char *argv[65], *env[9];
	char text[7][160], why[CHILD_WHY];
	size_t n = 0;

	/* Whoever called looks again. */
	if (!child_program_ok(s->cfg->command.exec[0], why)) {
		s->gates.command = GR_REFUSE;
		text_copy(s->gates.command_why, sizeof(s->gates.command_why), why);
		return;
	}
	for (n = 0; n < s->cfg->command.n_exec && n + 1 < ARRAY_LEN(argv); n++)
		argv[n] = s->cfg->command.exec[n];
	argv[n] = NULL;
	TEXT_FORMAT(text[0], "SWITCHD_SERVICE=%s", s->cfg->name);
	TEXT_FORMAT(text[1], "SWITCHD_SLOT=%s", slot_name(r->deploy.slot));
	TEXT_FORMAT(text[2], "SWITCHD_RELEASE=%s", r->deploy.release);
	TEXT_FORMAT(text[3], "SWITCHD_DIGEST=%s", rel->digest);
	TEXT_FORMAT(text[4], "SWITCHD_DEPLOY=%llu", (unsigned long long)r->deploy.id);
	TEXT_FORMAT(text[5], "SWITCHD_BY=%s", r->deploy.by);
	TEXT_FORMAT(text[6], "SWITCHD_COMMIT=%s", rel->commit);
	for (n = 0; n < ARRAY_LEN(text); n++)
		env[n] = text[n];
	env[n++] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	env[n] = NULL;
	if (!s->e->commands)
		s->e->commands = child_room_new(s->e->loop, AT_ONCE);
	TEXT_FORMAT(s->gates.command_why, "%.80s runs", s->cfg->command.exec[0]);
	s->gates.command = GR_WAITING;
	s->command = child_run(s->e->commands, &(struct child_order){ .argv = argv, .env = env, .timeout_ms = s->cfg->command.timeout_ms },
			       command_said, s);
}

/* ---- the claim's manifest ---- */

void gates_carry(struct service *s, struct order *o)
{
	struct manifest *m;

	if (o->input.kind != IN_DEPLOY || o->claimed || o->input.carried)
		return;
	m = xcalloc(1, sizeof(*m));
	if (!claim_carries(&s->rec.claim, &o->input, m)) {
		free(m);
	} else if (o->manifest || o->manifest_error) {
		o->input.claimed = o->claimed = m;
	} else {
		o->input.manifest = o->manifest = m;
		o->input.carried = true;
	}
}

/* ---- the beat ---- */

void gates_end(struct service *s)
{
	if (s->command)
		child_cancel(s->command);
	s->command = NULL;
}

/* A reload ended what was in flight. */
void gates_again(struct service *s)
{
	s->own_asking = false;
	if (s->gates.own == SM_ASKING)
		s->gates.own = SM_NONE;
	gates_end(s);
	if (s->gates.command == GR_WAITING)
		s->gates.command = GR_NOT_CHECKED;
}

void gates_beat(struct service *s)
{
	if (s->gates.deploy != s->rec.deploy.id) {
		gates_end(s);
		s->gates = (struct gate_facts){ .deploy = s->rec.deploy.id };
		s->own_target = 0;
		s->own_next = (mono_us){ 0 };
	}
	if (!s->loaded || s->rec.phase != PH_PROVING) {
		gates_end(s);
		return;
	}
	own_ask(s);
	if (command_due(s))
		command_run(s);
}
