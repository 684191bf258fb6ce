/* SPDX-License-Identifier: MIT
 * httpc_jar.c - a cookie store of libcurl that handles take and give back. */
#include "switchd/io/httpc_easy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "switchd/base/text.h"

struct httpc_jar {
	CURLSH *share;
	CURL *hand;             /* never asks anything: libcurl looks into a share through a handle only */
	bool taken;
};

static void open_share(struct httpc_jar *j)
{
	j->share = curl_share_init();
	must(j->share && curl_share_setopt(j->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE) == CURLSHE_OK);
	j->hand = curl_easy_init();
	must(j->hand && curl_easy_setopt(j->hand, CURLOPT_SHARE, j->share) == CURLE_OK);
}

static void close_share(struct httpc_jar *j)
{
	must(!j->taken);
	curl_easy_cleanup(j->hand);
	must(curl_share_cleanup(j->share) == CURLSHE_OK);
}

struct httpc_jar *httpc_jar_new(void)
{
	struct httpc_jar *j = xcalloc(1, sizeof(*j));

	open_share(j);
	return j;
}

void httpc_jar_free(struct httpc_jar **jp)
{
	struct httpc_jar *j = *jp;

	if (!j)
		return;
	*jp = NULL;
	close_share(j);
	free(j);
}

void httpc_jar_clear(struct httpc_jar *j)
{
	must(!j->taken);
	must(curl_easy_setopt(j->hand, CURLOPT_COOKIELIST, "ALL") == CURLE_OK);
}

static struct curl_slist *all_cookies(struct httpc_jar *j)
{
	struct curl_slist *list = NULL;

	return curl_easy_getinfo(j->hand, CURLINFO_COOKIELIST, &list) == CURLE_OK ? list : NULL;
}

size_t httpc_jar_count(struct httpc_jar *j)
{
	struct curl_slist *list = all_cookies(j);
	size_t n = 0;

	for (struct curl_slist *l = list; l; l = l->next)
		n++;
	curl_slist_free_all(list);
	return n;
}

/* Netscape's form: domain, subdomains, path, secure, expiry, name, value, between tabs. */
bool httpc_jar_get(struct httpc_jar *j, const char *name, char *out, size_t size)
{
	struct curl_slist *list = all_cookies(j);
	size_t n = strlen(name);
	bool found = false;

	out[0] = '\0';
	for (struct curl_slist *l = list; l && !found; l = l->next) {
		const char *p = l->data;

		for (int tab = 0; p && tab < 5; tab++) {
			p = strchr(p, '\t');
			p = p ? p + 1 : NULL;
		}
		if (p && strncmp(p, name, n) == 0 && p[n] == '\t')
			found = text_copy(out, size, p + n + 1);
	}
	curl_slist_free_all(list);
	return found;
}

void jar_enter(struct httpc_jar *j, CURL *curl)
{
	must(!j->taken); /* two requests with one jar at once */
	j->taken = true;
	must(curl_easy_setopt(curl, CURLOPT_SHARE, j->share) == CURLE_OK);
	must(curl_easy_setopt(curl, CURLOPT_COOKIEFILE, "") == CURLE_OK); /* reads nothing, but wakes libcurl's cookies */
}

void jar_leave(struct httpc_jar *j, CURL *curl)
{
	/* Both: else the handle would begin a jar of its own, and the next who gets it would be the same visitor. */
	must(curl_easy_setopt(curl, CURLOPT_COOKIEFILE, NULL) == CURLE_OK);
	must(curl_easy_setopt(curl, CURLOPT_SHARE, NULL) == CURLE_OK);
	j->taken = false;
}

/* "Set-Cookie: sid=1; Secure; Path=/" without its Secure, and bound to the host that sent it. */
static bool without_secure(const char *line, size_t len, const char *host, struct buf *out)
{
	const char *end = line + len;
	bool secure = false, domain = false;

	buf_adds(out, "Set-Cookie: ");
	for (const char *p = line; p < end;) {
		const char *semi = memchr(p, ';', (size_t)(end - p)), *stop = semi ? semi : end, *from = p;

		while (from < stop && (*from == ' ' || *from == '\t'))
			from++;
		size_t n = (size_t)(stop - from);
		while (n && strchr(" \t\r\n", from[n - 1]))
			n--;
		if (from > line && n == 6 && strncasecmp(from, "secure", 6) == 0)
			secure = true;
		else if (p == line || n)
			buf_add(out, from, n), buf_adds(out, "; ");
		domain = domain || (p > line && n > 7 && strncasecmp(from, "domain=", 7) == 0);
		p = stop + 1;
	}
	if (!domain)
		buf_addf(out, "Domain=%s", host);
	return secure;
}

void jar_keep_secure(CURL *curl, const char *head, size_t len, const char *host)
{
	const char *p = head, *end = head + len;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;

		if (stop - p > 11 && strncasecmp(p, "Set-Cookie:", 11) == 0) {
			struct buf line = BUF_INIT(8192);

			for (p += 11; p < stop && *p == ' ';)
				p++;
			if (without_secure(p, (size_t)(stop - p), host, &line) && !line.full)
				curl_easy_setopt(curl, CURLOPT_COOKIELIST, buf_str(&line));
			buf_free(&line);
		}
		p = stop + 1;
	}
}
