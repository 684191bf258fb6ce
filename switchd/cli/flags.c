/* SPDX-License-Identifier: MIT
 * flags.c - the one table of flags, and how words become a struct cli. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "switchd/base/text.h"
#include "switchd/cli/cli.h"
#include "switchd/core/model.h"

enum { O_URL = 256, O_TOKEN, O_JSON, O_NO_COLOR, O_NO_INPUT, O_DRY, O_TIMEOUT, O_IF_EPOCH, O_CONFIG, O_RELEASE, O_SLOT, O_TO, O_CLAIM,
       O_DIGEST, O_WAIT, O_LOCK_WAIT, O_FORCE, O_FOR, O_POLICY, O_IS, O_MAX, O_DEPLOY, O_DIRECT, O_FRONT, O_BLUE, O_GREEN, O_ON_CANCEL, O_BIND,
       O_FEATURE, O_LAST, O_SINCE, O_RID, O_RENEW, O_PROVE, O_MANIFEST, O_SKIP, O_UNTIL, O_ARCHIVE, O_CONVERGED, O_VERSION };

const struct flag cli_flags[] = {
	{ "url", O_URL, 0, "URL", "unix:PATH or http(s)://HOST:PORT, several with commas: whichever leads (also SWITCHD_URL; default " DEFAULT_URL ")" },
	{ "token-file", O_TOKEN, 0, "FILE", "bearer token for http (also SWITCHD_TOKEN_FILE)" },
	{ "config", O_CONFIG, 0, "FILE", "for verbs that work without a daemon (also SWITCHD_CONFIG)" },
	{ "output", 'o', 0, "FORMAT", "table, json, md (timeline, report), html, csv (timeline), nagios (status)" },
	{ "json", O_JSON, 0, NULL, "the same as -o json" },
	{ "quiet", 'q', 0, NULL, "no progress" },
	{ "verbose", 'v', 0, NULL, "more of it" },
	{ "no-color", O_NO_COLOR, 0, NULL, "plain text" },
	{ "no-input", O_NO_INPUT, 0, NULL, "never ask" },
	{ "yes", 'y', 0, NULL, "answer yes" },
	{ "timeout", O_TIMEOUT, 0, "TIME", "give up waiting (exit 13: it is still running)" },
	{ "help", 'h', 0, NULL, "this text, or a verb's" },
	{ "version", O_VERSION, 0, NULL, "the version" },
	{ "message", 'm', F_MESSAGE, "WHY", "the reason, kept in the audit" },
	{ "dry-run", O_DRY, F_DRY_RUN, NULL, "say what would happen; change nothing" },
	{ "if-epoch", O_IF_EPOCH, F_IF_EPOCH, "N", "only if the epoch is still N (exit 15)" },
	{ "request-id", O_RID, F_RID, "ID", "the same ID twice is done once" },
	{ "renew", O_RENEW, F_RENEW, NULL, "keep the claim for another claim_ttl" },
	{ "prove", O_PROVE, F_PROVE, NULL, "would each probe notice that its feature is gone? asks stubs, no target (exit 10: one would not)" },
	{ "release", O_RELEASE, F_RELEASE, "ID", "the release" },
	{ "slot", O_SLOT, F_SLOT, "SLOT", "blue or green" },
	{ "to", O_TO, F_TO, "SLOT", "blue or green" },
	{ "claim", O_CLAIM, F_CLAIM, "ID", "the claim to renew, use or give back" },
	{ "digest", O_DIGEST, F_DIGEST, "DIGEST", "of the release's bits" },
	{ "manifest", O_MANIFEST, F_GATES, "FILE", "what the build says of the release, JSON or YAML; - is stdin" },
	{ "skip-gate", O_SKIP, F_GATES, "GATE", "set this gate aside; needs -m and the role operate; may be given several times" },
	{ "wait", O_WAIT, F_WAIT, "STAGE", "none, ready, flipped or baked (default baked)" },
	{ "converged", O_CONVERGED, F_CONVERGED, "HOW-MANY", "wait until all, 90% or N proxies show it (exit 13: committed, not converged)" },
	{ "lock-wait", O_LOCK_WAIT, F_LOCK_WAIT, "TIME", "wait this long while another deploy is under way" },
	{ "force", O_FORCE, F_FORCE, NULL, "against the probes' advice; needs -m" },
	{ "for", O_FOR, F_FOR, "TIME", "how long" },
	{ "rollback", O_POLICY, F_POLICY, "POLICY", "auto, ask or never, for this release" },
	{ "is", O_IS, F_IS, "SLOT", "exit 0 when it is that slot, else 1" },
	{ "max", O_MAX, F_MAX, "N", "at most N events; of discover: at most N routes" },
	{ "last", O_LAST, F_LAST, NULL, "the last deploy only; of inventory: the last comparison, without asking" },
	{ "since", O_SINCE, F_SINCE, "TIME", "the last 2h, 7d..., or from 2026-11-22T03:00:00Z on" },
	{ "until", O_UNTIL, F_REPORT, "TIME", "of a post-mortem: up to 1h ago, or 2026-11-22T04:00:00Z; now, if not told" },
	{ "archive", O_ARCHIVE, F_REPORT, "DIR", "the post-mortem from this archive, without a daemon" },
	{ "deploy", O_DEPLOY, F_DEPLOY, "N", "a deploy's number" },
	{ "direct", O_DIRECT, F_DIRECT, NULL, "through the proxy's own socket, past daemon and store" },
	{ "front", O_FRONT, F_FRONT, "URL", "the public address" },
	{ "blue", O_BLUE, F_BLUE, "ADDRS", "host:port, several with commas" },
	{ "green", O_GREEN, F_GREEN, "ADDRS", "host:port, several with commas" },
	{ "feature", O_FEATURE, F_FEATURE, "NAME=PATH", "may be given several times" },
	{ "on-cancel", O_ON_CANCEL, F_ON_CANCEL, "WHAT", "detach (default) or abort, on Ctrl-C" },
	{ "bind", O_BIND, F_BIND, "ADDR", "the snippet's frontend address" },
	{ "watch", 'w', F_WATCH, NULL, "keep it live" },
};
const size_t cli_n_flags = ARRAY_LEN(cli_flags);

/* "500ms", "1.5s", "10m", "2h", "7d": digits, at most one point, a unit.  The locale has no say in it. */
bool cli_duration(const char *text, int64_t *ms)
{
	static const struct { const char *unit; int64_t ms; } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
	size_t whole = strspn(text, "0123456789"), part = 0;
	int64_t v = 0, scale = 1;

	if (text[whole] == '.')
		part = 1 + strspn(text + whole + 1, "0123456789");
	if (!whole || whole > 8 || part == 1 || part > 3)
		return false;
	for (size_t i = 0; i < whole + part; i++) {
		if (text[i] == '.')
			continue;
		v = v * 10 + (text[i] - '0');
		scale *= i > whole ? 10 : 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(text + whole + part, units[i].unit) == 0) {
			*ms = v * units[i].ms / scale;
			return true;
		}
	return false;
}

/* A time with a unit is that long ago; else UTC, to the minute, the second or the millisecond. */
bool cli_when(const char *text, wall_ms *out)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
	int64_t ms;

	if (cli_duration(text, &ms)) {
		out->ms = wall_now().ms - ms;
		return out->ms > 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct tm tm = { .tm_mday = 1 };
		const char *rest = strptime(text, forms[i], &tm);
		int64_t part = 0;

		if (!rest)
			continue;
		if (i == 0 && rest[0] == '.' && strspn(rest + 1, "0123456789") == 3) {
			for (int k = 1; k <= 3; k++)
				part = part * 10 + (rest[k] - '0');
			rest += 4;
		}
		if (strcmp(rest, "Z") != 0 && rest[0])
			continue;
		out->ms = (int64_t)timegm(&tm) * 1000 + part;
		return out->ms > 0;
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
	static const char *const names[] = { "table", "json", "md", "nagios", "html", "csv" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], text) == 0) {
			c->output = (enum output)i;
			return EX_DONE;
		}
	return usage_error(c, "-o knows table, json, md, html, csv and nagios, not '%s'", text);
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
	case O_CONVERGED: c->converged = arg; break;
	case O_LOCK_WAIT: return time_flag(c, "lock-wait", arg, &c->lock_wait_ms);
	case O_RENEW: c->renew = true; break;
	case O_PROVE: c->prove = true; break;
	case O_FORCE: c->force = true; break;
	case O_FOR: c->for_text = arg; break;
	case O_POLICY: c->policy = arg; break;
	case O_IS: c->is = arg; break;
	case O_MAX: return number_flag(c, "max", arg, &c->max);
	case O_LAST: c->last = true; break;
	case O_SINCE: c->since = arg; break;
	case O_UNTIL: c->until = arg; break;
	case O_ARCHIVE: c->archive = arg; break;
	case O_DEPLOY: return number_flag(c, "deploy", arg, &c->deploy);
	case O_DIRECT: c->direct = true; break;
	case O_FRONT: c->front = arg; break;
	case O_BLUE: c->blue = arg; break;
	case O_GREEN: c->green = arg; break;
	case O_ON_CANCEL: c->on_cancel = arg; break;
	case O_BIND: c->bind = arg; break;
	case 'w': c->watch = true; break;
	case O_MANIFEST: c->manifest = arg; break;
	case O_SKIP:
		if (c->n_skips == ARRAY_LEN(c->skip))
			return usage_error(c, "too many --skip-gate");
		c->skip[c->n_skips++] = arg;
		break;
	case O_FEATURE:
		if (c->n_features == ARRAY_LEN(c->feature))
			return usage_error(c, "too many --feature");
		c->feature[c->n_features++] = arg;
		break;
	default: never("an option without a case");
	}
	return EX_DONE;
}

/* ---- words to flags ---- */

static int unknown_flag(struct cli *c, char **argv, int val)
{
	const char *names[ARRAY_LEN(cli_flags)], *word = argv[optind - 1], *near = NULL;
	char short_word[3] = { '-', (char)optopt, '\0' };

	for (size_t i = 0; i < ARRAY_LEN(cli_flags); i++)
		names[i] = cli_flags[i].name;
	if (optopt && optopt < 256)
		word = short_word;
	else if (text_starts(word, "--"))
		near = text_nearest(word + 2, names, ARRAY_LEN(names));
	if (val == ':')
		return usage_error(c, "%s wants a value", argv[optind - 1]);
	return usage_error(c, "unknown flag %s%s%s%s", word, near ? " (did you mean --" : "", near ? near : "", near ? "?)" : "");
}

static int find_verb(struct cli *c, const char *word)
{
	size_t n;
	const struct verb *verbs = cli_verbs(&n);
	const char *names[64], *near;

	c->verb = cli_verb(word);
	if (c->verb)
		return EX_DONE;
	must(n <= ARRAY_LEN(names));
	for (size_t i = 0; i < n; i++)
		names[i] = verbs[i].name;
	near = text_nearest(word, names, n);
	return usage_error(c, "unknown verb '%s'%s%s%s", word, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

/* The command's words are not ours to read: what stands before -- is all there is. */
static int before_command(struct cli *c, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0) {
			c->command = i + 1 < argc ? &argv[i + 1] : NULL;
			c->empty_command = !c->command;
			return i;
		}
	return argc;
}

/* Known before anything else: also the error of a bad flag is one object then. */
static void want_json(struct cli *c, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-ojson") == 0 || strcmp(argv[i], "--output=json") == 0 ||
		    ((strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0) && i + 1 < argc && strcmp(argv[i + 1], "json") == 0))
			c->output = FMT_JSON;
}

static int take_flags(struct cli *c, int argc, char **argv, unsigned *used)
{
	struct option table[ARRAY_LEN(cli_flags) + 1] = { 0 };
	int val;

	for (size_t i = 0; i < ARRAY_LEN(cli_flags); i++)
		table[i] = (struct option){ cli_flags[i].name, cli_flags[i].arg ? 1 : 0, NULL, cli_flags[i].val };
	opterr = 0;
	optind = 0; /* begin anew: tests call this more than once */
	while ((val = getopt_long(argc, argv, ":o:qvym:wh", table, NULL)) != -1) {
		int ex = EX_DONE;

		if (val == '?' || val == ':')
			return unknown_flag(c, argv, val);
		if (val == 'h')
			c->help = true;
		else if (val == O_VERSION)
			c->version = true;
		else
			ex = take(c, val, optarg);
		if (ex != EX_DONE)
			return ex;
		for (size_t i = 0; i < ARRAY_LEN(cli_flags); i++)
			if (cli_flags[i].val == val)
				*used |= cli_flags[i].set;
	}
	return EX_DONE;
}

/* What ends up in a header or in a path is checked here, once. */
static int check_values(struct cli *c)
{
	struct version v;
	uint64_t n;
	enum slot s;
	const char *const slots[] = { c->slot, c->to, c->is }, *const names[] = { "slot", "to", "is" };

	if (c->if_epoch && !text_u64(c->if_epoch, &n) && !version_parse(c->if_epoch, &v))
		return usage_error(c, "--if-epoch wants a number, or GEN.EPOCH, got '%s'", c->if_epoch);
	if (c->rid && !id_ok(c->rid))
		return usage_error(c, "--request-id is up to 64 of A-Z a-z 0-9 . _ : @ / + -");
	if (c->release && !id_ok(c->release))
		return usage_error(c, "--release is up to 64 of A-Z a-z 0-9 . _ : @ / + -, got '%s'", c->release);
	if (c->url && c->url[0] && !text_starts(c->url, "unix:") && !text_starts(c->url, "http://") && !text_starts(c->url, "https://"))
		return usage_error(c, "--url (SWITCHD_URL) is unix:PATH or http(s)://HOST:PORT, got '%s'", c->url);
	if (c->converged && !fleet_goal_ok(c->converged))
		return usage_error(c, "--converged wants all, 90%% or a number of proxies, got '%s'", c->converged);
	for (size_t i = 0; i < ARRAY_LEN(slots); i++)
		if (slots[i] && !slot_parse(slots[i], &s))
			return usage_error(c, "--%s is blue or green, got '%s'", names[i], slots[i]);
	return EX_DONE;
}

int cli_parse(struct cli *c, int argc, char **argv)
{
	unsigned used = 0;
	int ex;

	argc = before_command(c, argc, argv);
	want_json(c, argc, argv);
	ex = take_flags(c, argc, argv, &used);
	c->words_given = optind < argc;
	if (ex == EX_DONE && optind < argc)
		ex = find_verb(c, argv[optind++]);
	if (ex != EX_DONE)
		return ex;
	for (; optind < argc; optind++) {
		if (c->n_words == ARRAY_LEN(c->words))
			return usage_error(c, "too many words at '%s'", argv[optind]);
		c->words[c->n_words++] = argv[optind];
	}
	if (!c->verb)
		c->verb = cli_verb("status"); /* no words: status of everything */
	if (c->help || c->version)
		return EX_DONE;
	for (size_t i = 0; i < ARRAY_LEN(cli_flags); i++)
		if (cli_flags[i].set & used & ~c->verb->flags)
			return usage_error(c, "%s does not take --%s", c->verb->name, cli_flags[i].name);
	if (c->command && c->verb->run != verb_deploy)
		return usage_error(c, "%s runs no command", c->verb->name);
	if (c->empty_command)
		return usage_error(c, "there is no command after --");
	return check_values(c);
}
