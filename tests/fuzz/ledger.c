/* SPDX-License-Identifier: MIT
 * ledger.c - any bytes are a ledger or are refused with a reason; what is believed can be written, read again and blamed.
 *
 * Lines: a head, then of release 0, 1...: its facts, and its manifest and routes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switchd/core/story/blame.h"

static struct ledger *read_all(const char *text, bool must_hold)
{
	struct ledger *l = ledger_new();
	uint32_t numbers = 0;
	char why[100] = "";
	unsigned k = 0;

	for (const char *end; *text && k <= 2 * LEDGER_RELEASES; text = *end ? end + 1 : end, k++) {
		char *line = strndup(text, (size_t)((end = strchrnul(text, '\n')) - text));
		bool ok = !k ? ledger_head_parse(l, line, &numbers, why, sizeof(why))
			: k % 2 ? ledger_release_parse(l, (k - 1) / 2, line, why, sizeof(why)) : ledger_more_parse(l, (k - 1) / 2, line, why, sizeof(why));

		must(ok || (why[0] && strlen(why) < sizeof(why)));
		must(ok || !must_hold);
		free(line);
	}
	must(l->n <= LEDGER_RELEASES && l->n_features <= LEDGER_FEATURES);
	for (size_t i = 0; i < l->n; i++) {
		const struct ledger_release *r = l->list[i];

		must(r->number < LEDGER_RELEASES && r->n_facts <= LEDGER_FACTS && r->n_routes <= LEDGER_ROUTES && r->id[0]);
		must(!r->manifest || strlen(r->manifest) <= LEDGER_MANIFEST);
		must(i == 0 || l->list[i - 1]->arrived.ms <= r->arrived.ms);
	}
	return l;
}

static void line_add(struct buf *b, json_t *taken)
{
	char *text = taken ? json_dumps(taken, JSON_COMPACT) : NULL;

	must(!taken || text);
	if (text)
		buf_addf(b, "%s\n", text);
	free(text);
	json_decref(taken);
}

/* Written as the engine does, release by release, and read again. */
static void again(const struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct ledger_release *r = l->list[i];
		struct buf one = BUF_INIT(1 << 20), two = BUF_INIT(1 << 20);
		struct ledger *back;

		line_add(&one, ledger_head_json(l));
		line_add(&one, ledger_release_json(r));
		line_add(&one, ledger_more_json(r));
		must(!one.full);
		back = read_all(buf_str(&one), true);
		must(back->n == 1);
		line_add(&two, ledger_head_json(l));
		line_add(&two, ledger_release_json(back->list[0]));
		line_add(&two, ledger_more_json(back->list[0]));
		must(strcmp(buf_str(&one), buf_str(&two)) == 0);
		ledger_free(&back);
		buf_free(&one);
		buf_free(&two);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xmalloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	struct ledger *l = read_all(text, false);
	json_t *all = ledger_json(l, "shop");

	must(all != NULL);
	json_decref(all);
	again(l);
	for (size_t i = 0; i < l->n_features; i++) {
		struct blame_now now = { .service = "shop", .feature = l->features[i].name, .path = "/expenses", .active = BLUE, .watched = true };
		json_t *said = blame_json(l, &now);

		must(said != NULL);
		json_decref(said);
	}
	ledger_free(&l);
	free(text);
	return 0;
}
