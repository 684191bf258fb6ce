/* SPDX-License-Identifier: MIT
 * config_show.c - the effective configuration as YAML that loads again.
 *
 * Texts of features that came from the environment are shown as they were written
 * (${NAME}): a secret may be in them.  Everything else is shown resolved. */
#include <inttypes.h>
#include <string.h>

#include "switchd/core/config/config_kind.h"

enum { FINGERPRINT_MAX = 16 * 1024 * 1024 };

/* One character of a double-quoted YAML text. */
static void put_char(struct buf *out, const char *s, size_t n, unsigned code)
{
	if (code == '"' || code == '\\')
		buf_addf(out, "\\%c", (int)code);
	else if (code == '\n')
		buf_adds(out, "\\n");
	else if (code == '\t')
		buf_adds(out, "\\t");
	else if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		buf_addf(out, "\\x%02x", code);
	else if (code == 0x2028 || code == 0x2029 || code == 0xfeff || code == 0xfffe || code == 0xffff)
		buf_addf(out, "\\u%04x", code);
	else
		buf_add(out, s, n);
}

static void put_quoted(struct buf *out, const char *s, bool is_raw)
{
	size_t len = strlen(s);

	buf_adds(out, "\"");
	for (size_t i = 0, step; i < len; i += step) {
		unsigned code = 0;

		step = diag_utf8(s + i, len - i, &code);
		must(step > 0);
		/* A dollar that would be read as the beginning of something is doubled. */
		if (!is_raw && s[i] == '$' && (s[i + 1] == '$' || s[i + 1] == '{'))
			buf_adds(out, "$");
		put_char(out, s + i, step, code);
	}
	buf_adds(out, "\"");
}

static const struct raw_text *raw_of(const struct show *w, const char *s)
{
	const struct raw_text *r = w->secrets ? NULL : w->raws;

	while (r && r->value != s)
		r = r->next;
	return r;
}

void show_value(const struct show *w, const char *s)
{
	const struct raw_text *r = raw_of(w, s);

	put_quoted(w->out, r ? r->raw : s, r != NULL);
}

/* Not from a feature: resolved. */
void show_line(const struct show *w, const char *indent, const char *key, const char *value)
{
	if (!value[0])
		return;
	buf_addf(w->out, "%s%s: ", indent, key);
	put_quoted(w->out, value, false);
	buf_adds(w->out, "\n");
}

void show_ms(const struct show *w, const char *indent, const char *key, int64_t ms)
{
	char text[32];

	buf_addf(w->out, "%s%s: %s\n", indent, key, duration_text(ms, text));
}

void show_int(const struct show *w, const char *indent, const char *key, int n)
{
	buf_addf(w->out, "%s%s: %d\n", indent, key, n);
}

void show_bool(const struct show *w, const char *indent, const char *key, bool yes)
{
	buf_addf(w->out, "%s%s: %s\n", indent, key, yes ? "true" : "false");
}

void show_lines(const struct show *w, const char *indent, const char *key, const char *const *text, size_t n)
{
	buf_addf(w->out, "%s%s:\n", indent, key);
	for (size_t i = 0; i < n; i++) {
		buf_addf(w->out, "%s  - ", indent);
		show_value(w, text[i]);
		buf_adds(w->out, "\n");
	}
}

void show_headers(const struct show *w, const char *indent, const struct header *h, size_t n)
{
	if (n)
		buf_addf(w->out, "%sheaders:\n", indent);
	for (size_t i = 0; i < n; i++) {
		buf_addf(w->out, "%s  ", indent);
		put_quoted(w->out, h[i].name, true);
		buf_adds(w->out, ": ");
		if (!w->secrets && header_is_secret(h[i].name))
			buf_adds(w->out, "\"***\"");
		else
			show_value(w, h[i].value);
		buf_adds(w->out, "\n");
	}
}

static void show_rule(const struct show *w, const char *indent, const struct probe_rule *r)
{
	show_ms(w, indent, "interval", r->interval_ms);
	show_ms(w, indent, "idle_interval", r->idle_interval_ms);
	show_ms(w, indent, "fast_interval", r->fast_interval_ms);
	show_ms(w, indent, "confirm", r->confirm_ms);
	show_ms(w, indent, "timeout", r->timeout_ms);
	show_ms(w, indent, "start_period", r->start_period_ms);
	show_int(w, indent, "rise", r->rise);
	show_int(w, indent, "fall", r->fall);
	show_int(w, indent, "calm", r->calm);
	show_bool(w, indent, "fresh", r->fresh);
	buf_addf(w->out, "%svia: [%s]\n", indent, r->via_slot && r->via_front ? "slot, front" : r->via_slot ? "slot" : "front");
}

bool show_is_raw(const struct show *w, const char *text)
{
	for (const struct raw_text *r = w->raws; r; r = r->next)
		if (r->value == text)
			return true;
	return w->secrets;
}

void show_text(const struct show *w, const char *indent, const char *key, const char *value)
{
	if (!value[0])
		return;
	buf_addf(w->out, "%s%s: ", indent, key);
	show_value(w, value);
	buf_adds(w->out, "\n");
}

static void show_compare(const struct show *w, const char *in, const struct compare_config *c)
{
	char deep[32];

	if (!c->on)
		return;
	if (!c->n_ignore && !c->tolerance && !c->xpath) {
		show_bool(w, in, "compare", true);
		return;
	}
	TEXT_FORMAT(deep, "%s  ", in);
	buf_addf(w->out, "%scompare:\n", in);
	if (c->n_ignore)
		show_lines(w, deep, "ignore", c->ignore, c->n_ignore);
	if (c->tolerance)
		show_int(w, deep, "tolerance", c->tolerance);
	if (c->xpath)
		show_text(w, deep, "xpath", c->xpath);
}

void kind_open(const struct show *w, const char *in, const char *key) { buf_addf(w->out, "%s%s:\n", in, key); }

/* Eight blanks in a configuration, none in a fingerprint. */
const char *kind_indent(const char *in) { return in[0] ? "          " : "  "; }

/* The front is in it: its host is the Host header and the SNI of every probe. */
void show_feature_print(const struct show *w, const struct service_config *s, const struct feature *f)
{
	show_line(w, "", "front", s->front);
	show_line(w, "", "kind", f->kind->name);
	f->kind->show(w, "", f);
	show_headers(w, "", f->headers, f->n_headers);
	show_line(w, "", "judged by", f->compare ? "compare" : "expect");
	show_lines(w, "", "expect", f->expect, f->n_expect);
	show_compare(w, "", &f->against);
}

static void show_feature(const struct show *w, const struct feature *f)
{
	const char *in = "        ";

	buf_adds(w->out, "      ");
	put_quoted(w->out, f->name, true);
	buf_adds(w->out, ":\n");
	f->kind->show(w, in, f);
	show_headers(w, in, f->headers, f->n_headers);
	buf_addf(w->out, "%sseverity: %s\n", in, f->severity == SEV_WARN ? "warn" : "critical");
	show_bool(w, in, "writes", f->writes);
	if (f->reads)
		show_bool(w, in, "reads", true);
	if (f->writes)
		show_bool(w, in, "idle", f->idle);
	if (f->n_expect)
		show_lines(w, in, "expect", f->expect, f->n_expect);
	show_bool(w, in, "http2", f->http2);
	show_compare(w, in, &f->against);
	show_rule(w, in, &f->rule);
}

void show_tls(const struct show *w, const char *in, const char *key, const struct tls_config *t, bool used)
{
	char deep[32];

	if (!t->ca_file[0] && !t->cert_file[0] && !used && t->verify)
		return;
	text_format(deep, sizeof(deep), "%s  ", in);
	buf_addf(w->out, "%s%s:\n", in, key);
	show_line(w, deep, "ca_file", t->ca_file);
	show_line(w, deep, "cert_file", t->cert_file);
	show_line(w, deep, "key_file", t->key_file);
	show_bool(w, deep, "verify", t->verify);
}

static void show_slot(const struct show *w, const char *name, const struct slot_config *s)
{
	const char *in = "        ";

	buf_addf(w->out, "      %s:\n", name);
	if (s->source.kind != SOURCE_FIXED)
		show_line(w, in, "targets", s->source.text);
	else
		buf_addf(w->out, "%stargets:\n", in);
	for (size_t i = 0; s->source.kind == SOURCE_FIXED && i < s->n_targets; i++) {
		buf_addf(w->out, "%s  - ", in);
		put_quoted(w->out, s->targets[i].text, false);
		buf_adds(w->out, "\n");
	}
	if (s->min_targets)
		show_int(w, in, "min_targets", s->min_targets);
	if (s->proxy_protocol)
		show_bool(w, in, "proxy_protocol", true);
	bool https = s->source.kind != SOURCE_FIXED;
	for (size_t i = 0; i < s->n_targets; i++)
		https = https || s->targets[i].tls;
	show_tls(w, in, "tls", &s->tls, https);
}

static void show_proxy(const struct show *w, const struct proxy_config *p)
{
	const char *in = "        ", *deep = "          ";

	buf_addf(w->out, "      - type: %s\n", p->type);
	show_line(w, in, "name", p->name);
	show_line(w, in, "front", p->front);
	if (strcmp(p->type, "agent") == 0)
		return;
	show_line(w, in, "socket", p->socket);
	show_line(w, in, "map", p->map);
	show_line(w, in, "paths", p->paths);
	buf_addf(w->out, "%sbackends:\n", in);
	show_line(w, deep, "blue", p->backend[BLUE]);
	show_line(w, deep, "green", p->backend[GREEN]);
	show_line(w, deep, "shield", p->shield_backend);
}

static void show_gates(const struct show *w, const struct service_config *s)
{
	const char *in = "      ", *deep = "        ";

	if (!s->identity.on && !s->tests_age_ms && !s->n_require && !s->command.n_exec)
		return;
	buf_adds(w->out, "    gates:\n");
	if (s->tests_age_ms)
		show_ms(w, in, "age", s->tests_age_ms);
	if (s->n_require)
		buf_addf(w->out, "%srequire: [", in);
	for (size_t i = 0; i < s->n_require; i++)
		buf_addf(w->out, "%s%s%s", i ? ", " : "", s->require[i], i + 1 == s->n_require ? "]\n" : "");
	if (s->identity.on) {
		buf_addf(w->out, "%sidentity:\n%spath: ", in, deep);
		show_value(w, s->identity.path);
		buf_adds(w->out, "\n");
		show_lines(w, deep, "expect", s->identity.expect, s->identity.n_expect);
	}
	if (s->command.n_exec) {
		buf_addf(w->out, "%scommand:\n", in);
		show_lines(w, deep, "exec", s->command.exec, s->command.n_exec);
		show_ms(w, deep, "timeout", s->command.timeout_ms);
	}
}

static void show_own(const struct show *w, const struct service_config *s)
{
	const char *in = "    ";

	buf_addf(w->out, "%smode: %s\n%srollback: %s\n", in, run_mode_name(s->mode), in, rollback_policy_name(s->rollback));
	show_ms(w, in, "rollback_window", s->rollback_window_ms);
	buf_addf(w->out, "%sshield: %s\n%soffline: %s\n", in, s->shield ? "bake" : "off", in, s->offline_rollback ? "rollback" : "static");
	show_bool(w, in, "auto_promote", s->auto_promote);
	if (s->initial != NO_SLOT)
		buf_addf(w->out, "%sinitial: %s\n", in, slot_name(s->initial));
	show_ms(w, in, "bake", s->bake_ms);
	show_ms(w, in, "drain", s->drain_ms);
	show_ms(w, in, "prove_timeout", s->prove_timeout_ms);
	show_ms(w, in, "ready_timeout", s->ready_timeout_ms);
	show_ms(w, in, "flip_timeout", s->flip_timeout_ms);
	show_ms(w, in, "claim_ttl", s->claim_ttl_ms);
	show_ms(w, in, "unknown_limit", s->unknown_limit_ms);
	show_ms(w, in, "unknown_limit_bake", s->unknown_limit_bake_ms);
	buf_addf(w->out, "%srecheck: [", in);
	for (size_t i = 0; i < s->n_recheck; i++) {
		char text[32];

		buf_addf(w->out, "%s%s", i ? ", " : "", duration_text(s->recheck_ms[i], text));
	}
	buf_adds(w->out, "]\n");
	buf_addf(w->out, "%sflip_budget:\n", in);
	show_int(w, "      ", "max", s->budget_max);
	show_ms(w, "      ", "per", s->budget_per_ms);
	show_int(w, in, "max_rate", s->max_rate);
	show_int(w, in, "observe", s->observe);
	if (s->has_reference)
		show_line(w, in, "reference", s->reference.text);
	show_line(w, in, "manifest_path", s->manifest_path);
	show_gates(w, s);
}

static void show_inventory(const struct show *w, const struct service_config *s)
{
	if (s->n_inventory)
		buf_adds(w->out, "    inventory:\n");
	for (size_t i = 0; i < s->n_inventory; i++) {
		const struct inventory_source *in = &s->inventory[i];

		buf_addf(w->out, "      - %s: ", inventory_kind_name(in->kind));
		show_value(w, in->where);
		buf_adds(w->out, "\n");
		if (in->kind == INV_LOG)
			show_int(w, "        ", "top", in->top);
		if (in->pick[0])
			show_line(w, "        ", in->kind == INV_LINKS ? "xpath" : "jsonpath", in->pick);
		show_bool(w, "        ", "ask", in->ask);
	}
}

static void show_service(const struct show *w, const struct service_config *s)
{
	buf_adds(w->out, "  ");
	put_quoted(w->out, s->name, true);
	buf_adds(w->out, ":\n");
	show_line(w, "    ", "front", s->front);
	show_tls(w, "    ", "front_tls", &s->front_tls, false);
	if (!s->for_agent || s->slot[BLUE].n_targets || s->slot[BLUE].source.kind != SOURCE_FIXED) {
		buf_adds(w->out, "    slots:\n");
		show_slot(w, "blue", &s->slot[BLUE]);
		show_slot(w, "green", &s->slot[GREEN]);
	}
	if (s->n_proxies)
		buf_adds(w->out, "    proxies:\n");
	for (size_t i = 0; i < s->n_proxies; i++)
		show_proxy(w, &s->proxies[i]);
	if (s->for_agent) {
		show_agent_service(w, s);
		return;
	}
	show_own(w, s);
	if (s->n_inventory && !s->default_feature)
		show_headers(w, "    ", s->headers, s->n_headers);
	show_inventory(w, s);
	if (s->default_feature) {
		/* Its pace stands in the service: a features: key would make it one that was chosen. */
		buf_adds(w->out, "    # features: none were told: the one feature \"root\" is /, compared with the active slot\n");
		show_headers(w, "    ", s->features[0].headers, s->features[0].n_headers);
		show_bool(w, "    ", "http2", s->features[0].http2);
		show_rule(w, "    ", &s->features[0].rule);
		return;
	}
	buf_adds(w->out, "    features:\n");
	for (size_t i = 0; i < s->n_features; i++)
		show_feature(w, &s->features[i]);
}

static void show_top(const struct show *w, const struct config *c)
{
	buf_adds(w->out, "version: 1\n");
	show_line(w, "", "state_dir", c->state_dir);
	show_ms(w, "", "lease_ttl", c->lease_ttl_ms);
	show_line(w, "", "archive", c->archive);
	show_ms(w, "", "archive_keep", c->archive_keep_ms);
	show_int(w, "", "archive_size", (int)(c->archive_bytes / 1024 / 1024));
	buf_adds(w->out, "exec:\n");
	show_bool(w, "  ", "enabled", c->exec_enabled);
	show_int(w, "  ", "at_once", c->exec_at_once);
	buf_adds(w->out, "listen:\n");
	show_line(w, "  ", "http", c->listen.http[0] ? c->listen.http : "off");
	show_line(w, "  ", "operators", c->listen.operators[0] ? c->listen.operators : "off");
	show_line(w, "  ", "unix", c->listen.unix_path);
	if (c->listen.advertise[0])
		show_line(w, "  ", "advertise", c->listen.advertise);
	state_show(w, &c->redis);
	if (c->for_agent || c->agent_name[0])
		show_agent(w, c);
	if (c->tokens_file[0]) {
		buf_adds(w->out, "auth:\n");
		show_line(w, "  ", "tokens_file", c->tokens_file);
	}
	buf_adds(w->out, "services:\n");
}

void config_show(const struct config *c, const char *service, struct buf *out)
{
	const struct show w = { out, ((const struct loaded *)c)->raws, false };

	show_top(&w, c);
	for (size_t i = 0; i < c->n_services; i++)
		if (!service || !service[0] || strcmp(service, c->services[i].name) == 0)
			show_service(&w, &c->services[i]);
}

static bool ends(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n >= t && strcasecmp(s + n - t, tail) == 0;
}

bool header_is_secret(const char *name)
{
	return strcasecmp(name, "Authorization") == 0 || strcasecmp(name, "Proxy-Authorization") == 0 || strcasecmp(name, "Cookie") == 0 ||
	       ends(name, "Token") || ends(name, "Secret") || ends(name, "Api-Key") || ends(name, "Password");
}

/* Over what show_service() prints, secrets included: a field that is shown cannot be forgotten here. */
uint64_t service_fingerprint(const struct service_config *s)
{
	struct buf text = BUF_INIT(FINGERPRINT_MAX);
	const struct show w = { &text, NULL, true };
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	show_service(&w, s);
	for (size_t i = 0; i < text.len; i++)
		h = (h ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
	buf_free(&text);
	return h;
}
