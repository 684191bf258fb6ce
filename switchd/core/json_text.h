/* SPDX-License-Identifier: MIT
 * json_text.h - a text out of an object of JSON that may not have it. */
#ifndef SWITCHD_CORE_JSON_TEXT_H
#define SWITCHD_CORE_JSON_TEXT_H

#include <jansson.h>

/* "" where the member is not there or no text.  BORROWED from the object. */
static inline const char *json_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

#endif
