/* SPDX-License-Identifier: MIT
 * query.c - one value out of an answer, as text. */
#include "probes/assert/query.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "probes/assert/answer.h"
#include "probes/assert/jsonpath.h"
#include "probes/assert/subject.h"
#include "switchd/base/text.h"

struct query *query_compile(const char *line, char *err, size_t err_size, int *err_col)
{
	struct query *q = xcalloc(1, sizeof(*q));
	struct scan s = { .line = line, .err = err, .err_size = err_size, .err_col = err_col };

	*err_col = 0;
	bool ok = strlen(line) <= ASSERT_MAX_LINE || scan_fail(&s, ASSERT_MAX_LINE, "the query is longer than %d bytes", ASSERT_MAX_LINE);

	ok = ok && subject_read(&s, q);
	if (ok && (q->subject == SUB_BYTES || q->subject == SUB_SHA256 || q->subject == SUB_DURATION))
		ok = scan_fail(&s, 0, "%s can be asserted, not captured", subjects[q->subject].word);
	if (!ok || !scan_end(&s))
		query_free(&q);
	return q;
}

void query_free(struct query **qp)
{
	if (!*qp)
		return;
	subject_clear(*qp);
	free(*qp);
	*qp = NULL;
}

static enum query_result put(const char *s, size_t n, char *out, size_t size)
{
	/* A zero byte would end it early: such a text cannot be used whole. */
	if (n >= size || memchr(s, '\0', n))
		return QUERY_TOO_LONG;
	memcpy(out, s, n);
	out[n] = '\0';
	return QUERY_FOUND;
}

static enum query_result put_value(const struct value *v, char *out, size_t size)
{
	char text[40];

	switch (v->kind) {
	case VAL_TEXT:
		return put(v->s, v->n, out, size);
	case VAL_NODES:
		return v->i ? put(v->s, v->n, out, size) : QUERY_MISSING;
	case VAL_INT:
		TEXT_FORMAT(text, "%" PRId64, v->i);
		return put(text, strlen(text), out, size);
	case VAL_REAL:
		TEXT_FORMAT(text, "%.17g", v->r);
		return put(text, strlen(text), out, size);
	case VAL_BOOL:
		return put(v->i ? "true" : "false", v->i ? 4 : 5, out, size);
	case VAL_OTHER:
		break;
	}
	return QUERY_MISSING;
}

static bool take_first(void *arg, json_t *node)
{
	*(json_t **)arg = node;
	return false;
}

static enum query_result json_text(const struct query *q, struct answer *a, char *out, size_t size)
{
	json_t *root = answer_parsed(a), *first = NULL;

	if (!root)
		return QUERY_MISSING;
	if (jsonpath_walk(q->path, root, take_first, &first) == JP_COSTLY)
		return QUERY_COSTLY;
	struct value v = value_json(first);

	return put_value(&v, out, size);
}

static enum query_result xpath_text(const struct query *q, struct answer *a, char *out, size_t size)
{
	struct xdoc *d = answer_document(a);
	struct xpath_result r;
	char why[128];

	if (!d)
		return a->doc_costly ? QUERY_COSTLY : QUERY_MISSING;
	enum xpath_outcome o = xpath_eval(q->xpath, d, &r, why, sizeof(why));
	enum query_result result = o == XPATH_COSTLY ? QUERY_COSTLY : QUERY_MISSING;
	struct value v = value_xpath(&r);

	if (o == XPATH_OK)
		result = put_value(&v, out, size);
	xpath_clear(&r);
	return result;
}

static enum query_result take_text(const struct query *q, struct answer *a, char *out, size_t size)
{
	char scratch[TAKE_TEXT], why[160];
	struct value v;

	switch (subject_take(q, a, &v, scratch, why, sizeof(why))) {
	case TAKEN_NONE:
		return QUERY_MISSING;
	case TAKEN_COSTLY:
		return QUERY_COSTLY;
	case TAKEN:
		break;
	}
	return put_value(&v, out, size);
}

static enum query_result find(const struct query *q, struct answer *a, char *out, size_t size)
{
	struct field f;
	size_t at = 0;
	struct value status = value_int(a->status);

	switch (q->subject) {
	case SUB_STATUS:
		return put_value(&status, out, size);
	case SUB_HEADER:
		return answer_field(a, q->name, &at, &f) ? put(f.s, f.n, out, size) : QUERY_MISSING;
	case SUB_BODY:
		return put(a->body ? a->body : "", a->body ? a->body_len : 0, out, size);
	case SUB_JSONPATH:
		return json_text(q, a, out, size);
	case SUB_XPATH:
		return xpath_text(q, a, out, size);
	case SUB_REDIRECT:
		return a->status / 100 == 3 && a->location && a->location[0] ? put(a->location, strlen(a->location), out, size) : QUERY_MISSING;
	default:
		return take_text(q, a, out, size);
	}
}

enum query_result query_text(const struct query *q, struct answer *a, char *out, size_t size)
{
	must(size > 0);
	enum query_result r = find(q, a, out, size);

	if (r != QUERY_FOUND)
		out[0] = '\0';
	return r;
}
