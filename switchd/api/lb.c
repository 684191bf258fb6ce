/* SPDX-License-Identifier: MIT
 * lb.c - what load balancers ask: no credentials, no store on the path, the last known answer when it is away. */
#include <stdlib.h>
#include <string.h>

#include "switchd/api/route.h"

static bool one_service(struct call *c)
{
	if (c->service[0])
		return true;
	if (engine_services(call_engine(c)) != 1)
		return false;
	return TEXT_COPY(c->service, engine_service_name(call_engine(c), 0));
}

static void lb_answer(struct call *c, unsigned status, const char *type, const char *body, const struct active_answer *a)
{
	char epoch[VERSION_TEXT], stale[24];
	struct httpd_header h[4] = { { "Cache-Control", "no-store" } };
	size_t n = 1;

	if (a->known_service) {
		h[n++] = (struct httpd_header){ "Switchd-Epoch", version_text(a->v, epoch) };
		if (a->stale_ms) {
			TEXT_FORMAT(stale, "%lld", (long long)((a->stale_ms + 999) / 1000));
			h[n++] = (struct httpd_header){ "Switchd-Stale", stale };
		}
	}
	httpd_answer(c->req, status, type, h, n, body, strlen(body));
	call_free(c);
}

void lb_active(struct call *c)
{
	struct active_answer a = { .active = NO_SLOT };
	char line[16];

	if (one_service(c))
		engine_active(call_engine(c), c->service, &a);
	if (!a.known_service) {
		lb_answer(c, 404, "text/plain", "no such service\n", &a);
		return;
	}
	TEXT_FORMAT(line, "%s\n", slot_name(a.active));
	lb_answer(c, a.active == NO_SLOT ? 503 : 200, "text/plain", line, &a);
}

void lb_slot(struct call *c)
{
	const char *drain = httpd_query(c->req, "drain");
	struct active_answer a = { .active = NO_SLOT };
	enum slot asked;
	json_t *j;
	char *body;

	if (one_service(c))
		engine_active(call_engine(c), c->service, &a);
	if (!a.known_service || !slot_parse(c->slot, &asked)) {
		lb_answer(c, 404, "text/plain", a.known_service ? "no such slot: blue or green\n" : "no such service\n", &a);
		return;
	}
	bool active = a.active == asked, draining = !active && a.draining && a.active != NO_SLOT && drain && strcmp(drain, "1") == 0;

	j = json_pack("{s:s,s:s,s:s,s:s}", "status", active ? "pass" : draining ? "warn" : "fail", "serviceId", c->service, "slot", c->slot, "releaseId",
		      active ? a.release : "");
	body = j ? json_dumps(j, JSON_COMPACT) : NULL;
	lb_answer(c, active || draining ? 200 : 503, "application/health+json", body ? body : "{}", &a);
	free(body);
	json_decref(j);
}

void lb_livez(struct call *c) { answer_text(c, 200, "text/plain", "alive\n"); }

void lb_readyz(struct call *c)
{
	char why[300], line[310];
	bool ready = engine_ready(call_engine(c), why, sizeof(why));

	TEXT_FORMAT(line, "%s\n", why);
	answer_text(c, ready ? 200 : 503, "text/plain", line);
}
