/* SPDX-License-Identifier: MIT
 * haproxy_reply.c - the parsers of the runtime API's answers. */
#include "switchd/proxy/haproxy_reply.h"

#include <string.h>

#include "switchd/base/text.h"

bool hap_reply_whole(const char *text, size_t len)
{
	if (len == 1)
		return text[0] == '\n';
	return len >= 2 && text[len - 1] == '\n' && text[len - 2] == '\n';
}

bool hap_reply_empty(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

void hap_reply_sentence(const char *text, char *out, size_t size)
{
	text += strspn(text, " \t\r\n");
	text_printable(out, size, text, strcspn(text, "\r\n"));
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : NULL;
}

static bool number_after(const char *line, const char *name, uint64_t *out)
{
	char digits[24];
	size_t n = strlen(name), len;

	if (strncmp(line, name, n) != 0)
		return false;
	line += n;
	line += strspn(line, " ");
	len = strcspn(line, "\r\n");
	return text_copy_n(digits, sizeof(digits), line, len) && text_u64(digits, out);
}

bool hap_parse_info(const char *text, struct hap_info *out)
{
	struct hap_info info = { 0 };
	bool pid = false, uptime = false;

	for (const char *line = text; line; line = next_line(line)) {
		pid = pid || number_after(line, "Pid:", &info.pid);
		uptime = uptime || number_after(line, "Uptime_sec:", &info.uptime_s);
		if (!info.start_s && !number_after(line, "Start_time_sec:", &info.start_s))
			info.start_s = 0;
	}
	*out = info;
	return pid && uptime;
}

bool hap_backend_listed(const char *text, const char *name, bool *is_list)
{
	size_t n = strlen(name);
	bool listed = false;

	*is_list = text_starts(text, "# name");
	if (!*is_list)
		return false;
	for (const char *line = next_line(text); line && !listed; line = next_line(line)) {
		size_t len = strcspn(line, "\r\n");

		listed = len == n && memcmp(line, name, n) == 0;
	}
	return listed;
}

enum hap_map_answer hap_each_map_entry(const char *text, hap_map_fn *each, void *arg)
{
	for (const char *line = text; line; line = next_line(line)) {
		size_t len = strcspn(line, "\r\n");
		struct hap_map_entry e;

		if (len == 0)
			continue;
		if (!text_starts(line, "0x"))
			return strstr(line, "nknown map") ? HAP_MAP_UNKNOWN : HAP_MAP_OTHER;
		const char *end = line + len, *p = memchr(line, ' ', len);
		if (!p)
			return HAP_MAP_OTHER;
		e.key = p + 1;
		p = memchr(e.key, ' ', (size_t)(end - e.key));
		e.key_len = (size_t)((p ? p : end) - e.key);
		e.value = p ? p + 1 : end;
		e.value_len = (size_t)(end - e.value);
		if (!each(arg, &e))
			break;
	}
	return HAP_MAP_OK;
}

struct finding { const char *key; size_t key_len; struct hap_map_value *out; };

static bool find_entry(void *arg, const struct hap_map_entry *e)
{
	struct finding *f = arg;

	if (e->key_len != f->key_len || memcmp(e->key, f->key, f->key_len) != 0)
		return true;
	if (!f->out->found) {
		f->out->found = true;
		f->out->cut = !text_copy_n(f->out->value, sizeof(f->out->value), e->value, e->value_len);
	} else if (strlen(f->out->value) != e->value_len || memcmp(f->out->value, e->value, e->value_len) != 0) {
		f->out->differ = true;
	}
	return true;
}

enum hap_map_answer hap_map_find(const char *text, const char *key, struct hap_map_value *out)
{
	struct finding f = { key, strlen(key), out };

	memset(out, 0, sizeof(*out));
	return hap_each_map_entry(text, find_entry, &f);
}

/* --- show stat ----------------------------------------------------------- */

/* One CSV field into out (cut when longer); quotes may hold commas, line ends and doubled quotes.
 * Returns where the next field starts; *last says that the row ended. */
static const char *csv_field(const char *p, char *out, size_t size, bool *last)
{
	size_t n = 0;
	bool quoted = *p == '"';

	if (quoted)
		p++;
	for (; *p; p++) {
		if (quoted && *p == '"') {
			if (p[1] != '"') {
				quoted = false;
				continue;
			}
			p++;
		} else if (!quoted && (*p == ',' || *p == '\n' || *p == '\r')) {
			break;
		}
		if (n + 1 < size)
			out[n++] = *p;
	}
	out[n] = '\0';
	*last = *p != ',';
	if (*p == '\r')
		p++;
	return *p ? p + 1 : p;
}

enum { COL_PX, COL_SV, COL_STATUS, COL_SCUR, COL_2XX, COL_3XX, COL_4XX, COL_5XX, COL_ECON, COL_ERESP, N_COLS };
static const char *const columns[N_COLS] = { "pxname", "svname", "status", "scur", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "econ", "eresp" };

/* A field that is empty or no number (a server in a TCP backend has no 2xx) counts as none. */
static void take_field(struct hap_stat_row *row, int column, const char *field)
{
	uint64_t n = 0;

	if (!text_u64(field, &n))
		n = 0;
	switch (column) {
	case COL_PX: (void)TEXT_COPY(row->backend, field); break;
	case COL_SV: (void)TEXT_COPY(row->server, field); break;
	case COL_STATUS: (void)TEXT_COPY(row->status, field); break;
	case COL_SCUR: row->scur = n; break;
	case COL_2XX: row->r2xx = n; break;
	case COL_3XX: row->r3xx = n; break;
	case COL_4XX: row->r4xx = n; break;
	case COL_5XX: row->r5xx = n; break;
	case COL_ECON: row->econ = n; break;
	case COL_ERESP: row->eresp = n; break;
	default: break;
	}
}

bool hap_each_stat(const char *text, hap_stat_fn *each, void *arg)
{
	int place[N_COLS];
	char field[160];
	bool last = false;
	int i;

	for (int c = 0; c < N_COLS; c++)
		place[c] = -1;
	if (!text_starts(text, "# "))
		return false;
	text += 2;
	for (i = 0; !last; i++) {
		text = csv_field(text, field, sizeof(field), &last);
		for (int c = 0; c < N_COLS; c++)
			if (strcmp(field, columns[c]) == 0)
				place[c] = i;
	}
	if (place[COL_PX] < 0 || place[COL_SV] < 0 || place[COL_STATUS] < 0)
		return false;
	while (*text) {
		struct hap_stat_row row;

		if (*text == '\n' || *text == '\r') {
			text++;
			continue;
		}
		memset(&row, 0, sizeof(row));
		last = false;
		for (i = 0; !last; i++) {
			text = csv_field(text, field, sizeof(field), &last);
			for (int c = 0; c < N_COLS; c++)
				if (place[c] == i)
					take_field(&row, c, field);
		}
		if (row.server[0])
			each(arg, &row);
	}
	return true;
}
