/* SPDX-License-Identifier: MIT
 * haproxy_reply.c - fuzz: whatever a stats socket answers is read within bounds. */
#include <stdlib.h>
#include <string.h>

#include "switchd/base/must.h"
#include "switchd/core/model.h"
#include "switchd/proxy/haproxy_reply.h"

static size_t rows;

static void on_row(void *arg, const struct hap_stat_row *row)
{
	(void)arg;
	rows++;
	must(strlen(row->backend) < sizeof(row->backend) && strlen(row->server) < sizeof(row->server) && row->server[0]);
}

static bool on_entry(void *arg, const struct hap_map_entry *e)
{
	const char *text = arg;
	size_t len = strlen(text);

	must(e->key >= text && e->key + e->key_len <= text + len);
	must(e->value >= text && e->value + e->value_len <= text + len);
	must(!memchr(e->key, ' ', e->key_len) && !memchr(e->value, '\n', e->value_len));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xmalloc(size + 1), sentence[64];
	struct hap_map_value v;
	struct hap_info info;
	struct proxy_value p, again;
	char round[PROXY_VALUE_TEXT];
	bool list;

	memcpy(text, data, size);
	text[size] = '\0';
	(void)hap_reply_whole(text, size);
	(void)hap_reply_empty(text);
	hap_reply_sentence(text, sentence, sizeof(sentence));
	for (const char *s = sentence; *s; s++)
		must((unsigned char)*s >= 0x20 && *s != 0x7f);
	if (!hap_parse_info(text, &info))
		info.pid = 0;
	must(!hap_backend_listed(text, "shop-blue", &list) || list);
	(void)hap_each_map_entry(text, on_entry, text);
	if (hap_map_find(text, "shop", &v) == HAP_MAP_OK && v.found && !v.cut && proxy_value_parse(v.value, &p))
		must(proxy_value_parse(proxy_value_text(&p, round), &again) && again.slot == p.slot && again.pin == p.pin &&
		     again.shield == p.shield && version_cmp(again.v, p.v) == 0);
	rows = 0;
	must(hap_each_stat(text, on_row, NULL) || rows == 0);
	must(rows <= size);
	free(text);
	return 0;
}
