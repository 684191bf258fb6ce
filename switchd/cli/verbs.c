/* SPDX-License-Identifier: MIT
 * verbs.c - the one table of verbs, and the help that is made of it. */
#include <stdio.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"

#define MUTATION (F_MESSAGE | F_DRY_RUN | F_IF_EPOCH | F_RID)

static const struct verb verbs[] = {
	{ "status", "[SERVICE]", F_WATCH, verb_status, false, "who serves, since when, armed or not; -w keeps it live",
	  "switchctl status\nswitchctl status shop -w\nswitchctl status shop --json" },
	{ "claim", "[SERVICE]", F_RELEASE | F_DIGEST | F_GATES | F_SLOT | F_CLAIM | F_RENEW | F_FORCE | F_LOCK_WAIT | MUTATION, verb_claim, false,
	  "take the idle slot to fill it; prints the slot; --renew keeps it", "SLOT=$(switchctl claim shop --release $SHA)\nswitchctl claim shop --renew --claim ID" },
	{ "unclaim", "[SERVICE]", F_CLAIM | F_FORCE | MUTATION, verb_unclaim, false, "give the idle slot back", "switchctl unclaim shop" },
	{ "deploy", "[SERVICE] [-- COMMAND...]",
	  F_RELEASE | F_SLOT | F_CLAIM | F_DIGEST | F_GATES | F_WAIT | F_LOCK_WAIT | F_POLICY | F_FORCE | F_ON_CANCEL | F_CONVERGED | MUTATION, verb_deploy, false,
	  "prove the release in the idle slot, flip to it, bake it; with a COMMAND: claim, run it, announce, wait",
	  "switchctl deploy shop --release $SHA --manifest m.json -- ./ship\nswitchctl deploy shop --slot blue --release r42 --wait=ready" },
	{ "abort", "[SERVICE]", F_DEPLOY | MUTATION, verb_abort, false, "end a deploy that is proving or ready", "switchctl abort shop" },
	{ "flip", "[SERVICE]", F_TO | F_FORCE | F_CONVERGED | MUTATION, verb_flip, false, "make the idle slot active",
	  "switchctl flip shop --to blue\nswitchctl flip shop --converged=all" },
	{ "rollback", "[SERVICE]", F_FORCE | F_CONVERGED | MUTATION, verb_rollback, false, "back to the slot that was good", "switchctl rollback shop -m INC-123" },
	{ "drill", "[SERVICE]", MUTATION, verb_drill, false, "flip to the rollback target and back on purpose, and measure; asks first",
	  "switchctl drill shop\nswitchctl drill shop --yes --json" },
	{ "hold", "[SERVICE]", F_FOR | MUTATION, verb_hold, false, "no automatic and no forward moves; a rollback always passes",
	  "switchctl hold shop --for 2h -m INC-123" },
	{ "resume", "[SERVICE]", MUTATION, verb_resume, false, "end a hold or a pin", "switchctl resume shop" },
	{ "seal", "[SERVICE]", MUTATION, verb_seal, false, "the old release cannot serve any more: automation will not go back to it",
	  "switchctl seal shop -m 'migration 118'" },
	{ "unseal", "[SERVICE]", MUTATION, verb_unseal, false, "it can, after all", "switchctl unseal shop -m 'migration undone'" },
	{ "pardon", "[SERVICE] [RELEASE]", F_RELEASE | MUTATION, verb_pardon, false, "take a release off the condemned list",
	  "switchctl pardon shop r44 -m 'db was at fault'" },
	{ "mute", "SERVICE/FEATURE", F_FOR | MUTATION, verb_mute, false, "a feature neither moves nor blocks nor counts, 24 h at most",
	  "switchctl mute shop/quotes --for 30m -m 'vendor down'" },
	{ "unmute", "SERVICE/FEATURE", MUTATION, verb_unmute, false, "it counts again", "switchctl unmute shop/quotes" },
	{ "note", "[SERVICE] TEXT", F_DEPLOY | MUTATION, verb_note, false, "say something about what happened: it stands in the post-mortem",
	  "switchctl note shop --deploy 812 'the migration of quotes_v2 had not run'" },
	{ "why", "[SERVICE]", 0, verb_why, false, "the last decision, the rule that fired, evidence of both slots", "switchctl why shop" },
	{ "timeline", "[SERVICE]", F_MAX | F_LAST | F_SINCE | F_DEPLOY | F_REPORT, verb_timeline, false,
	  "what happened, when, by whom, why; of a deploy or a span as md, html, csv or json: the post-mortem",
	  "switchctl timeline shop --last\nswitchctl timeline shop --deploy 812 -o html >812.html\n"
	  "switchctl timeline shop --since 2026-11-22T03:00Z --until 2026-11-22T04:00Z -o md\n"
	  "switchctl timeline shop --since 2d -o md --archive /var/lib/switchd/archive" },
	{ "evidence", "SERVICE/FEATURE", 0, verb_evidence, false, "what came back: last absent, last present before it, both slots",
	  "switchctl evidence shop/quotes" },
	{ "blame", "SERVICE/FEATURE", 0, verb_blame, false, "which release took the feature away, when, what else changed, where a good copy is",
	  "switchctl blame shop/expenses\nswitchctl blame expenses" },
	{ "report", "[SERVICE]", F_SINCE, verb_report, false,
	  "what was done, what would have been done and how often wrongly; is it time to enforce? (7 days if not told)",
	  "switchctl report shop --since 7d\nswitchctl report shop --since 24h -o md" },
	{ "deploys", "[SERVICE]", 0, verb_deploys, false, "the last deploys and how they ended", "switchctl deploys shop" },
	{ "events", "[SERVICE]", 0, verb_events, false, "follow events as they happen, the last ten first", "switchctl events shop" },
	{ "probe", "[SERVICE]", F_SLOT | F_PROVE, verb_probe, true,
	  "ask every feature now; --prove: would each probe notice a loss? works without a daemon (--config)",
	  "switchctl probe shop --slot green\nswitchctl probe shop --prove" },
	{ "inventory", "[SERVICE]", F_LAST | F_SLOT, verb_inventory, true,
	  "both slots' routes compared now (--last: as they were), and which have no probe; exit 10 when one is lost; works without a daemon (--config)",
	  "switchctl inventory shop\nswitchctl inventory shop --config switchd.yaml --slot green" },
	{ "discover", "URL", F_MAX, verb_discover, true,
	  "ask a site for its routes and each of them twice; prints a features: block",
	  "switchctl discover https://shop.example.com" },
	{ "import", "haproxy|openapi FILE", 0, verb_import, true,
	  "a first configuration from a haproxy.cfg or an OpenAPI document; what cannot be carried over is said, by line",
	  "switchctl import haproxy /etc/haproxy/haproxy.cfg > switchd.yaml\nswitchctl import openapi openapi.yaml" },
	{ "active", "[SERVICE]", F_IS, verb_active, true, "the active slot; --is SLOT: exit 0 or 1; works without a daemon, from the journal",
	  "switchctl active shop --is $MY_SLOT || exit 0" },
	{ "init", "[SERVICE]", F_FRONT | F_BLUE | F_GREEN | F_FEATURE, verb_init, true, "ask these addresses and print a first configuration",
	  "switchctl init --front https://shop.example.com --blue 10.0.0.1:8101 --green 10.0.0.1:8102" },
	{ "proxy", "snippet|init|diff|pin [haproxy] [SERVICE] [SLOT]", F_DIRECT | F_BIND | F_DRY_RUN, verb_proxy, true,
	  "what the proxy needs, shows, or is pinned to", "switchctl proxy snippet haproxy shop\nswitchctl --direct proxy pin shop green" },
	{ "config", "check|show [FILE|SERVICE]", F_PROVE, verb_config, true, "check a file, or show what is in force",
	  "switchctl config check switchd.yaml\nswitchctl config check switchd.yaml --prove" },
	{ "manifest", "add|show FILE [FIELD=VALUE...]", 0, verb_manifest, true, "write or read what build and test jobs say of a release",
	  "switchctl manifest add m.json release=$SHA digest=$DIGEST builder.name=npm builder.version=4.1.0\n"
	  "switchctl manifest add m.json tests.run=812 tests.result=passed\nswitchctl manifest show m.json" },
	{ "agents", "[forget NAME]", F_MESSAGE, verb_agents, false, "who reports: agents on proxy hosts, and controllers; forget: expected no more",
	  "switchctl agents\nswitchctl agents forget lb7" },
	{ "state", "export [FILE]|import FILE|repair [SERVICE]|upgrade", F_MESSAGE | F_DRY_RUN | F_FORCE | F_RID, verb_state, false,
	  "the store itself: as a document, and back; repair: the last good record over a value that is refused; upgrade: the newer schema",
	  "switchctl state export /var/backups/switchd.json\nswitchctl state import /var/backups/switchd.json -m INC-7 --dry-run\n"
	  "switchctl state repair shop --dry-run\nswitchctl state repair shop -m INC-7" },
	{ "doctor", "", 0, verb_doctor, true,
	  "is all that switchd stands on as it should be? exit 10 when something is bad; works without a daemon (--config)",
	  "switchctl doctor\nswitchctl doctor --config /etc/switchd/switchd.yaml --json" },
	{ "metrics", "", 0, verb_metrics, false, "the Prometheus text", "switchctl metrics" },
	{ "help", "[VERB]", 0, verb_help, true, "this text, or a verb's", "switchctl help deploy" },
	{ "version", "", 0, verb_version, true, "the version of switchctl, and of the daemon", "switchctl version" },
};

const struct verb *cli_verbs(size_t *n)
{
	*n = ARRAY_LEN(verbs);
	return verbs;
}

const struct verb *cli_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static void print_options(unsigned flags, bool global, FILE *to)
{
	for (size_t i = 0; i < cli_n_flags; i++) {
		const struct flag *f = &cli_flags[i];
		char left[48];

		if (global ? f->set != 0 : !(f->set & flags))
			continue;
		TEXT_FORMAT(left, "%s%c%s--%s%s%s", f->val < 256 ? "-" : " ", f->val < 256 ? f->val : ' ', f->val < 256 ? ", " : "  ", f->name,
			    f->arg ? " " : "", f->arg ? f->arg : "");
		fprintf(to, "  %-28s %s\n", left, f->doc);
	}
}

int cli_help(const struct verb *v, FILE *to)
{
	if (!v) {
		fputs("usage: switchctl [flags] VERB [SERVICE[/FEATURE]] [flags]\n\n", to);
		for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
			fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].doc);
		fputs("\nflags everywhere:\n", to);
		print_options(0, true, to);
		fputs("\nexit: 0 done, 2 usage or config, 10 refused (traffic never moved), 11 rolled back, 12 a human is needed now,\n"
		      "      13 unknown or still running, 14 held or locked, 15 the epoch changed, 16 unreachable, 130 detached\n", to);
		return to == stdout ? EX_DONE : EX_USAGE_ERROR;
	}
	fprintf(to, "usage: switchctl %s %s\n  %s\n", v->name, v->words, v->doc);
	if (v->flags)
		fputs("\nflags:\n", to);
	print_options(v->flags, false, to);
	fputs("\nexamples:\n", to);
	for (const char *e = v->examples; *e;) {
		size_t n = strcspn(e, "\n");

		fprintf(to, "  %.*s\n", (int)n, e);
		e += n + (e[n] == '\n');
	}
	return EX_DONE;
}

/* A cell of a markdown table: a bar in it would end it. */
static void cell(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			buf_adds(out, "\\");
		buf_add(out, text, 1);
	}
}

void cli_verbs_doc(struct buf *out)
{
	buf_adds(out, "| verb | does |\n|---|---|\n");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		buf_addf(out, "| `%s%s", verbs[i].name, verbs[i].words[0] ? " " : "");
		cell(out, verbs[i].words);
		buf_adds(out, "` | ");
		cell(out, verbs[i].doc);
		buf_adds(out, " |\n");
	}
	buf_adds(out, "\n| flag | verbs | does |\n|---|---|---|\n");
	for (size_t i = 0; i < cli_n_flags; i++) {
		const struct flag *f = &cli_flags[i];
		size_t n = 0;

		buf_adds(out, "| `");
		if (f->val < 256)
			buf_addf(out, "-%c, ", f->val);
		buf_addf(out, "--%s%s%s` | ", f->name, f->arg ? " " : "", f->arg ? f->arg : "");
		for (size_t v = 0; f->set && v < ARRAY_LEN(verbs); v++)
			if (verbs[v].flags & f->set)
				buf_addf(out, "%s%s", n++ ? ", " : "", verbs[v].name);
		buf_addf(out, "%s | ", f->set ? "" : "all");
		cell(out, f->doc);
		buf_adds(out, " |\n");
	}
}

int verb_help(struct cli *c)
{
	const struct verb *v = c->n_words ? cli_verb(c->words[0]) : NULL;

	if (c->n_words && !v)
		return usage_error(c, "unknown verb '%s'", c->words[0]);
	return cli_help(v, stdout);
}
