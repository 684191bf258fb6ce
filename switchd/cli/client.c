/* SPDX-License-Identifier: MIT
 * client.c - one request to the daemon, over its unix socket or HTTP. */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "switchd/base/text.h"
#include "switchd/base/version.h"
#include "switchd/cli/cli.h"

enum { ANSWER_MAX = 8 * 1024 * 1024, TOKEN_MAX = 256, DEADLINE_MS = 10000, MISDIRECTED = 421 };

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

/* Every mutation has an id of its own, so that one whose answer was lost can be asked again and is done once. */
const char *client_rid(struct cli *c)
{
	unsigned char r[8];

	if (c->rid)
		return c->rid;
	if (!c->rid_made[0]) {
		if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
			memcpy(r, &(uint64_t){ (uint64_t)wall_now().ms * 4096 + (uint64_t)getpid() }, sizeof(r));
		TEXT_FORMAT(c->rid_made, "ctl-%02x%02x%02x%02x%02x%02x%02x%02x", r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]);
	}
	return c->rid_made;
}

static void add_headers(struct cli *c, struct curl_slist **headers)
{
	char line[256];

	*headers = curl_slist_append(*headers, "Content-Type: application/json");
	*headers = curl_slist_append(*headers, "Expect:");
	if (c->if_epoch) {
		TEXT_FORMAT(line, "If-Match: \"%s\"", c->if_epoch);
		*headers = curl_slist_append(*headers, line);
	}
	/* One run of the CLI may ask for several things (claim, deploy): each has its own id, made of the one given. */
	TEXT_FORMAT(line, "Idempotency-Key: %.54s%s%s", client_rid(c), c->step[0] ? "." : "", c->step);
	*headers = curl_slist_append(*headers, line);
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

/* What connect() said is more use than "couldn't connect to server". */
static void why_failed(const struct cli *c, CURL *h, CURLcode rc, struct answer *a)
{
	long sys = 0;
	curl_off_t pretransfer = 0;

	curl_easy_getinfo(h, CURLINFO_OS_ERRNO, &sys);
	curl_easy_getinfo(h, CURLINFO_PRETRANSFER_TIME_T, &pretransfer);
	a->sent = pretransfer > 0 && rc != CURLE_COULDNT_CONNECT && rc != CURLE_COULDNT_RESOLVE_HOST && rc != CURLE_UNSUPPORTED_PROTOCOL;
	if (rc == CURLE_COULDNT_CONNECT && sys)
		TEXT_FORMAT(a->error, "%s: %s", c->url, strerror((int)sys));
	else
		TEXT_FORMAT(a->error, "%s: %s", c->url, curl_easy_strerror(rc));
}

static void ask_one(struct cli *c, const char *method, const char *path, json_t *body, int64_t timeout_ms, struct answer *a)
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
		add_headers(c, &headers);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)(timeout_ms ? timeout_ms : DEADLINE_MS));
	if (text)
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, text);
	CURLcode rc = curl_easy_perform(h);

	if (rc != CURLE_OK) {
		why_failed(c, h, rc, a);
		goto out;
	}
	a->reached = a->sent = true;
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &a->status);
	a->json = a->body.len ? json_loadb(a->body.data, a->body.len, 0, NULL) : NULL;
out:
	curl_slist_free_all(headers);
	curl_easy_cleanup(h);
	free(text);
}

/* The i-th of "URL,URL,..." into c->url; false: there is no such one. */
static bool choose(struct cli *c, size_t i)
{
	const char *at = c->urls;
	size_t n;

	for (; i; i--) {
		at = strchr(at, ',');
		if (!at)
			return false;
		at++;
	}
	n = strcspn(at, ",");
	if (!n || !text_copy_n(c->url_now, sizeof(c->url_now), at, n))
		return false;
	c->url = c->url_now;
	return true;
}

/* Of several controllers the one that leads answers; who stands by, or is not there, passes the question on.  What
 * may have been read is not asked of another: its outcome is unknown. */
void client_ask(struct cli *c, const char *method, const char *path, json_t *body, int64_t timeout_ms, struct answer *a)
{
	bool mutation = strcmp(method, "GET") != 0;

	if (!c->urls)
		c->urls = c->url;
	if (!strchr(c->urls, ',')) {
		ask_one(c, method, path, body, timeout_ms, a);
		return;
	}
	/* First whoever answered last. */
	if (c->url == c->url_now) {
		ask_one(c, method, path, body, timeout_ms, a);
		if ((a->reached && a->status != MISDIRECTED) || (mutation && a->sent && !a->reached))
			return;
		answer_free(a);
	}
	for (size_t i = 0; choose(c, i); i++) {
		ask_one(c, method, path, body, timeout_ms, a);
		if ((a->reached && a->status != MISDIRECTED) || (mutation && a->sent && !a->reached))
			return;
		struct cli probe = { .urls = c->urls };

		if (!choose(&probe, i + 1)) /* the last one's answer is the answer */
			return;
		answer_free(a);
	}
}

void answer_free(struct answer *a)
{
	json_decref(a->json);
	buf_free(&a->body);
	a->json = NULL;
}
