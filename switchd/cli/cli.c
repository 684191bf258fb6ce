/* SPDX-License-Identifier: MIT
 * cli.c - the verb table, the flags, help, prompts. */
#include "switchd/cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switchd/base/text.h"

#define DEFAULT_URL "unix:/run/switchd/switchd.sock"
#define MUTATION (F_MESSAGE | F_DRY_RUN | F_IF_EPOCH | F_RID)

static const struct verb verbs[] = {
	{ "status", "[SERVICE]", F_WATCH, verb_status, false, "who serves, since when, armed or not; -w keeps it live",
	  "switchctl status\nswitchctl status shop -w\nswitchctl status shop --json" },
	{ "claim", "[SERVICE]", F_RELEASE | F_SLOT | F_CLAIM | F_FORCE | F_LOCK_WAIT | MUTATION, verb_claim, false,
	  "take the idle slot to fill it; prints the slot (--claim ID renews)", "SLOT=$(switchctl claim shop --release $SHA)" },
	{ "unclaim", "[SERVICE]", F_CLAIM | F_FORCE | MUTATION, verb_unclaim, false, "give the idle slot back", "switchctl unclaim shop" },
	{ "deploy", "[SERVICE] [-- COMMAND...]",
	  F_RELEASE | F_SLOT | F_CLAIM | F_DIGEST | F_WAIT | F_LOCK_WAIT | F_POLICY | F_FORCE | F_ON_CANCEL | MUTATION, verb_deploy, false,
	  "prove the release in the idle slot, flip to it, bake it; with a COMMAND: claim, run it, announce, wait",
	  "switchctl deploy shop --release $SHA -- ./ship\nswitchctl deploy shop --slot blue --release r42 --wait=ready" },
	{ "abort", "[SERVICE]", F_DEPLOY | MUTATION, verb_abort, false, "end a deploy that is proving or ready", "switchctl abort shop" },
	{ "flip", "[SERVICE]", F_TO | F_FORCE | MUTATION, verb_flip, false, "make the idle slot active", "switchctl flip shop --to blue" },
	{ "rollback", "[SERVICE]", F_FORCE | MUTATION, verb_rollback, false, "back to the slot that was good", "switchctl rollback shop -m INC-123" },
	{ "hold", "[SERVICE]", F_FOR | MUTATION, verb_hold, false, "no automatic and no forward moves; a rollback always passes",
	  "switchctl hold shop --for 2h -m INC-123" },
	{ "resume", "[SERVICE]", MUTATION, verb_resume, false, "end a hold or a pin", "switchctl resume shop" },
	{ "seal", "[SERVICE]", MUTATION, verb_seal, false, "the old release cannot serve any more: automation will not go back to it",
	  "switchctl seal shop -m 'migration 118'" },
	{ "unseal", "[SERVICE]", MUTATION, verb_unseal, false, "it can, after all", "switchctl unseal shop -m 'migration undone'" },
	{ "pardon", "[SERVICE]", F_RELEASE | MUTATION, verb_pardon, false, "take a release off the condemned list",
	  "switchctl pardon shop --release r44 -m 'db was at fault'" },
	{ "mute", "SERVICE/FEATURE", F_FOR | MUTATION, verb_mute, false, "a feature neither moves nor blocks nor counts, 24 h at most",
	  "switchctl mute shop/quotes --for 30m -m 'vendor down'" },
	{ "unmute", "SERVICE/FEATURE", MUTATION, verb_unmute, false, "it counts again", "switchctl unmute shop/quotes" },
	{ "why", "[SERVICE]", 0, verb_why, false, "the last decision, the rule that fired, evidence of both slots", "switchctl why shop" },
	{ "timeline", "[SERVICE]", F_MAX | F_LAST | F_SINCE | F_DEPLOY, verb_timeline, false, "what happened, when, by whom, why",
	  "switchctl timeline shop --last\nswitchctl timeline shop --since 2h -o md" },
	{ "evidence", "SERVICE/FEATURE", 0, verb_evidence, false, "what came back: last absent, last present before it, both slots",
	  "switchctl evidence shop/quotes" },
	{ "deploys", "[SERVICE]", 0, verb_deploys, false, "the last deploys and how they ended", "switchctl deploys shop" },
	{ "events", "[SERVICE]", 0, verb_events, false, "follow events as they happen", "switchctl events" },
	{ "probe", "[SERVICE]", F_SLOT, verb_probe, true, "ask every feature now; works without a daemon (--config)",
	  "switchctl probe shop --slot green" },
	{ "active", "SERVICE", F_IS, verb_active, true, "the active slot; --is SLOT: exit 0 or 1; works without a daemon, from the journal",
	  "switchctl active shop --is $MY_SLOT || exit 0" },
	{ "init", "[SERVICE]", F_FRONT | F_BLUE | F_GREEN | F_FEATURE, verb_init, true, "ask these addresses and print a first configuration",
	  "switchctl init --front https://shop.example.com --blue 10.0.0.1:8101 --green 10.0.0.1:8102" },
	{ "proxy", "snippet|init|diff|pin [haproxy] [SERVICE] [SLOT]", F_DIRECT | F_BIND | F_FORCE | F_DRY_RUN, verb_proxy, true,
	  "what the proxy needs, shows, or is pinned to", "switchctl proxy snippet haproxy shop\nswitchctl --direct proxy pin shop green" },
	{ "config", "check|show [FILE|SERVICE]", 0, verb_config, true, "check a file, or show what is in force", "switchctl config check switchd.yaml" },
	{ "metrics", "", 0, verb_metrics, false, "the Prometheus text", "switchctl metrics" },
	{ "version", "", 0, verb_version, true, "the version of switchctl, and of the daemon", "switchctl version" },
};

const struct verb *cli_verbs(size_t *n)
{
	*n = ARRAY_LEN(verbs);
	return verbs;
}

enum { O_URL = 256, O_TOKEN, O_JSON, O_NO_COLOR, O_NO_INPUT, O_DRY, O_TIMEOUT, O_IF_EPOCH, O_CONFIG, O_RELEASE, O_SLOT, O_TO, O_CLAIM,
       O_DIGEST, O_WAIT, O_LOCK_WAIT, O_FORCE, O_FOR, O_POLICY, O_IS, O_MAX, O_DEPLOY, O_DIRECT, O_FRONT, O_BLUE, O_GREEN, O_ON_CANCEL, O_BIND,
       O_FEATURE, O_LAST, O_SINCE, O_RID, O_VERSION };

static const struct { struct option opt; unsigned flag; const char *arg, *doc; } options[] = {
	{ { "url", 1, NULL, O_URL }, 0, "URL", "unix:PATH or http(s)://HOST:PORT (also SWITCHD_URL; default " DEFAULT_URL ")" },
	{ { "token-file", 1, NULL, O_TOKEN }, 0, "FILE", "bearer token for http (also SWITCHD_TOKEN_FILE)" },
	{ { "config", 1, NULL, O_CONFIG }, 0, "FILE", "for verbs that work without a daemon (also SWITCHD_CONFIG)" },
	{ { "output", 1, NULL, 'o' }, 0, "FORMAT", "table, json, md (timeline), nagios (status)" },
	{ { "json", 0, NULL, O_JSON }, 0, NULL, "the same as -o json" },
	{ { "quiet", 0, NULL, 'q' }, 0, NULL, "no progress" },
	{ { "verbose", 0, NULL, 'v' }, 0, NULL, "more of it" },
	{ { "no-color", 0, NULL, O_NO_COLOR }, 0, NULL, "plain text" },
	{ { "no-input", 0, NULL, O_NO_INPUT }, 0, NULL, "never ask" },
	{ { "yes", 0, NULL, 'y' }, 0, NULL, "answer yes" },
	{ { "timeout", 1, NULL, O_TIMEOUT }, 0, "TIME", "give up waiting (exit 13: it is still running)" },
	{ { "help", 0, NULL, 'h' }, 0, NULL, "this text, or a verb's" },
	{ { "version", 0, NULL, O_VERSION }, 0, NULL, "the version" },
	{ { "message", 1, NULL, 'm' }, F_MESSAGE, "WHY", "the reason, kept in the audit" },
	{ { "dry-run", 0, NULL, O_DRY }, F_DRY_RUN, NULL, "say what would happen; change nothing" },
	{ { "if-epoch", 1, NULL, O_IF_EPOCH }, F_IF_EPOCH, "N", "only if the epoch is still N (exit 15)" },
	{ { "request-id", 1, NULL, O_RID }, F_RID, "ID", "the same ID twice is done once" },
	{ { "release", 1, NULL, O_RELEASE }, F_RELEASE, "ID", "the release" },
	{ { "slot", 1, NULL, O_SLOT }, F_SLOT, "SLOT", "blue or green" },
	{ { "to", 1, NULL, O_TO }, F_TO, "SLOT", "blue or green" },
	{ { "claim", 1, NULL, O_CLAIM }, F_CLAIM, "ID", "the claim to renew, use or give back" },
	{ { "digest", 1, NULL, O_DIGEST }, F_DIGEST, "DIGEST", "of the release's bits" },
	{ { "wait", 1, NULL, O_WAIT }, F_WAIT, "STAGE", "none, ready, flipped or baked (default baked)" },
	{ { "lock-wait", 1, NULL, O_LOCK_WAIT }, F_LOCK_WAIT, "TIME", "wait this long while another deploy is under way" },
	{ { "force", 0, NULL, O_FORCE }, F_FORCE, NULL, "against the probes' advice; needs -m" },
	{ { "for", 1, NULL, O_FOR }, F_FOR, "TIME", "how long" },
	{ { "rollback", 1, NULL, O_POLICY }, F_POLICY, "POLICY", "auto, ask or never, for this release" },
	{ { "is", 1, NULL, O_IS }, F_IS, "SLOT", "exit 0 when it is that slot, else 1" },
	{ { "max", 1, NULL, O_MAX }, F_MAX, "N", "at most N events" },
	{ { "last", 0, NULL, O_LAST }, F_LAST, NULL, "the last deploy only" },
	{ { "since", 1, NULL, O_SINCE }, F_SINCE, "TIME", "the last 2h, 7d..." },
	{ { "deploy", 1, NULL, O_DEPLOY }, F_DEPLOY, "N", "a deploy's number" },
	{ { "direct", 0, NULL, O_DIRECT }, F_DIRECT, NULL, "through the proxy's own socket, past daemon and store" },
	{ { "front", 1, NULL, O_FRONT }, F_FRONT, "URL", "the public address" },
	{ { "blue", 1, NULL, O_BLUE }, F_BLUE, "ADDRS", "host:port, several with commas" },
	{ { "green", 1, NULL, O_GREEN }, F_GREEN, "ADDRS", "host:port, several with commas" },
	{ { "feature", 1, NULL, O_FEATURE }, F_FEATURE, "NAME=PATH", "may be given several times" },
	{ { "on-cancel", 1, NULL, O_ON_CANCEL }, F_ON_CANCEL, "WHAT", "detach (default) or abort, on Ctrl-C" },
	{ { "bind", 1, NULL, O_BIND }, F_BIND, "ADDR", "the snippet's frontend address" },
	{ { "watch", 0, NULL, 'w' }, F_WATCH, NULL, "keep it live" },
};

int usage_error(struct cli *c, const char *fmt, ...)
{
	va_list ap;

	fputs("switchctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n  help    switchctl %s%s--help\n", c->verb ? c->verb->name : "", c->verb ? " " : "");
	return EX_USAGE_ERROR;
}

static void print_options(unsigned flags, bool global, FILE *to)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		char left[48];

		if (global ? options[i].flag != 0 : !(options[i].flag & flags))
			continue;
		const struct option *o = &options[i].opt;

		TEXT_FORMAT(left, "%s%c%s--%s%s%s", o->val < 256 ? "-" : " ", o->val < 256 ? o->val : ' ', o->val < 256 ? ", " : "  ", o->name,
			    options[i].arg ? " " : "", options[i].arg ? options[i].arg : "");
		fprintf(to, "  %-28s %s\n", left, options[i].doc);
	}
}

static int help(const struct verb *v, FILE *to)
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

void cli_verbs_doc(struct buf *out)
{
	buf_adds(out, "| verb | words | does |\n|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		buf_addf(out, "| `%s` | `%s` | %s |\n", verbs[i].name, verbs[i].words, verbs[i].doc);
}

bool cli_duration(const char *text, int64_t *ms)
{
	static const struct { const char *unit; int64_t ms; } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
	char *end;
	double v;

	errno = 0;
	v = strtod(text, &end);
	if (errno || end == text || !(v >= 0) || v > 1e9)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(end, units[i].unit) == 0) {
			*ms = (int64_t)(v * (double)units[i].ms);
			return true;
		}
	return false;
}

static int number_flag(struct cli *c, const char *name, const char *text, int64_t *out)
{
	uint64_t v;

	if (!text_u64(text, &v) || v > INT64_MAX)
		return usage_error(c, "--%s wants a number, got '%s'", name, text);
	*out = (int64_t)v;
	return EX_DONE;
}

static int time_flag(struct cli *c, const char *name, const char *text, int64_t *out)
{
	if (!cli_duration(text, out))
		return usage_error(c, "--%s wants a time with a unit, such as 30s or 10m, got '%s'", name, text);
	return EX_DONE;
}

static int output_flag(struct cli *c, const char *text)
{
	static const char *const names[] = { "table", "json", "md", "nagios" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], text) == 0) {
			c->output = (enum output)i;
			return EX_DONE;
		}
	return usage_error(c, "-o knows table, json, md and nagios, not '%s'", text);
}

static int take(struct cli *c, int val, const char *arg)
{
	switch (val) {
	case O_URL: c->url = arg; break;
	case O_TOKEN: c->token_file = arg; break;
	case O_CONFIG: c->config = arg; break;
	case 'o': return output_flag(c, arg);
	case O_JSON: c->output = FMT_JSON; break;
	case 'q': c->quiet = true; break;
	case 'v': c->verbose = true; break;
	case O_NO_COLOR: c->no_color = true; break;
	case O_NO_INPUT: c->no_input = true; break;
	case 'y': c->yes = true; break;
	case O_TIMEOUT: return time_flag(c, "timeout", arg, &c->timeout_ms);
	case 'm': c->message = arg; break;
	case O_DRY: c->dry_run = true; break;
	case O_IF_EPOCH: c->if_epoch = arg; break;
	case O_RID: c->rid = arg; break;
	case O_RELEASE: c->release = arg; break;
	case O_SLOT: c->slot = arg; break;
	case O_TO: c->to = arg; break;
	case O_CLAIM: c->claim = arg; break;
	case O_DIGEST: c->digest = arg; break;
	case O_WAIT: c->wait = arg; break;
	case O_LOCK_WAIT: return time_flag(c, "lock-wait", arg, &c->lock_wait_ms);
	case O_FORCE: c->force = true; break;
	case O_FOR: c->for_text = arg; break;
	case O_POLICY: c->policy = arg; break;
	case O_IS: c->is = arg; break;
	case O_MAX: return number_flag(c, "max", arg, &c->max);
	case O_LAST: c->last = true; break;
	case O_SINCE: c->since = arg; break;
	case O_DEPLOY: return number_flag(c, "deploy", arg, &c->deploy);
	case O_DIRECT: c->direct = true; break;
	case O_FRONT: c->front = arg; break;
	case O_BLUE: c->blue = arg; break;
	case O_GREEN: c->green = arg; break;
	case O_ON_CANCEL: c->on_cancel = arg; break;
	case O_BIND: c->bind = arg; break;
	case 'w': c->watch = true; break;
	case O_FEATURE:
		if (c->n_features == ARRAY_LEN(c->feature))
			return usage_error(c, "too many --feature");
		c->feature[c->n_features++] = arg;
		break;
	default: never("an option without a case");
	}
	return EX_DONE;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* NO_COLOR and its neighbours, in the order of the field: flag, NO_COLOR, FORCE_COLOR, TERM, a terminal. */
static void looks(struct cli *c)
{
	const char *no = getenv("NO_COLOR"), *force = getenv("FORCE_COLOR"), *term = getenv("TERM");

	setlocale(LC_ALL, "");
	c->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	c->color = !c->no_color && !(no && no[0]) && ((force && force[0]) || (!(term && strcmp(term, "dumb") == 0) && isatty(STDOUT_FILENO)));
}

static int parse(struct cli *c, int argc, char **argv, bool *help_wanted, bool *version_wanted)
{
	struct option table[ARRAY_LEN(options) + 1];
	const char *names[ARRAY_LEN(options)];
	unsigned used = 0;
	int val;

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		table[i] = options[i].opt;
		names[i] = options[i].opt.name;
	}
	table[ARRAY_LEN(options)] = (struct option){ 0 };
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0) {
			c->command = i + 1 < argc ? &argv[i + 1] : NULL;
			argc = i; /* the command's words are not ours to read */
			break;
		}
	opterr = 0;
	while ((val = getopt_long(argc, argv, ":o:qvym:wh", table, NULL)) != -1) {
		if (val == 'h') {
			*help_wanted = true;
		} else if (val == O_VERSION) {
			*version_wanted = true;
		} else if (val == '?' || val == ':') {
			const char *word = argv[optind - 1];
			const char *near = text_starts(word, "--") ? text_nearest(word + 2, names, ARRAY_LEN(names)) : NULL;

			if (val == ':')
				return usage_error(c, "%s wants a value", word);
			return usage_error(c, "unknown flag %s%s%s%s", word, near ? " (did you mean --" : "", near ? near : "", near ? "?)" : "");
		} else {
			int ex = take(c, val, optarg);

			if (ex != EX_DONE)
				return ex;
			for (size_t i = 0; i < ARRAY_LEN(options); i++)
				if (options[i].opt.val == val)
					used |= options[i].flag;
		}
	}
	if (optind < argc) {
		c->verb = find_verb(argv[optind]);
		if (!c->verb) {
			const char *verb_names[ARRAY_LEN(verbs)], *near;

			for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
				verb_names[i] = verbs[i].name;
			near = text_nearest(argv[optind], verb_names, ARRAY_LEN(verb_names));
			return usage_error(c, "unknown verb '%s'%s%s%s", argv[optind], near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
		}
		optind++;
	}
	for (; optind < argc; optind++) {
		if (c->n_words == ARRAY_LEN(c->words))
			return usage_error(c, "too many words at '%s'", argv[optind]);
		c->words[c->n_words++] = argv[optind];
	}
	unsigned foreign = used & ~(c->verb ? c->verb->flags : 0);

	for (size_t i = 0; c->verb && foreign && i < ARRAY_LEN(options); i++)
		if (options[i].flag & foreign)
			return usage_error(c, "%s does not take --%s", c->verb->name, options[i].opt.name);
	if (c->command && c->verb && c->verb->run != verb_deploy)
		return usage_error(c, "%s runs no command", c->verb->name);
	return EX_DONE;
}

static bool split_service(struct cli *c)
{
	const char *word = c->n_words ? c->words[0] : "", *slash = strchr(word, '/');
	size_t n = slash ? (size_t)(slash - word) : strlen(word);

	return text_copy_n(c->service, sizeof(c->service), word, n) && (!n || name_ok(c->service)) &&
	       (!slash || (text_copy(c->feature_word, sizeof(c->feature_word), slash + 1) && name_ok(c->feature_word)));
}

bool cli_service(struct cli *c, int *exit_code)
{
	struct answer a;
	json_t *list;
	bool ok = false;

	if (c->service[0])
		return true;
	client_ask(c, "GET", "/v1/services", NULL, 0, &a);
	if (!a.reached) {
		*exit_code = say_unreachable(c, &a);
	} else if (a.status != 200) {
		*exit_code = say_error(c, "services", &a);
	} else {
		list = json_object_get(a.json, "services");
		ok = json_array_size(list) == 1 && TEXT_COPY(c->service, jstr(json_array_get(list, 0), "service"));
		if (!ok)
			*exit_code = usage_error(c, "there are %zu services: name one", json_array_size(list));
	}
	answer_free(&a);
	return ok;
}

/* Danger has its price: y/N, or typing the slot's name.  Nobody to ask: an error, never a hang. */
bool cli_confirm(struct cli *c, const char *question, const char *type_this, int *exit_code)
{
	char line[128];

	if (c->yes)
		return true;
	if (c->no_input || !isatty(STDIN_FILENO)) {
		*exit_code = usage_error(c, "%s: nobody to ask here; add --yes", question);
		return false;
	}
	if (type_this)
		fprintf(stderr, "%s Type \"%s\": ", question, type_this);
	else
		fprintf(stderr, "%s [y/N] ", question);
	fflush(stderr);
	if (!fgets(line, sizeof(line), stdin))
		line[0] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (type_this ? strcmp(line, type_this) == 0 : line[0] == 'y' || line[0] == 'Y')
		return true;
	fputs("switchctl: nothing was done\n", stderr);
	*exit_code = EX_REFUSED;
	return false;
}

int cli_main(int argc, char **argv)
{
	struct cli c = { .url = getenv("SWITCHD_URL"), .token_file = getenv("SWITCHD_TOKEN_FILE"), .config = getenv("SWITCHD_CONFIG"), .wait = "baked" };
	bool help_wanted = false, version_wanted = false;

	if (argc == 2 && strcmp(argv[1], "--verbs") == 0) { /* for scripts/docs */
		struct buf out = BUF_INIT(65536);

		cli_verbs_doc(&out);
		fputs(buf_str(&out), stdout);
		buf_free(&out);
		return EX_DONE;
	}
	int ex = parse(&c, argc, argv, &help_wanted, &version_wanted);

	if (ex != EX_DONE)
		return ex;
	if (!c.url || !c.url[0])
		c.url = DEFAULT_URL;
	if (help_wanted)
		return help(c.verb, stdout);
	looks(&c);
	if (version_wanted)
		return verb_version(&c);
	if (!c.verb)
		c.verb = find_verb("status"); /* no words: status of everything */
	bool own_words = c.verb->run == verb_proxy || c.verb->run == verb_config;

	if (!own_words && (!split_service(&c) || c.n_words > 1))
		return usage_error(&c, "bad words after %s: want %s", c.verb->name, c.verb->words);
	if (c.output == FMT_MD && c.verb->run != verb_timeline)
		return usage_error(&c, "-o md is for timeline");
	if (c.output == FMT_NAGIOS && c.verb->run != verb_status)
		return usage_error(&c, "-o nagios is for status");
	return c.verb->run(&c);
}
