/* SPDX-License-Identifier: MIT
 * init.c - a first configuration: asks the addresses given, and prints the least file that loads. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/outside.h"
#include "switchd/base/text.h"
#include "switchd/cli/cli.h"
#include "switchd/core/config/config.h"

enum { ASK_MS = 3000, YAML_MAX = 64 * 1024, ERRORS_MAX = 256 * 1024 };

struct said { long status; double ms; char error[160]; };

static size_t drop(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

/* Only whether somebody is there: certificates and redirects are the probes' business. */
static void ask(const char *url, struct said *s)
{
	CURL *h = curl_easy_init();
	double total = 0;

	must(h != NULL);
	*s = (struct said){ 0 };
	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)ASK_MS);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, drop);
	CURLcode rc = curl_easy_perform(h);

	if (rc == CURLE_OK)
		curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &s->status);
	else
		TEXT_COPY(s->error, curl_easy_strerror(rc));
	curl_easy_getinfo(h, CURLINFO_TOTAL_TIME, &total);
	s->ms = total * 1000;
	curl_easy_cleanup(h);
}

/* Says it, and remembers it for --json. */
static bool tell(struct cli *c, json_t *asked, const char *who, const char *address, const char *url)
{
	struct said s;

	ask(url, &s);
	if (!c->quiet && s.status)
		fprintf(stderr, "  %-6s %-32s answered %ld in %.1f ms\n", who, address, s.status, s.ms);
	else if (!c->quiet)
		fprintf(stderr, "  %-6s %-32s did not answer: %s\n", who, address, s.error);
	json_array_append_new(asked, json_pack("{s:s,s:s,s:i,s:s}", "who", who, "address", address, "status", (int)s.status, "error", s.error));
	return s.status != 0;
}

static bool plain(const char *s) { return s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:/_-")] == '\0'; }

/* A scalar of YAML: quoted unless it cannot be misread. */
static void scalar(struct buf *yaml, const char *s)
{
	if (plain(s) || (text_starts(s, "http") && strstr(s, "://") && !strpbrk(s, "#, \"'[]{}"))) {
		buf_adds(yaml, s);
		return;
	}
	buf_adds(yaml, "\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_adds(yaml, "\\");
		buf_add(yaml, s, 1);
	}
	buf_adds(yaml, "\"");
}

static int slot_line(struct cli *c, json_t *asked, const char *name, const char *list, struct buf *yaml, int *silent)
{
	buf_addf(yaml, "      %s:%s [", name, strcmp(name, "blue") == 0 ? " " : "");
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ",");
		char addr[200], url[220];

		if (!n || !text_copy_n(addr, sizeof(addr), p, n))
			return usage_error(c, "--%s: '%.*s' is no address", name, (int)n, p);
		TEXT_FORMAT(url, "%s%s/", strstr(addr, "://") ? "" : "http://", addr);
		*silent += !tell(c, asked, name, addr, url);
		buf_adds(yaml, p == list ? "" : ", ");
		scalar(yaml, addr);
		p += n + (p[n] == ',');
	}
	buf_adds(yaml, "]\n");
	return EX_DONE;
}

static int features(struct cli *c, json_t *asked, struct buf *yaml, int *silent)
{
	buf_adds(yaml, "    proxy: haproxy\n    features:\n");
	for (size_t i = 0; i < c->n_features; i++) {
		const char *eq = strchr(c->feature[i], '=');
		char name[80], url[1024];
		size_t front = strlen(c->front);

		if (!eq || eq[1] != '/' || !text_copy_n(name, sizeof(name), c->feature[i], (size_t)(eq - c->feature[i])) || !name_ok(name))
			return usage_error(c, "--feature wants NAME=/path, got '%s'", c->feature[i]);
		TEXT_FORMAT(url, "%.*s%s", (int)(front && c->front[front - 1] == '/' ? front - 1 : front), c->front, eq + 1);
		*silent += !tell(c, asked, "path", eq + 1, url);
		buf_addf(yaml, "      %s: ", name);
		scalar(yaml, eq + 1);
		buf_adds(yaml, "\n");
	}
	if (!c->n_features)
		buf_adds(yaml, "      home: /          # name the features that your users would miss, one a line\n");
	return EX_DONE;
}

static int print(struct cli *c, struct buf *yaml, json_t *asked, int silent)
{
	struct buf errors = BUF_INIT(ERRORS_MAX);
	int bad = 0;
	struct config *cfg = config_load("init", buf_str(yaml), yaml->len, outside_lookup, NULL, &errors, &bad);
	bool good = cfg != NULL;

	fputs(buf_str(&errors), stderr);
	config_free(&cfg);
	buf_free(&errors);
	if (!good) {
		complain(c, "what was given makes no configuration");
		return EX_USAGE_ERROR;
	}
	if (c->output == FMT_JSON) {
		json_t *o = json_pack("{s:s,s:O,s:i}", "yaml", buf_str(yaml), "asked", asked, "exit", EX_DONE);

		say_json(c, o);
		json_decref(o);
	} else {
		fputs(buf_str(yaml), stdout);
	}
	if (silent)
		complain(c, "%d of the addresses did not answer; the configuration is printed all the same", silent);
	hint(c, "next", "save it as /etc/switchd/switchd.yaml   |   switchctl config check FILE   |   switchctl proxy snippet haproxy");
	return EX_DONE;
}

int verb_init(struct cli *c)
{
	struct buf yaml = BUF_INIT(YAML_MAX);
	json_t *asked = json_array();
	int ex, silent = 0;

	if (!c->front || !c->blue || !c->green) {
		ex = usage_error(c, "init wants --front URL, --blue ADDRS and --green ADDRS");
		goto out;
	}
	if (!text_starts(c->front, "http://") && !text_starts(c->front, "https://")) {
		ex = usage_error(c, "--front is a URL, such as https://shop.example.com, got '%s'", c->front);
		goto out;
	}
	buf_addf(&yaml, "version: 1\nservices:\n  %s:\n    front: ", c->service[0] ? c->service : "shop");
	scalar(&yaml, c->front);
	buf_adds(&yaml, "\n    slots:\n");
	silent += !tell(c, asked, "front", c->front, c->front);
	ex = slot_line(c, asked, "blue", c->blue, &yaml, &silent);
	if (ex == EX_DONE)
		ex = slot_line(c, asked, "green", c->green, &yaml, &silent);
	if (ex == EX_DONE)
		ex = features(c, asked, &yaml, &silent);
	if (ex == EX_DONE)
		ex = print(c, &yaml, asked, silent);
out:
	json_decref(asked);
	buf_free(&yaml);
	return ex;
}
