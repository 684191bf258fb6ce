/* SPDX-License-Identifier: MIT
 * claim.c - the manifest that came with a claim: kept with it in the record until the release is deployed. */
#include <stdlib.h>
#include <string.h>

#include "switchd/core/decide/decide.h"

/* One JSON object that fits, in the form that is written; false: out is "". */
static bool written(json_t *taken, char out[CLAIM_MANIFEST + 1])
{
	char *text = json_dumps(taken, JSON_COMPACT);
	bool ok = text && text_copy(out, CLAIM_MANIFEST + 1, text);

	if (!ok)
		out[0] = '\0';
	free(text);
	json_decref(taken);
	return ok;
}

bool claim_keep(struct claim *c, const struct manifest *m)
{
	json_t *j = manifest_json(m);

	if (written(json_incref(j), c->manifest)) {
		json_decref(j);
		return true;
	}
	/* What gates compare always fits; labels may be long. */
	json_object_del(j, "labels");
	written(j, c->manifest);
	return false;
}

bool claim_manifest_ok(const char *text, size_t len)
{
	struct manifest *m = xcalloc(1, sizeof(*m));
	char why[200];
	bool ok = len <= CLAIM_MANIFEST && text[0] == '{' && manifest_parse("claim.manifest", text, len, m, why, sizeof(why), NULL);

	free(m);
	return ok;
}

bool claim_carries(const struct claim *c, const struct input *in, struct manifest *out)
{
	char why[200];

	return in->kind == IN_DEPLOY && c->id[0] && c->manifest[0] && strcmp(c->id, in->claim_id) == 0 &&
	       (!c->release[0] || strcmp(c->release, in->release) == 0) &&
	       manifest_parse("claim.manifest", c->manifest, strlen(c->manifest), out, why, sizeof(why), NULL);
}

/* ---- two manifests of one release ---- */

static bool same_list(const json_t *a, const json_t *b)
{
	size_t i, k;
	json_t *x, *y;

	json_array_foreach((json_t *)a, i, x) {
		bool there = false;

		json_array_foreach((json_t *)b, k, y)
			there |= json_equal(x, y);
		if (!there)
			return false;
	}
	return json_array_size(a) == json_array_size(b);
}

static const char *shown(const json_t *v, char *out, size_t size)
{
	char *text = json_is_string(v) ? xstrdup(json_string_value(v)) : json_dumps(v, JSON_COMPACT);

	text_printable(out, size, text ? text : "", text ? strlen(text) : 0);
	free(text);
	return out;
}

static json_t *field_of(const json_t *o, const char *name)
{
	const char *dot = strchr(name, '.');
	char group[64];

	if (!dot)
		return json_object_get(o, name);
	must(text_copy_n(group, sizeof(group), name, (size_t)(dot - name)));
	return json_object_get(json_object_get(o, group), dot + 1);
}

bool manifest_contradicts(const struct manifest *at_claim, const struct manifest *at_deploy, char *out, size_t size)
{
	json_t *a = manifest_json(at_claim), *b = manifest_json(at_deploy);
	const char *name = NULL;
	bool found = false;

	for (size_t i = 0; !found && (name = manifest_field(i)); i++) {
		const json_t *x = field_of(a, name), *y = field_of(b, name);
		char left[TAG_LEN + 1], right[TAG_LEN + 1];

		found = x && y && !json_is_object(x) && (json_is_array(x) ? !same_list(x, y) : !json_equal(x, y));
		if (found)
			text_format(out, size, "%s: the claim's manifest says %.80s, the deploy's says %.80s", name, shown(x, left, sizeof(left)),
				    shown(y, right, sizeof(right)));
	}
	json_decref(a);
	json_decref(b);
	return found;
}
