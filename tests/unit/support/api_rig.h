/* SPDX-License-Identifier: MIT
 * api_rig.h - for tests/unit/api*.c: an engine that says what the test told it, the API on three listeners,
 * and a small client that shares the loop.
 *
 * It defines every engine_ call that the API makes, so that the real engine is not linked. */
#ifndef TESTS_UNIT_API_RIG_H
#define TESTS_UNIT_API_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "switchd/api/route.h"
#include "switchd/base/log.h"
#include "switchd/core/story/blame.h"

/* ---- the engine of this test ---- */

static struct fake {
	struct ev_loop *loop;
	struct config *cfg;
	unsigned asked;                 /* calls of any kind */
	struct order_result result;     /* what an order comes to */
	struct record record;
	struct active_answer active;
	size_t services;
	bool ready, later, broken_json, follows;
	/* what the last order was */
	struct input in; char rid[80]; bool has_match; struct version match;
	/* owed */
	order_done_fn *done; void *done_arg; ev_timer soon;
	engine_events_fn *events; void *events_arg; char after[44]; wall_ms since; size_t max;
	engine_probe_fn *probe; void *probe_arg;
	const char *prove_error;        /* NULL: it can be told */
	bool no_inventory, asks_full;
	engine_watch_fn *watch; void *watch_arg;
	const char *phase, *outcome; unsigned deploy_asked;
} fake;

struct engine { int unused; };
static struct engine the_engine;

static inline void fake_answer(void)
{
	order_done_fn *done = fake.done;
	struct order_result r = fake.result;

	assert_non_null(done);
	fake.done = NULL;
	r.record = r.status == ORDER_NO_SERVICE ? NULL : &fake.record;
	r.because = r.because ? r.because : "";
	r.would = r.would ? r.would : "";
	r.dry_run = fake.in.dry_run;
	done(fake.done_arg, &r);
}

static inline void on_soon(EV_P_ ev_timer *t, int revents)
{
	(void)revents;
	ev_timer_stop(EV_A_ t);
	fake_answer();
}

void engine_order(struct engine *e, const char *service, const struct input *in, const char *rid, const struct version *if_match, order_done_fn *done,
		  void *arg)
{
	(void)e;
	fake.asked++;
	assert_null(fake.done);
	fake.in = *in;
	TEXT_COPY(fake.rid, rid);
	fake.has_match = if_match != NULL;
	if (if_match)
		fake.match = *if_match;
	fake.done = done;
	fake.done_arg = arg;
	if (strcmp(service, "shop") != 0)
		fake.result.status = ORDER_NO_SERVICE;
	if (fake.later)
		return;
	ev_timer_init(&fake.soon, on_soon, 0., 0.);
	ev_timer_start(fake.loop, &fake.soon);
}

void engine_repair(struct engine *e, const char *service, const struct person *p, order_done_fn *done, void *arg)
{
	struct input in = { .kind = IN_NOTE, .dry_run = p->dry_run };

	TEXT_COPY(in.by, p->by);
	TEXT_COPY(in.why, p->why);
	engine_order(e, service, &in, p->rid, NULL, done, arg);
}

void engine_upgrade(struct engine *e, const struct person *p, state_done_fn *done, void *arg)
{
	struct state_result r = { .said = json_pack("{s:i,s:i}", "from", 1, "to", 2) };

	(void)e;
	fake.asked++;
	fake.in = (struct input){ .kind = IN_NOTE, .dry_run = p->dry_run };
	TEXT_COPY(fake.in.by, p->by);
	done(arg, &r);
	json_decref(r.said);
}

void engine_export(struct engine *e, state_done_fn *done, void *arg) { engine_upgrade(e, &(struct person){ .by = "export" }, done, arg); }

void engine_import(struct engine *e, const struct person *p, json_t *doc, bool force, state_done_fn *done, void *arg)
{
	(void)doc;
	(void)force;
	engine_upgrade(e, p, done, arg);
}

void engine_doctor(struct engine *e, engine_events_fn *done, void *arg)
{
	json_t *o = json_pack("{s:i,s:[]}", "bad", 0, "checks");

	(void)e;
	fake.asked++;
	done(arg, o);
	json_decref(o);
}

size_t engine_services(const struct engine *e) { (void)e; return fake.services; }
const char *engine_service_name(const struct engine *e, size_t i) { (void)e; (void)i; return "shop"; }
bool engine_has_service(const struct engine *e, const char *name) { (void)e; return strcmp(name, "shop") == 0; }
const struct config *engine_current_config(const struct engine *e) { (void)e; return fake.cfg; }
const struct service_config *engine_service_config(const struct engine *e, const char *name)
{
	return config_service(engine_current_config(e), name);
}

void engine_active(const struct engine *e, const char *service, struct active_answer *out)
{
	(void)e;
	*out = strcmp(service, "shop") == 0 ? fake.active : (struct active_answer){ .active = NO_SLOT };
}

static inline json_t *said(const char *text)
{
	fake.asked++;
	json_t *j = json_loads(text, 0, NULL);

	assert_non_null(j);
	return j;
}

json_t *engine_status(const struct engine *e, const char *service)
{
	(void)e;
	return strcmp(service, "shop") != 0 ? NULL : said(
		"{\"service\":\"shop\",\"deploy\":{\"id\":7},\"claim\":null,\"safe_to_flip\":{\"ok\":false,\"slot\":\"blue\",\"why\":\"quotes absent\"},"
		"\"features\":[{\"name\":\"quotes\",\"path\":\"/api/quotes\",\"votes\":true,\"slots\":{\"blue\":{\"verdict\":\"absent\",\"status\":404,"
		"\"detail\":\"want 200\"},\"green\":{\"verdict\":\"present\",\"status\":200,\"detail\":\"\"}}}]}");
}

json_t *engine_overview(const struct engine *e) { (void)e; return fake.broken_json ? NULL : said("{\"version\":\"x\",\"services\":[{\"service\":\"shop\"}]}"); }
json_t *engine_why(const struct engine *e, const char *s) { (void)e; return strcmp(s, "shop") ? NULL : said("{\"service\":\"shop\"}"); }
json_t *engine_deploys(const struct engine *e, const char *s) { (void)e; return strcmp(s, "shop") ? NULL : said("{\"deploys\":[]}"); }

json_t *engine_deploy(const struct engine *e, const char *service, uint64_t id)
{
	(void)e;
	fake.asked++;
	fake.deploy_asked++;
	if (strcmp(service, "shop") != 0 || (id != 7 && id != 6))
		return NULL;
	return json_pack("{s:i,s:s,s:s}", "id", (int)id, "phase", id == 7 ? fake.phase : "steady", "outcome", id == 7 ? fake.outcome : "baked");
}

json_t *engine_evidence(const struct engine *e, const char *s, const char *f)
{
	(void)e;
	return strcmp(s, "shop") || strcmp(f, "quotes") ? NULL : said("{\"feature\":\"quotes\"}");
}

/* A real ledger: r41 had quotes, r42 has not; nothing is known of expenses. */
static inline struct ledger *fake_ledger(void)
{
	static struct record rec;
	struct ledger *l = ledger_new();

	rec = (struct record){ .active = BLUE, .slot = { { .id = "r41", .state = RS_GOOD, .arrived = { 1000 } }, { .id = "r42", .state = RS_GOOD, .arrived = { 5000 } } } };
	l->features[l->n_features++] = (struct ledger_feature){ .name = "quotes", .probe = 7, .since = { 500 }, .watched = true };
	ledger_record(l, &rec, (wall_ms){ 5000 });
	for (int k = BLUE; k <= GREEN; k++) {
		struct ledger_sight x = { .feature = "quotes", .probe = 7, .verdict = k == BLUE ? V_PRESENT : V_ABSENT, .at = { 6000 }, .now = { 6000 } };

		assert_true(ledger_note(l, ledger_in_slot(l, (enum slot)k), &x));
	}
	return l;
}

json_t *engine_ledger(const struct engine *e, const char *s)
{
	struct ledger *l = fake_ledger();
	json_t *o = strcmp(s, "shop") ? NULL : ledger_json(l, s);

	(void)e;
	fake.asked++;
	ledger_free(&l);
	return o;
}

json_t *engine_blame(const struct engine *e, const char *s, const char *f)
{
	struct blame_now now = { .service = s, .feature = f, .path = "/q", .at = { V_PRESENT, V_ABSENT }, .active = BLUE, .release = { "r41", "r42" }, .watched = true };
	struct ledger *l = fake_ledger();
	json_t *o = strcmp(s, "shop") || strcmp(f, "quotes") ? NULL : blame_json(l, &now);

	(void)e;
	fake.asked++;
	ledger_free(&l);
	return o;
}

static inline void engine_archive_say(engine_events_fn *done, void *arg, wall_ms from, wall_ms until, size_t max)
{
	json_t *o = json_pack("{s:b,s:[{s:I,s:I,s:I}]}", "complete", 1, "lines", "from", (json_int_t)from.ms, "until", (json_int_t)until.ms, "max", (json_int_t)max);

	done(arg, o);
	json_decref(o);
}

void engine_archive(struct engine *e, const char *s, wall_ms from, wall_ms until, size_t max, engine_events_fn *done, void *arg)
{
	(void)e;
	(void)s;
	fake.asked++;
	engine_archive_say(done, arg, from, until, max);
}

void engine_report(struct engine *e, const char *s, wall_ms from, engine_events_fn *done, void *arg)
{
	json_t *o = json_pack("{s:s,s:I}", "service", s, "from", (json_int_t)from.ms);

	(void)e;
	fake.asked++;
	done(arg, o);
	json_decref(o);
}

void engine_config(const struct engine *e, const char *service, struct buf *yaml) { (void)e; (void)service; fake.asked++; buf_adds(yaml, "version: 1\n"); }
json_t *engine_agents(const struct engine *e) { (void)e; fake.asked++; return json_pack("{s:[]}", "agents"); }
enum refusal engine_leads(const struct engine *e, char *why, size_t size)
{
	(void)e;
	text_format(why, size, fake.follows ? "another leads" : "");
	return fake.follows ? RF_STANDBY : RF_NONE;
}

void engine_forget_agent(struct engine *e, const char *name, engine_forgot_fn *done, void *arg)
{
	(void)e;
	fake.asked++;
	done(arg, strcmp(name, "lb1") == 0);
}
void engine_metrics(const struct engine *e, struct buf *out) { (void)e; buf_adds(out, "switchd_armed{service=\"shop\"} 1\n"); }

bool engine_ready(const struct engine *e, char *why, size_t size)
{
	(void)e;
	text_format(why, size, fake.ready ? "ready" : "shop: proxy haproxy is behind");
	return fake.ready;
}

static inline void fake_events(void)
{
	engine_events_fn *done = fake.events;
	json_t *j = json_pack("{s:b,s:[]}", "complete", 1, "events");

	assert_non_null(done);
	fake.events = NULL;
	done(fake.events_arg, j);
	json_decref(j);
}

void engine_timeline(struct engine *e, const char *service, const char *after, wall_ms since, size_t max, engine_events_fn *done, void *arg)
{
	(void)e; (void)service;
	TEXT_COPY(fake.after, after);
	fake.since = since;
	fake.max = max;
	fake.asked++;
	fake.events = done;
	fake.events_arg = arg;
	if (!fake.later)
		fake_events(); /* the store is away: answered from memory, at once */
}

void engine_postmortem(struct engine *e, const char *service, uint64_t deploy, wall_ms from, wall_ms to, engine_events_fn *done, void *arg)
{
	json_t *j = deploy == 404 ? json_pack("{s:s}", "error", "no deploy")
				  : json_pack("{s:s,s:I,s:I,s:I,s:{s:s},s:[]}", "service", service, "deploy", (json_int_t)deploy, "from", (json_int_t)from.ms, "to",
					      (json_int_t)to.ms, "summary", "headline", "nothing <b>", "facts");

	(void)e;
	fake.asked++;
	done(arg, j);
	json_decref(j);
}

static inline void fake_probe(void)
{
	engine_probe_fn *done = fake.probe;
	json_t *j = json_pack("{s:b,s:[]}", "complete", 1, "features");

	assert_non_null(done);
	fake.probe = NULL;
	done(fake.probe_arg, j);
	json_decref(j);
}

void engine_probe_now(struct engine *e, const char *service, enum slot slot, engine_probe_fn *done, void *arg)
{
	(void)e; (void)service; (void)slot;
	fake.asked++;
	fake.probe = done;
	fake.probe_arg = arg;
	if (!fake.later)
		fake_probe();
}

json_t *engine_inventory(const struct engine *e, const char *s)
{
	(void)e;
	return strcmp(s, "shop") ? NULL : said(fake.no_inventory ? "{\"configured\":false}" : "{\"service\":\"shop\",\"configured\":true,\"compared\":false}");
}

bool engine_inventory_ask(struct engine *e, const char *service, engine_probe_fn *done, void *arg)
{
	json_t *j = json_pack("{s:b,s:[]}", "compared", 1, "routes");

	(void)e; (void)service;
	fake.asked++;
	if (!fake.asks_full)
		done(arg, j);
	json_decref(j);
	return !fake.asks_full;
}

void engine_prove(struct engine *e, const char *service, engine_probe_fn *done, void *arg)
{
	json_t *j = fake.prove_error ? json_pack("{s:s}", "error", fake.prove_error) : json_pack("{s:b,s:[]}", "ok", 1, "features");

	(void)e; (void)service;
	fake.asked++;
	done(arg, j);
	json_decref(j);
}

void engine_watch(struct engine *e, engine_watch_fn *fn, void *arg)
{
	(void)e;
	fake.watch = fn;
	fake.watch_arg = arg;
}

static inline void fake_phase(const char *phase, const char *outcome)
{
	fake.phase = phase;
	fake.outcome = outcome;
	fake.watch(fake.watch_arg, "shop", NULL, NULL);
}

static inline void fake_event(int n)
{
	char json[40], id[24];

	TEXT_FORMAT(json, "{\"n\":%d}", n);
	TEXT_FORMAT(id, "7-%d", n);
	fake.watch(fake.watch_arg, "shop", json, id);
}

/* ---- the house round it ---- */

enum { ON_HEALTH, ON_OPERATORS, ON_UNIX, DEADLINE_MS = 20000 };

static struct rig { struct ev_loop *loop; struct api *api; char dir[64], unix_path[96]; uint16_t port[2]; } rig;

static inline void turn(void)
{
	ev_run(rig.loop, EVRUN_NOWAIT);
	poll(NULL, 0, 1);
}

#define until(condition) \
	do { \
		mono_us end_ = mono_plus_ms(mono_now(), DEADLINE_MS); \
		while (!(condition)) { \
			if (mono_now().us > end_.us) \
				fail_msg("line %d: never: %s", __LINE__, #condition); \
			turn(); \
		} \
	} while (0)

static inline void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static inline void add_token(struct buf *b, const char *role)
{
	char token[64];
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	TEXT_FORMAT(token, "token-of-%s", role);
	assert_true(EVP_Digest(token, strlen(token), hash, &n, EVP_sha256(), NULL));
	buf_addf(b, "%s %s sha256:", role, role);
	for (unsigned i = 0; i < n; i++)
		buf_addf(b, "%02x", hash[i]);
	buf_adds(b, "  # a comment\n");
}

/* A port that is free now; taken by the API a moment later. */
static inline uint16_t free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&sa, len) == 0 && getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
	close(fd);
	return ntohs(sa.sin_port);
}

static int rig_begin(void **state)
{
	struct buf yaml = BUF_INIT(8192), tokens = BUF_INIT(4096), errors = BUF_INIT(8192);
	char path[128], error[256] = "";

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	log_least = LOG_LV_ERROR + 1;
	memset(&fake, 0, sizeof(fake));
	TEXT_COPY(rig.dir, "/tmp/api.XXXXXX");
	assert_non_null(mkdtemp(rig.dir));
	TEXT_FORMAT(rig.unix_path, "%s/s", rig.dir);
	TEXT_FORMAT(path, "%s/tokens", rig.dir);
	buf_adds(&tokens, "# who may do what\n\n");
	add_token(&tokens, "read");
	add_token(&tokens, "deploy");
	add_token(&tokens, "operate");
	write_file(path, buf_str(&tokens));
	for (int try = 0; try < 20 && !rig.api; try++) {
		rig.port[0] = free_port();
		rig.port[1] = free_port();
		buf_clear(&yaml);
		buf_addf(&yaml,
			 "version: 1\nlisten: { http: \"127.0.0.1:%u\", operators: \"127.0.0.1:%u\", unix: %s }\nauth: { tokens_file: %s }\nservices:\n  shop:\n"
			 "    front: http://127.0.0.1:1\n    slots:\n      blue: [ \"127.0.0.1:2\" ]\n      green: [ \"127.0.0.1:3\" ]\n"
			 "    features:\n      quotes: /api/quotes\n", rig.port[0], rig.port[1], rig.unix_path, path);
		config_free(&fake.cfg);
		fake.cfg = config_load("api", buf_str(&yaml), yaml.len, NULL, NULL, &errors, NULL);
		if (!fake.cfg)
			fail_msg("%s", buf_str(&errors));
		rig.loop = rig.loop ? rig.loop : ev_loop_new(0);
		rig.api = api_new(rig.loop, &the_engine, error, sizeof(error));
	}
	if (!rig.api)
		fail_msg("%s", error);
	fake.loop = rig.loop;
	fake.services = 1;
	fake.ready = true;
	fake.phase = "proving";
	fake.outcome = "running";
	fake.active = (struct active_answer){ .known_service = true, .active = GREEN, .v = { 7, 42 } };
	TEXT_COPY(fake.active.release, "r41");
	fake.record = (struct record){ .v = { 7, 42 }, .active = GREEN, .claim = { .slot = BLUE } };
	TEXT_COPY(fake.record.claim.id, "c1");
	TEXT_FORMAT(fake.record.claim.by, "uid:%u", (unsigned)geteuid());
	TEXT_COPY(fake.record.claim.release, "r42");
	buf_free(&yaml);
	buf_free(&tokens);
	buf_free(&errors);
	return 0;
}

static int rig_end(void **state)
{
	static const char *const files[] = { "tokens", "tokens.bad", "s" };
	char path[128];

	(void)state;
	if (ev_is_active(&fake.soon))
		ev_timer_stop(rig.loop, &fake.soon);
	api_free(&rig.api);
	if (fake.done)
		fake_answer();
	if (fake.events)
		fake_events();
	if (fake.probe)
		fake_probe();
	config_free(&fake.cfg);
	ev_loop_destroy(rig.loop);
	rig.loop = NULL;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		TEXT_FORMAT(path, "%s/%s", rig.dir, files[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(rig.dir), 0);
	return 0;
}

/* ---- a client on the same loop ---- */

struct client { int fd; struct buf in; bool closed; };
struct reply { int status; char *head, *body; };

static inline int dial(int on)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(on == ON_UNIX ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (on != ON_UNIX)
		in.sin_port = htons(rig.port[on]);
	TEXT_COPY(un.sun_path, rig.unix_path);
	assert_int_equal(connect(fd, on == ON_UNIX ? (struct sockaddr *)&un : (struct sockaddr *)&in, on == ON_UNIX ? sizeof(un) : sizeof(in)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static inline void client_read(struct client *c)
{
	char chunk[16384];
	ssize_t n;

	while (!c->closed && (n = read(c->fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0) {
			c->closed = errno != EAGAIN;
			return;
		}
		assert_true(buf_add(&c->in, chunk, (size_t)n));
	}
	c->closed = true;
}

static inline struct client *client_bytes(int on, const char *text, size_t n)
{
	struct client *c = xcalloc(1, sizeof(*c));
	size_t at = 0;

	c->fd = dial(on);
	buf_init(&c->in, 4 * 1024 * 1024);
	mono_us end = mono_plus_ms(mono_now(), DEADLINE_MS);

	while (at < n && mono_now().us < end.us) {
		ssize_t sent = send(c->fd, text + at, n - at, MSG_NOSIGNAL);

		if (sent > 0)
			at += (size_t)sent;
		else if (errno != EAGAIN)
			break; /* answered before it took it all */
		turn();
	}
	return c;
}

static inline void client_free(struct client **cp)
{
	struct client *c = *cp;

	if (!c)
		return;
	close(c->fd);
	buf_free(&c->in);
	free(c);
	*cp = NULL;
}

static inline bool client_has(struct client *c, const char *text)
{
	client_read(c);
	return strstr(buf_str(&c->in), text) != NULL;
}

/* A whole answer: by its length, or the head of a stream, or the end. */
static inline bool client_whole(struct client *c, bool head_only)
{
	const char *end, *len;

	client_read(c);
	end = strstr(buf_str(&c->in), "\r\n\r\n");
	if (c->closed)
		return true;
	if (!end || head_only || strstr(buf_str(&c->in), "text/event-stream"))
		return end != NULL;
	len = strstr(buf_str(&c->in), "Content-Length: ");
	return len && len < end && (size_t)(end + 4 - c->in.data) + strtoul(len + 16, NULL, 10) <= c->in.len;
}

static inline bool client_has_reply(struct client *c) { return client_whole(c, true); }

static inline void client_reply_to(struct client *c, struct reply *r, bool head_only)
{
	const char *text, *end;

	until(client_whole(c, head_only));
	text = buf_str(&c->in);
	end = strstr(text, "\r\n\r\n");
	r->status = strncmp(text, "HTTP/1.1 ", 9) == 0 ? (int)strtol(text + 9, NULL, 10) : 0;
	r->head = end ? strndup(text, (size_t)(end - text) + 2) : xstrdup("");
	r->body = xstrdup(end ? end + 4 : "");
	client_free(&c);
}

static inline void client_reply(struct client *c, struct reply *r) { client_reply_to(c, r, false); }

static inline void reply_free(struct reply *r)
{
	free(r->head);
	free(r->body);
}

static inline struct client *client_with(int on, const char *token, const char *method, const char *path, const char *headers, const char *body)
{
	struct buf b = BUF_INIT(256 * 1024);
	struct client *c;

	buf_addf(&b, "%s %s HTTP/1.1\r\nHost: switchd\r\n", method, path);
	if (token)
		buf_addf(&b, "Authorization: Bearer token-of-%s\r\n", token);
	if (headers)
		buf_adds(&b, headers);
	if (body)
		buf_addf(&b, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
	else if (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0)
		buf_adds(&b, "Content-Length: 0\r\n");
	buf_addf(&b, "\r\n%s", body ? body : "");
	c = client_bytes(on, buf_str(&b), b.len);
	buf_free(&b);
	return c;
}

static inline struct client *client_send(int on, const char *method, const char *path, const char *body)
{
	return client_with(on, NULL, method, path, NULL, body);
}

static inline struct client *client_stream(const char *after)
{
	char header[80] = "";

	if (after)
		TEXT_FORMAT(header, "Last-Event-ID: %s\r\n", after);
	return client_with(ON_UNIX, NULL, "GET", "/v1/events", header, NULL);
}

static inline void ask(struct reply *r, int on, const char *token, const char *method, const char *path, const char *headers, const char *body)
{
	client_reply_to(client_with(on, token, method, path, headers, body), r, strcmp(method, "HEAD") == 0);
}

static inline void ask_bytes(struct reply *r, int on, const char *text, size_t n) { client_reply(client_bytes(on, text, n), r); }

static inline void expect(int on, const char *token, const char *method, const char *path, const char *body, int status)
{
	struct reply r;

	ask(&r, on, token, method, path, NULL, body);
	if (r.status != status)
		fail_msg("%s %s %.60s: %d, want %d: %s", method, path, body ? body : "", r.status, status, r.body);
	reply_free(&r);
}

/* For a child process of another user: the status, 0 when there was none. */
static inline int raw_blocking(const char *path, const char *text)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char in[4096];
	size_t got = 0;
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	TEXT_COPY(un.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0 || write(fd, text, strlen(text)) < 0)
		return 0;
	while (got < 12 && (n = read(fd, in + got, sizeof(in) - 1 - got)) > 0)
		got += (size_t)n;
	in[got] = '\0';
	close(fd);
	return got >= 12 ? (int)strtol(in + 9, NULL, 10) : 0;
}

#endif
