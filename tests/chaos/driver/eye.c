/* SPDX-License-Identifier: MIT
 * eye.c - what the controllers say, and what the fronts do. */
#include <strings.h>

#include "tests/chaos/driver/driver.h"
#include "tests/chaos/wire.h"

static void text_of(const json_t *o, const char *name, char *out, size_t size)
{
	const char *s = json_string_value(json_object_get(o, name));

	snprintf(out, size, "%s", s ? s : "");
}

static bool set(const json_t *o, const char *name) { return json_is_object(json_object_get(o, name)); }

static void fill_view(struct view *v, const json_t *o)
{
	const json_t *store = json_object_get(o, "store"), *slots = json_object_get(o, "slots"), *proxy;
	size_t i;

	v->there = true;
	v->up = json_is_true(json_object_get(store, "up"));
	v->pending = json_is_true(json_object_get(store, "pending"));
	v->loaded = json_is_true(json_object_get(o, "loaded"));
	const char *says = json_string_value(json_object_get(store, "state"));
	const char *bad = json_string_value(json_object_get(store, "bad"));
	v->bad = bad && *bad;
	v->leads = says ? strcmp(says, "leading") == 0 : v->up;
	v->suspect = json_is_true(json_object_get(o, "suspect"));
	v->held = set(o, "hold");
	v->sealed = set(o, "sealed");
	v->pinned = set(o, "pin");
	v->claimed = set(o, "claim");
	text_of(o, "active", v->active, sizeof(v->active));
	text_of(o, "etag", v->etag, sizeof(v->etag));
	text_of(o, "phase", v->phase, sizeof(v->phase));
	text_of(o, "release", v->release, sizeof(v->release));
	text_of(o, "rollback_target", v->target, sizeof(v->target));
	text_of(json_object_get(o, "claim"), "id", v->claim, sizeof(v->claim));
	text_of(json_object_get(o, "deploy"), "outcome", v->deploy_outcome, sizeof(v->deploy_outcome));
	v->deploy = (long)json_integer_value(json_object_get(json_object_get(o, "deploy"), "id"));
	v->whole[0] = json_is_true(json_object_get(json_object_get(slots, "blue"), "whole"));
	v->whole[1] = json_is_true(json_object_get(json_object_get(slots, "green"), "whole"));
	json_array_foreach(json_object_get(o, "proxies"), i, proxy) {
		const char *state = json_string_value(json_object_get(proxy, "state"));

		v->proxies++;
		v->in_sync += state && (strcmp(state, "in-sync") == 0 || strcmp(state, "pinned") == 0);
	}
}

struct view eye_look(int controller)
{
	static __thread char got[256 * 1024];
	struct view v = { 0 };
	char ask[256];
	size_t n;

	snprintf(ask, sizeof(ask), "GET /v1/services/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", site("service"));
	if (wire_ask(site("socket%d", controller), ask, strlen(ask), got, sizeof(got), &n, 1000, NULL) != WIRE_OK || strncmp(got, "HTTP/1.1 200", 12) != 0)
		return v;
	char *body = strstr(got, "\r\n\r\n");
	json_t *o = body ? json_loads(body + 4, 0, NULL) : NULL;
	if (o)
		fill_view(&v, o);
	json_decref(o);
	return v;
}

/* What a leader says is told when it is news; began: an older answer that came later is no step back. */
static void tell(int who, int64_t began, const struct view *v)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static char last[512];
	static int64_t last_at;
	char text[512];

	snprintf(text, sizeof(text), "who=%d\tetag=%s\tactive=%s\tphase=%s\theld=%d\tpinned=%d\tclaimed=%d\tsealed=%d\tin_sync=%d/%d\tsuspect=%d", who, v->etag, v->active, v->phase,
		 v->held, v->pinned, v->claimed, v->sealed, v->in_sync, v->proxies, v->suspect);
	pthread_mutex_lock(&lock);
	if (strcmp(text, last) != 0 || now_us() - last_at > 1000000) {
		snprintf(last, sizeof(last), "%s", text);
		last_at = now_us();
		say("eye\tbegan=%lld\t%s", (long long)began, text);
	}
	pthread_mutex_unlock(&lock);
}

struct view eye_leader(void)
{
	for (int i = 1; i <= rig.n_controllers; i++) {
		int64_t began = now_us();
		struct view v = eye_look(i);

		if (v.there && v.up && v.loaded && v.leads) {
			tell(i, began, &v);
			return v;
		}
	}
	return (struct view){ 0 };
}

/* "green/green:1795333451.42:plain" */
bool eye_front(int front, char *slot, size_t slot_size, char *version, size_t version_size)
{
	char ask[256], got[16384];
	size_t n;

	snprintf(ask, sizeof(ask), "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Switchd-Probe: %s/chaos\r\nConnection: close\r\n\r\n", site("service"));
	if (wire_ask(site("front%d", front), ask, strlen(ask), got, sizeof(got), &n, 1000, NULL) != WIRE_OK || strncmp(got, "HTTP/1.1 200", 12) != 0)
		return false;
	char *h = strcasestr(got, "\r\nX-Switchd: ");
	if (!h)
		return false;
	h += 13;
	h[strcspn(h, "\r\n")] = '\0';
	char *slash = strchr(h, '/'), *colon = slash ? strchr(slash, ':') : NULL;
	if (!slash || !colon)
		return false;
	*slash = *colon = '\0';
	if (strcmp(h, slash + 1) != 0)
		return false;
	snprintf(slot, slot_size, "%s", h);
	snprintf(version, version_size, "%.*s", (int)strcspn(colon + 1, ":"), colon + 1);
	return true;
}

bool eye_agree(char *why, size_t size)
{
	struct view v = eye_leader();
	char slot[16], version[64];

	if (!v.there) {
		snprintf(why, size, "no controller leads");
		return false;
	}
	for (int i = 1; i <= rig.n_fronts; i++) {
		if (!eye_front(i, slot, sizeof(slot), version, sizeof(version))) {
			snprintf(why, size, "front %d does not say", i);
			return false;
		}
		bool pin = strncmp(version, "pin.", 4) == 0;
		if (strcmp(slot, v.active) != 0 || (!pin && strcmp(version, v.etag) != 0) || (pin && !v.pinned)) {
			snprintf(why, size, "front %d shows %s:%s, the record says %s:%s in %s", i, slot, version, v.active, v.etag, v.phase);
			return false;
		}
	}
	if (v.in_sync != v.proxies || v.pending) {
		snprintf(why, size, "%d of %d proxies in sync, pending %d", v.in_sync, v.proxies, v.pending);
		return false;
	}
	return true;
}
