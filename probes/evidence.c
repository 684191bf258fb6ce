/* SPDX-License-Identifier: MIT
 * evidence.c - what came back, made fit for people, logs and records: printable, bounded, no secrets.
 *
 * Runs for every probe, so that what is not needed is not touched: plain text is copied in runs. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probes/kind.h"

enum { SHOW_EVERY_MS = 250 };

void evidence_begin(struct evidence *e, const struct probe_handle *h, const char *url, const char *target)
{
	(void)h;
	e->at = wall_now();
	e->outcome = OUT_NEVER_RAN;
	e->latency_us = 0;
	e->status = 0;
	e->want[0] = e->got[0] = e->head[0] = e->body[0] = '\0';
	e->body_len = 0;
	text_printable(e->url, sizeof(e->url), url, strlen(url));
	text_printable(e->target, sizeof(e->target), target, strlen(target));
}

/* Printable, but with its lines: CRLF becomes LF. Returns the length. */
static size_t copy_lines(char *dst, size_t size, const char *src, size_t n)
{
	size_t o = 0, i = 0;

	while (i < n && o + 1 < size) {
		size_t run = 0;

		while (i + run < n && ((unsigned char)(src[i + run] - 0x20) < 0x5f || src[i + run] == '\n' || src[i + run] == '\t'))
			run++;
		if (run > size - 1 - o)
			run = size - 1 - o;
		memcpy(dst + o, src + i, run);
		o += run;
		i += run;
		if (i < n && src[i] == '\r' && i + 1 < n && src[i + 1] == '\n') {
			i++;
		} else if (i < n && o + 1 < size) {
			size_t odd = 1; /* as far as the next plain byte */

			while (i + odd < n && (unsigned char)(src[i + odd] - 0x20) >= 0x5f && !strchr("\r\n\t", src[i + odd]))
				odd++;
			text_printable(dst + o, size - o, src + i, odd);
			size_t wrote = strlen(dst + o);

			if (!wrote)
				break;
			o += wrote;
			i += odd;
		}
	}
	dst[o] = '\0';
	return o;
}

/* A session cookie is a key to somebody's data. */
static void strike_cookies(char *head)
{
	for (char *line = head; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncasecmp(line, "Set-Cookie:", 11) != 0 && strncasecmp(line, "Set-Cookie2:", 12) != 0)
			continue;
		char *value = strchr(line, ':') + 1, *end = strchr(line, '\n');
		size_t len = end ? (size_t)(end - value) : strlen(value);

		if (len >= 4) {
			memcpy(value, " ***", 4);
			memmove(value + 4, value + len, strlen(value + len) + 1);
		} else {
			memset(value, '*', len);
		}
	}
}

static void strike(char *text, const char *secret, size_t n)
{
	if (n < 4) /* too short to be one, and everywhere */
		return;
	for (char *p = text; (p = strstr(p, secret)); p += n)
		memset(p, '*', n);
}

/* An application that echoes its request would publish the token that we sent. */
static void strike_secrets(struct evidence *e, const struct feature *f)
{
	static const char *const plain[] = { "User-Agent", "Accept", "Accept-Language", "Content-Type", "Host", "X-Forwarded-Proto" };

	char *const texts[] = { e->head, e->body, e->got, e->want, e->url };

	for (size_t i = 0; f && i < f->n_secrets; i++)
		for (size_t k = 0; k < ARRAY_LEN(texts); k++)
			strike(texts[k], f->secrets[i], strlen(f->secrets[i]));
	for (size_t i = 0; f && i < f->n_headers; i++) {
		const char *value = f->headers[i].value, *token = strrchr(value, ' ');
		bool known = false;

		for (size_t k = 0; k < ARRAY_LEN(plain) && !known; k++)
			known = strcasecmp(f->headers[i].name, plain[k]) == 0;
		if (known)
			continue;
		for (size_t k = 0; k < 3; k++) {
			strike(texts[k], value, strlen(value));
			if (token) /* "Bearer TOKEN" */
				strike(texts[k], token + 1, strlen(token + 1));
		}
	}
}

void evidence_answer(struct evidence *e, const struct feature *f, const struct answer *a)
{
	(void)f;
	e->status = a->status;
	e->latency_us = a->total_us;
	e->body_len = a->body_len;
	copy_lines(e->head, sizeof(e->head), a->head, a->head_len);
	strike_cookies(e->head);
	copy_lines(e->body, sizeof(e->body), a->body, a->body_len);
}

void evidence_end(struct evidence *e, const struct feature *f, enum outcome o)
{
	e->outcome = o;
	strike_secrets(e, f);
}

struct kept_evidence *evidence_keep(struct kept_evidence *k, const struct evidence *e)
{
	bool short_form = e->outcome == OUT_PRESENT;
	const char *const text[] = { e->url, e->target, e->want, e->got, e->head, e->body };
	size_t n[ARRAY_LEN(text)], size = 0;

	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		n[i] = strlen(text[i]);
		if (short_form && text[i] == e->head && n[i] > KEPT_HEAD)
			n[i] = KEPT_HEAD;
		if (short_form && text[i] == e->body && n[i] > KEPT_BODY)
			n[i] = KEPT_BODY;
		size += n[i] + 1;
	}
	if (!k || k->room < size || k->room > size + 256) {
		free(k);
		k = xmalloc(sizeof(*k) + size);
		k->room = size;
	}
	k->at = e->at;
	k->outcome = e->outcome;
	k->latency_us = e->latency_us;
	k->status = e->status;
	k->body_len = e->body_len;

	const char **const to[] = { &k->url, &k->target, &k->want, &k->got, &k->head, &k->body };
	char *at = (char *)(k + 1);

	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		*to[i] = memcpy(at, text[i], n[i]);
		at[n[i]] = '\0';
		at += n[i] + 1;
	}
	return k;
}

/* An answer that is as it should be is written out four times a second and target at most: people are shown the
 * last one before an absent, and a round earlier says the same. */
bool evidence_wanted(struct probe_handle *h, enum outcome o)
{
	const struct probe_job *j = &h->r.job;
	mono_us *at, now;

	if (o != OUT_PRESENT || j->purpose != PURPOSE_VOTE || j->via != VIA_SLOT || !h->feature)
		return true;
	at = &h->runner->shown[j->slot][j->target * h->runner->svc->n_features + j->feature];
	now = mono_now();
	if (at->us && mono_since_ms(now, *at) < SHOW_EVERY_MS)
		return false;
	*at = now;
	return true;
}
