/* SPDX-License-Identifier: MIT
 * decide_doc.c - names of inputs, actions and refusals; the table for people. */
#include <stdio.h>
#include <string.h>

#include "switchd/core/decide/transitions.h"

static const char *const inputs[N_INPUTS] = {
	[IN_TICK] = "tick", [IN_START] = "start", [IN_PIN] = "pin", [IN_LATE] = "late", [IN_COUNTED] = "counted", [IN_CLAIM] = "claim", [IN_RENEW] = "renew", [IN_UNCLAIM] = "unclaim",
	[IN_DEPLOY] = "deploy", [IN_ABORT] = "abort", [IN_FLIP] = "flip", [IN_ROLLBACK] = "rollback", [IN_HOLD] = "hold", [IN_RESUME] = "resume",
	[IN_SEAL] = "seal", [IN_UNSEAL] = "unseal", [IN_PARDON] = "pardon", [IN_MUTE] = "mute", [IN_UNMUTE] = "unmute", [IN_NOTE] = "note",
	[IN_DRILL] = "drill",
};

static const char *const actions[] = {
	"apply", "preflight", "filled", "control", "learn", "drain", "ask the other slot", "call a human", "adopt the pin", "end the pin",
};
_Static_assert(ARRAY_LEN(actions) == N_ACTIONS, "an action without a name");

static const struct refusal_info refusals[N_REFUSALS] = {
	[RF_NONE] = { "none", 200, 0, "Not refused." },
	[RF_PHASE] = { "wrong-phase", 409, 10, "The service is in another phase." },
	[RF_HELD] = { "held", 423, 14, "A hold stands." },
	[RF_NOT_WHOLE] = { "not-whole", 422, 10, "The slot does not have every feature." },
	[RF_CONDEMNED] = { "condemned", 422, 10, "The release is condemned." },
	[RF_NO_TARGET] = { "no-rollback-target", 409, 12, "There is no rollback target." },
	[RF_CLAIMED] = { "claimed", 409, 14, "The idle slot is claimed by another." },
	[RF_SEALED] = { "sealed", 409, 12, "The service is sealed: the old release cannot serve any more." },
	[RF_OBSERVE] = { "observe-mode", 409, 10, "Observe mode writes no proxy." },
	[RF_STORE] = { "no-state", 503, 16, "The state cannot be written now." },
	[RF_SAME_SLOT] = { "same-slot", 409, 10, "That slot is the active one." },
	[RF_ACTIVE_SLOT] = { "active-slot", 409, 10, "The active slot serves; it is never overwritten." },
	[RF_SLOT_SERVED] = { "slot-served", 409, 10, "A live proxy still sends clients to that slot: only by force." },
	[RF_NO_ACTIVE] = { "no-active-slot", 409, 10, "No slot is active." },
	[RF_NEEDS_SLOT] = { "needs-slot", 400, 2, "No slot is active yet: say which one." },
	[RF_NEEDS_FORCE] = { "needs-force", 422, 10, "This needs force, with a reason." },
	[RF_NEEDS_WHY] = { "needs-reason", 400, 2, "This needs a reason." },
	[RF_NOT_CLAIM] = { "no-such-claim", 409, 10, "That claim does not stand." },
	[RF_NO_FEATURE] = { "no-such-feature", 404, 2, "The service has no such feature." },
	[RF_NOTHING] = { "nothing-to-do", 409, 10, "There is nothing to do." },
	[RF_PROXY] = { "proxy", 422, 10, "A proxy could not make this flip." },
	[RF_PINNED] = { "pinned", 423, 14, "Pinned by hand." },
	[RF_LAST_GOOD] = { "last-good", 422, 10, "That slot is the last one where a feature works." },
	[RF_RELEASE] = { "bad-release", 422, 10, "The release is not named as it must be." },
	[RF_FULL] = { "full", 409, 10, "There is no room for more." },
	[RF_GATE] = { "gate-refused", 422, 10, "A gate refused the release." },
	[RF_TARGETS] = { "targets-unread", 422, 10, "The addresses of the slot could not be read." },
	[RF_DOCUMENT] = { "bad-state", 400, 2, "This is no state that can be imported." },
	[RF_NEWER] = { "newer-record", 409, 10, "The store has a newer record." },
	[RF_NO_RECORD] = { "no-record", 409, 12, "No good record of it is known here." },
	[RF_STANDBY] = { "standby", 421, 16, "Another switchd leads: this one stands by." },
	[RF_ALONE] = { "not-alone", 503, 16, "The state cannot be written, and without it this is not for one switchd alone." },
	[RF_SUSPECT] = { "suspect", 409, 10, "The prober is suspect." },
};

const char *input_name(enum input_kind k) { return (unsigned)k < N_INPUTS ? inputs[k] : "?"; }

const char *action_name(unsigned bit)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (bit == 1u << i)
			return actions[i];
	return "?";
}

const struct refusal_info *refusal_info(enum refusal r)
{
	must((unsigned)r < N_REFUSALS);
	return &refusals[r];
}

const char *const *decide_event_kinds(size_t *n)
{
	*n = N_EVENT_KINDS - 1; /* the first is none */
	return event_kinds + 1;
}

size_t decide_rows(void) { return n_transitions; }
size_t decide_row_index(const struct row *r) { return (size_t)(r - transitions); }

/* ---- the table ---- */

static void join(char *out, size_t size, const char *word)
{
	size_t len = strlen(out);

	snprintf(out + len, size - len, "%s%s", len ? ", " : "", word);
}

static void at_text(unsigned at, char *out, size_t size)
{
	unsigned all = (1u << N_PHASES) - 1;
	int n = 0;

	out[0] = '\0';
	for (int p = 0; p < N_PHASES; p++)
		n += (at >> p) & 1;
	if (at == all) {
		join(out, size, "any");
	} else if (n > N_PHASES / 2 + 1) {
		join(out, size, "any but");
		for (int p = 0; p < N_PHASES; p++)
			if (!((at >> p) & 1)) {
				size_t len = strlen(out);

				snprintf(out + len, size - len, " %s", phase_name((enum phase)p));
			}
	} else {
		for (int p = 0; p < N_PHASES; p++)
			if ((at >> p) & 1)
				join(out, size, phase_name((enum phase)p));
	}
}

void decide_row(size_t i, struct row_info *out)
{
	static char at[128], provided[640], to[64], act[160];
	const struct row *r;

	must(i < n_transitions);
	r = &transitions[i];
	at_text(r->at, at, sizeof(at));
	provided[0] = act[0] = '\0';
	for (size_t k = 0; k < MAX_PROVIDED && r->provided[k]; k++)
		join(provided, sizeof(provided), r->provided[k] > 0 ? guards[r->provided[k]].yes : guards[-r->provided[k]].no);
	for (unsigned bit = 1; bit < 1u << N_ACTIONS; bit <<= 1)
		if (r->act & bit)
			join(act, sizeof(act), action_name(bit));
	snprintf(to, sizeof(to), "%s", r->to >= 0 ? phase_name((enum phase)r->to) : r->to == TO_STAY ? "(stays)" : r->to == TO_ALARM ? "(alarm)" : "(nothing)");
	if (r->to == TO_REFUSED)
		snprintf(to, sizeof(to), "refused %d %s", refusals[r->refusal].http, refusals[r->refusal].code);
	*out = (struct row_info){ .at = at, .on = input_name(r->on), .provided = provided, .to = to, .act = act, .because = r->because };
}

void decide_print_table(struct buf *out)
{
	struct row_info r;

	buf_adds(out, "| at | on | provided | to | do | because |\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < n_transitions; i++) {
		decide_row(i, &r);
		buf_addf(out, "| %s | %s | %s | %s | %s | %s |\n", r.at, r.on, r.provided, r.to, r.act, r.because);
	}
}

/* One edge of the graph, labelled with the events that tell of it. */
static void edge(struct buf *out, int from, int to, bool first_start)
{
	bool said[N_EVENT_KINDS] = { false };
	char label[256] = "";

	for (size_t i = 0; i < n_transitions; i++) {
		const struct row *r = &transitions[i];
		bool start = r->on == IN_START && r->provided[0] == G_NO_RECORD;

		if (r->to != to || start != first_start || said[r->event] || r->on == IN_PIN || (r->on == IN_START && !start))
			continue;
		if (!first_start && !((r->at >> from) & 1))
			continue;
		said[r->event] = true;
		join(label, sizeof(label), event_kinds[r->event]);
	}
	if (label[0])
		buf_addf(out, "    %s --> %s : %s\n", first_start ? "[*]" : phase_name((enum phase)from), phase_name((enum phase)to), label);
}

void decide_print_mermaid(struct buf *out)
{
	buf_adds(out, "stateDiagram-v2\n");
	for (int to = 0; to < N_PHASES; to++)
		edge(out, 0, to, true);
	for (int from = 0; from < N_PHASES; from++)
		for (int to = 0; to < N_PHASES; to++)
			edge(out, from, to, false);
	buf_adds(out, "    note right of steady : a pin by hand, and in doubt a higher version found, lead here from any phase\n");
}
