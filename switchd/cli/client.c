/* SPDX-License-Identifier: MIT
 * client.c - one request to the daemon, over its unix socket or HTTP. */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/base/text.h"
#include "switchd/base/version.h"
#include "switchd/cli/cli.h"

enum { ANSWER_MAX = 8 * 1024 * 1024, TOKEN_MAX = 256, DEADLINE_MS = 10000 };

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	return buf_add(arg, data, size * n) ? size * n : 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;
	size_t len = size * n;

	if (len > 10 && strncasecmp(data, "location: ", 10) == 0) {
		text_copy_n(a->location, sizeof(a->location), data + 10, len - 10);
		a->location[strcspn(a->location, "\r\n")] = '\0';
	}
	return len;
}

/* The token comes from a file: never from a flag's value, never into argv or an error. */
static bool token_header(const struct cli *c, struct curl_slist **headers, char *error, size_t size)
{
	char token[TOKEN_MAX] = "", line[TOKEN_MAX + 32];
	FILE *f;

	if (!c->token_file || !c->token_file[0])
		return true;
	f = fopen(c->token_file, "re");
	if (!f || !fgets(token, sizeof(token), f)) {
		text_format(error, size, "%s: %s", c->token_file, f ? "empty" : strerror(errno));
		if (f)
			fclose(f);
		return false;
	}
	fclose(f);
	token[strcspn(token, "\r\n")] = '\0';
	TEXT_FORMAT(line, "Authorization: Bearer %s", token);
	*headers = curl_slist_append(*headers, line);
	explicit_bzero(token, sizeof(token));
	explicit_bzero(line, sizeof(line));
	return true;
}

static void add_headers(const struct cli *c, bool body, struct curl_slist **headers)
{
	char line[256];

	if (body)
		*headers = curl_slist_append(*headers, "Content-Type: application/json");
	*headers = curl_slist_append(*headers, "Expect:");
	if (c->if_epoch) {
		TEXT_FORMAT(line, "If-Match: \"%s\"", c->if_epoch);
		*headers = curl_slist_append(*headers, line);
	}
	if (c->rid) {
		TEXT_FORMAT(line, "Idempotency-Key: %s", c->rid);
		*headers = curl_slist_append(*headers, line);
	}
}

static CURL *easy_new(const struct cli *c, const char *path, struct answer *a)
{
	char url[1024];
	CURL *h = curl_easy_init();

	must(h != NULL);
	if (text_starts(c->url, "unix:")) {
		curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, c->url + 5);
		TEXT_FORMAT(url, "http://localhost%s", path);
	} else {
		size_t n = strlen(c->url);

		TEXT_FORMAT(url, "%.*s%s", (int)(n && c->url[n - 1] == '/' ? n - 1 : n), c->url, path);
	}
	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_USERAGENT, "switchctl/" SWITCHD_VERSION);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, &a->body);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, a);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, 3000L);
	return h;
}

void client_ask(const struct cli *c, const char *method, const char *path, json_t *body, int64_t timeout_ms, struct answer *a)
{
	struct curl_slist *headers = NULL;
	bool mutation = strcmp(method, "GET") != 0;
	char *text = body ? json_dumps(body, JSON_COMPACT) : mutation ? xstrdup("{}") : NULL;
	char full[900];

	memset(a, 0, sizeof(*a));
	buf_init(&a->body, ANSWER_MAX);
	TEXT_FORMAT(full, "%s%s", path, mutation && c->dry_run ? (strchr(path, '?') ? "&dry_run=1" : "?dry_run=1") : "");
	CURL *h = easy_new(c, full, a);

	if (!token_header(c, &headers, a->error, sizeof(a->error)))
		goto out;
	if (mutation)
		add_headers(c, true, &headers);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)(timeout_ms ? timeout_ms : DEADLINE_MS));
	if (text)
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, text);
	CURLcode rc = curl_easy_perform(h);

	if (rc != CURLE_OK) {
		TEXT_FORMAT(a->error, "%s: %s", c->url, curl_easy_strerror(rc));
		goto out;
	}
	a->reached = true;
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &a->status);
	a->json = a->body.len ? json_loadb(a->body.data, a->body.len, 0, NULL) : NULL;
out:
	curl_slist_free_all(headers);
	curl_easy_cleanup(h);
	free(text);
}

void answer_free(struct answer *a)
{
	json_decref(a->json);
	buf_free(&a->body);
	a->json = NULL;
}
