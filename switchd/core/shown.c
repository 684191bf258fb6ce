/* SPDX-License-Identifier: MIT
 * shown.c - one line of words, each checked: it comes from a store that others may write to. */
#include "switchd/core/shown.h"

#include <string.h>

enum { MAX_WORDS = 12, WORDS_OF_1 = 10, WORDS_OF_2 = 12 };

typedef char word_text[ID_MAX_LEN + 1];

static size_t split(const char *text, size_t len, word_text out[MAX_WORDS])
{
	size_t n = 0;

	for (size_t at = 0; at <= len; n++) {
		size_t w = 0;

		while (at + w < len && text[at + w] != ' ')
			w++;
		if (n == MAX_WORDS || !w || !text_copy_n(out[n], sizeof(out[n]), text + at, w) || strlen(out[n]) != w)
			return 0;
		at += w + 1;
	}
	return n;
}

static bool id_or_none(const char *word, id_text out)
{
	if (strcmp(word, "-") == 0) {
		out[0] = '\0';
		return true;
	}
	return id_ok(word) && text_copy(out, sizeof(id_text), word);
}

static bool number(const char *word, uint64_t *out) { return text_u64(word, out) && *out < UINT64_C(1) << 53; }

bool shown_parse(const char *text, size_t len, struct shown *out, const char **why)
{
	struct shown s = { .schema = 2 };
	word_text w[MAX_WORDS];
	size_t n = len <= SHOWN_TEXT_MAX ? split(text, len, w) : 0, at = 3;
	uint64_t us;

	*why = "not the words of a record";
	if (!n)
		return false;
	if (strcmp(w[0], "sw1") == 0)
		s.schema = 1;
	else if (strcmp(w[0], "sw2") != 0)
		return *why = "of a schema that this switchd does not know", false;
	if (n != (s.schema == 1 ? WORDS_OF_1 : WORDS_OF_2))
		return false;
	*why = "a version that is none";
	if (!number(w[1], &s.value.v.gen) || !number(w[2], &s.value.v.epoch) || !s.value.v.gen || !s.value.v.epoch)
		return false;
	*why = "a slot that is none";
	if (!slot_parse(w[at++], &s.value.slot))
		return false;
	*why = "neither shield nor plain";
	if (s.schema == 2) {
		s.value.shield = strcmp(w[at], "shield") == 0;
		if (!s.value.shield && strcmp(w[at], "plain") != 0)
			return false;
		at++;
	}
	*why = "a name that is none";
	if (!id_or_none(w[at], s.release) || strcmp(w[at + 1], "-") == 0 || !id_ok(w[at + 1]) || !TEXT_COPY(s.cid, w[at + 1]))
		return false;
	*why = "a place in the stream that is none";
	if (!number(w[at + 2], &s.seq) || !number(w[at + 3], &us))
		return false;
	s.us = (int64_t)us;
	at += 4;
	*why = "a mode that is none";
	if (s.schema == 2) {
		s.stamped = strcmp(w[at], "stamp") == 0;
		if (!s.stamped && !move_mode_parse(w[at], &s.mode))
			return false;
		at++;
	}
	*why = "a condemned release that is none";
	if (!id_or_none(w[at], s.condemned))
		return false;
	*out = s;
	*why = "";
	return true;
}
