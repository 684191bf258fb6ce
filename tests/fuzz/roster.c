/* SPDX-License-Identifier: MIT
 * roster.c - reports that are heard, one after the other (a zero byte between them): the list stays sorted, bounded and fit to be
 * shown, whatever they say, and the last one heard again changes nothing. */
#include <ev.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "switchd/store/link_room.h"
#include "switchd/store/room.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t told;

static void on_agent(void *arg, const struct agent_seen *a)
{
	must(a && store_agent_named(arg, a->name) == a && a->heard.us);
	told++;
}

static void shown(const char *text)
{
	json_t *j = json_string(text);

	must(j != NULL);
	json_decref(j);
}

/* Returns how many services there are. */
static size_t check(const struct store *st)
{
	size_t all = 0;

	must(store_agents(st) <= ROSTER_AGENTS);
	for (size_t i = 0; i < store_agents(st); i++) {
		const struct agent_seen *a = store_agent(st, i);

		must(id_ok(a->name) && (!i || strcmp(store_agent(st, i - 1)->name, a->name) < 0));
		shown(a->status);
		shown(a->digest);
		shown(a->version);
		shown(a->detail);
		must((json_int_t)a->v.gen >= 0 && (json_int_t)a->seq >= 0);
		for (size_t k = 0; k < a->n_services; k++) {
			const struct agent_service *s = &a->services[k];

			must(name_ok(s->service) && (!k || strcmp(a->services[k - 1].service, s->service) < 0));
			must(s->json[0] && strlen(s->json) <= REPORT_SERVICE_MAX && agent_service(a, s->service) == s);
		}
		all += a->n_services;
	}
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct link away = { .state = L_WAITING };
	struct store st = { .loop = EV_DEFAULT, .link = &away };
	char *text = xmalloc(size + 1);
	size_t n, services, last = 0;

	memcpy(text, data, size);
	text[size] = '\0';
	roster_start(&st);
	store_watch_agents(&st, on_agent, &st);
	told = 0;
	for (size_t at = 0; at <= size; at += strlen(text + at) + 1) {
		roster_hear(&st, text + at, strlen(text + at));
		last = at;
	}
	services = check(&st);
	n = store_agents(&st);
	must(n <= told);
	roster_hear(&st, text + last, strlen(text + last));
	must(store_agents(&st) == n && check(&st) == services);
	roster_free(&st);
	free(text);
	return 0;
}
