/* SPDX-License-Identifier: MIT
 * cli.c - from words to a verb and its exit code; which service is meant; prompts. */
#include "switchd/cli/cli.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switchd/base/text.h"

int usage_error(struct cli *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	complain(c, "%s", text);
	hint(c, "help", "switchctl %s%s--help", c->verb ? c->verb->name : "", c->verb ? " " : "");
	return EX_USAGE_ERROR;
}

/* NO_COLOR and its neighbours, in the order of the field: flag, NO_COLOR, FORCE_COLOR, TERM, a terminal. */
static void looks(struct cli *c)
{
	const char *no = getenv("NO_COLOR"), *force = getenv("FORCE_COLOR"), *term = getenv("TERM");

	setlocale(LC_ALL, "");
	c->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	c->color = !c->no_color && !(no && no[0]) && ((force && force[0]) || (!(term && strcmp(term, "dumb") == 0) && isatty(STDOUT_FILENO)));
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
	if (!a.reached || a.status != 200) {
		*exit_code = say_failed(c, "status", &a);
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
	complain(c, "nothing was done");
	*exit_code = EX_REFUSED;
	return false;
}

static int run(struct cli *c, int argc, char **argv)
{
	int ex = cli_parse(c, argc, argv);

	if (ex != EX_DONE)
		return ex;
	if (!c->url || !c->url[0])
		c->url = DEFAULT_URL;
	if (c->help)
		return cli_help(c->words_given ? c->verb : NULL, stdout);
	looks(c);
	if (c->version)
		return verb_version(c);
	bool own_words = c->verb->run == verb_proxy || c->verb->run == verb_config || c->verb->run == verb_help || c->verb->run == verb_pardon ||
			 c->verb->run == verb_manifest || c->verb->run == verb_discover || c->verb->run == verb_import || c->verb->run == verb_note || c->verb->run == verb_state;

	if (!own_words && (!split_service(c) || c->n_words > 1))
		return usage_error(c, "%s wants %s, got '%s'", c->verb->name, c->verb->words[0] ? c->verb->words : "no words",
				   c->words[c->n_words > 1 ? 1 : 0]);
	if (c->feature_word[0] && !strstr(c->verb->words, "FEATURE"))
		return usage_error(c, "%s wants %s, without a feature", c->verb->name, c->verb->words);
	if (c->output == FMT_MD && c->verb->run != verb_timeline && c->verb->run != verb_report)
		return usage_error(c, "-o md is for timeline and report");
	if ((c->output == FMT_HTML || c->output == FMT_CSV) && c->verb->run != verb_timeline)
		return usage_error(c, "-o html and csv are for timeline");
	if (c->output == FMT_NAGIOS && c->verb->run != verb_status)
		return usage_error(c, "-o nagios is for status");
	return c->verb->run(c);
}

int cli_main(int argc, char **argv)
{
	struct cli c = { .url = getenv("SWITCHD_URL"), .token_file = getenv("SWITCHD_TOKEN_FILE"), .config = getenv("SWITCHD_CONFIG"), .wait = "baked" };
	int ex;

	if (argc == 2 && strcmp(argv[1], "--verbs") == 0) { /* for scripts/docs */
		struct buf out = BUF_INIT(65536);

		cli_verbs_doc(&out);
		fputs(buf_str(&out), stdout);
		buf_free(&out);
		return EX_DONE;
	}
	ex = run(&c, argc, argv);
	if (!c.help)
		say_end(&c, ex);
	free(c.manifest_text);
	if (fflush(stdout) != 0 && ex == EX_DONE) { /* a full disk under the answer is no success */
		complain(&c, "the answer could not be written");
		ex = EX_INTERNAL;
	}
	return ex;
}
