/* SPDX-License-Identifier: MIT
 * local_discover.c - switchctl discover: a features: block for a site, from what it lists and answers. */
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "probes/inventory/discover.h"
#include "probes/probe.h"
#include "switchd/cli/import.h"
#include "switchd/cli/local.h"

enum { MOST = 100, OUT_MAX = 1024 * 1024, ERRORS_MAX = 256 * 1024 };

static const struct inventory_source sources[] = {
	{ INV_OPENAPI, "/openapi.json", "", 0, true, 0, 0 },   { INV_OPENAPI, "/openapi.yaml", "", 0, true, 0, 0 },
	{ INV_OPENAPI, "/v3/api-docs", "", 0, true, 0, 0 },    { INV_SITEMAP, "/sitemap.xml", "", 0, true, 0, 0 },
	{ INV_LINKS, "/", "//a/@href", 0, true, 0, 0 },
};

struct found { struct cli *c; struct discovery *d; };

static void progress(void *arg, size_t at, size_t of, const char *path)
{
	struct found *f = arg;

	if (!f->c->quiet)
		fprintf(stderr, "  %zu of %zu  %s\n", at, of, path);
}

static void done(void *arg, struct discovery *taken) { ((struct found *)arg)->d = taken; }

/* ---- printed ---- */

static void put_row(struct buf *out, const struct discovered *r)
{
	const char *off = r->as == DISCOVERED ? "" : "# ";

	if (r->as == DISCOVERED_NOT) {
		buf_adds(out, "      # TODO ");
		yaml_comment(out, r->path);
		buf_adds(out, ": ");
		yaml_comment(out, r->why);
		buf_adds(out, "\n");
		return;
	}
	if (r->as == DISCOVERED_VACUOUS)
		buf_addf(out, "      # TODO %s: %s\n", r->name, r->why);
	buf_addf(out, "      %s%s:\n      %s  path: ", off, r->name, off);
	yaml_text(out, r->path);
	buf_addf(out, "\n      %s  expect:\n", off);
	for (size_t i = 0; i < r->n_expect; i++) {
		buf_addf(out, "      %s    - ", off);
		yaml_text(out, r->expect[i]);
		buf_adds(out, "\n");
	}
}

static void put_block(struct buf *out, const char *url, const struct discovery *d)
{
	size_t count[3] = { 0 };

	for (size_t i = 0; i < d->n; i++)
		count[d->rows[i].as]++;
	buf_adds(out, "    # Found at ");
	yaml_comment(out, url);
	buf_addf(out, ": %zu features; %zu that nothing would notice and %zu that need a person are comments.\n", count[DISCOVERED],
		 count[DISCOVERED_VACUOUS], count[DISCOVERED_NOT]);
	buf_adds(out, "    # Every path was asked twice, and once with a last segment that cannot be there.  Keep those that your users would\n"
		      "    # miss; it belongs under `services: NAME:`.\n");
	if (d->left)
		buf_addf(out, "    # %zu more paths are listed and were not asked (--max).\n", d->left);
	buf_adds(out, "    features:\n");
	for (int as = DISCOVERED; as <= DISCOVERED_NOT; as++)
		for (size_t i = 0; i < d->n; i++)
			if ((int)d->rows[i].as == as)
				put_row(out, &d->rows[i]);
	if (!count[DISCOVERED])
		buf_adds(out, "      home: /          # nothing could be learned: this one is compared with the active slot\n");
}

/* What is printed must load: it is tried with a service round it. */
static bool loads(struct cli *c, const char *block)
{
	struct buf all = BUF_INIT(OUT_MAX + 1024), errors = BUF_INIT(ERRORS_MAX);
	int bad = 0;

	buf_addf(&all, "version: 1\nservices:\n  shop:\n    slots: { blue: [192.0.2.1:80], green: [192.0.2.2:80] }\n%s", block);
	struct config *cfg = config_load("discover", buf_str(&all), all.len, import_environment, NULL, &errors, &bad);
	bool ok = cfg && probe_check_config(cfg, &errors, &bad);

	if (!ok)
		complain(c, "what was found makes no configuration:\n%s", buf_str(&errors));
	config_free(&cfg);
	buf_free(&all);
	buf_free(&errors);
	return ok;
}

static int say(struct cli *c, const char *url, const struct discovery *d)
{
	struct buf out = BUF_INIT(OUT_MAX);
	size_t features = 0, vacuous = 0;
	int ex = EX_INTERNAL;

	for (size_t i = 0; i < d->n; i++) {
		features += d->rows[i].as == DISCOVERED;
		vacuous += d->rows[i].as == DISCOVERED_VACUOUS;
	}
	put_block(&out, url, d);
	if (!out.full && loads(c, buf_str(&out))) {
		ex = EX_DONE;
		if (c->output == FMT_JSON) {
			json_t *o = json_pack("{s:s,s:s,s:I,s:I,s:I,s:i}", "url", url, "yaml", buf_str(&out), "features", (json_int_t)features, "vacuous",
					      (json_int_t)vacuous, "need_a_person", (json_int_t)(d->n - features - vacuous), "exit", ex);

			say_json(c, o);
			json_decref(o);
		} else {
			fputs(buf_str(&out), stdout);
		}
	}
	for (size_t i = 0; c->verbose && i < d->inventory->n_notes; i++)
		fprintf(stderr, "  %s\n", d->inventory->notes[i]);
	if (vacuous > 1)
		complain(c, "%zu paths answer as any path does: the site has a page that answers everything (a single-page application?)", vacuous);
	buf_free(&out);
	return ex;
}

/* ---- the verb ---- */

int verb_discover(struct cli *c)
{
	const char *url = c->n_words ? c->words[0] : "";
	struct address a;
	char why[200], origin[400], target[300];
	size_t most = c->max ? (size_t)c->max : MOST;

	if (!address_parse(url, &a, why, sizeof(why)) || (strcmp(a.scheme, "http") != 0 && strcmp(a.scheme, "https") != 0))
		return usage_error(c, "discover wants a URL, such as https://shop.example.com, got '%s'", url);
	if (a.rest[0] && strcmp(a.rest, "/") != 0)
		return usage_error(c, "discover wants the site, without a path: got '%s'", url);
	if (c->max < 0 || c->max > MAX_FEATURES)
		return usage_error(c, "--max is from 1 to %d", MAX_FEATURES);
	TEXT_FORMAT(origin, "%.*s", (int)(a.rest - url), url);
	TEXT_FORMAT(target, "%s:%u", a.host, a.port);
	struct target at = { .text = target, .host = a.host, .port = a.port, .tls = strcmp(a.scheme, "https") == 0 };
	struct service_config svc = { .name = "discover", .front = origin, .front_target = at, .inventory = sources, .n_inventory = ARRAY_LEN(sources),
				      .max_rate = 0 };
	struct found f = { .c = c };
	struct ev_loop *loop = ev_default_loop(0);

	svc.slot[BLUE] = (struct slot_config){ .targets = &at, .n_targets = 1, .tls = { .ca_file = "", .cert_file = "", .key_file = "", .verify = true } };
	discover_start(loop, &svc, most, progress, done, &f);
	while (!f.d && ev_run(loop, EVRUN_ONCE))
		;
	bool reached = f.d->inventory->target[0] && (f.d->n != 1 || f.d->rows[0].as != DISCOVERED_NOT);
	int ex = EX_UNREACHABLE;

	if (reached)
		ex = say(c, origin, f.d);
	else
		complain(c, "%s: %s", origin, f.d->n ? f.d->rows[0].why : "nothing answers");
	discovery_free(&f.d);
	ev_loop_destroy(loop);
	return ex;
}
