/* SPDX-License-Identifier: MIT
 * cluster.c - a real Redis Cluster of two nodes, and we are told of the one that has not the slot of our keys. */
#include "tests/unit/support/sentinel_rig.h"
#include "tests/unit/support/store_rig.h"

#include "switchd/store/link.h"

static char site[64];
static struct node node[2];
static int right;       /* the node that has the slot */

static int setup(void **state)
{
	char more[200], command[200];
	int bus[2];

	(void)state;
	TEXT_COPY(site, "/tmp/switchd-cluster.XXXXXX");
	assert_non_null(mkdtemp(site));
	for (int i = 0; i < 2; i++) {
		bus[i] = free_port();
		snprintf(more, sizeof(more), "cluster-enabled yes\ncluster-port %d\ncluster-node-timeout 2000\n", bus[i]);
		node_start(&node[i], site, 0, false, more);
	}
	right = atol(node_ask(&node[0], -1, "CLUSTER KEYSLOT switchd:{0}:x")) <= 8191 ? 0 : 1;
	assert_string_equal(node_ask(&node[0], -1, "CLUSTER ADDSLOTSRANGE 0 8191"), "OK");
	assert_string_equal(node_ask(&node[1], -1, "CLUSTER ADDSLOTSRANGE 8192 16383"), "OK");
	node_ask(&node[1], -1, "CLUSTER SET-CONFIG-EPOCH 2");
	snprintf(command, sizeof(command), "CLUSTER MEET 127.0.0.1 %d %d", node[1].port, bus[1]);
	assert_string_equal(node_ask(&node[0], -1, command), "OK");
	for (int i = 0; i < 2; i++)
		for (int64_t until = now_ms() + 15000; !strstr(node_ask(&node[i], -1, "CLUSTER INFO"), "cluster_state:ok"); usleep(20000))
			assert_true(now_ms() < until);
	return 0;
}

static int teardown(void **state)
{
	char cmd[96];

	(void)state;
	node_stop(&node[0]);
	node_stop(&node[1]);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", site);
	assert_int_equal(system(cmd), 0);
	return 0;
}

struct client { bool up, answered; char why[300], text[200]; };

static void on_state(void *arg, bool up, const char *why)
{
	struct client *c = arg;

	c->up = up;
	TEXT_COPY(c->why, why);
}

static void on_reply(void *arg, const redisReply *r)
{
	struct client *c = arg;

	c->answered = true;
	TEXT_COPY(c->text, r && r->str ? r->str : "");
}

static void on_message(void *arg, const char *channel, const char *text, size_t len)
{
	struct client *c = arg;

	(void)channel;
	(void)len;
	c->answered = true;
	TEXT_COPY(c->text, text);
}

static const char *set(struct link *l, struct client *c)
{
	c->answered = false;
	assert_true(link_send(l, 3, (const char *[]){ "SET", "switchd:{0}:x", "1" }, (const size_t[]){ 3, 13, 1 }, on_reply, c));
	pump(c->answered);
	return c->text;
}

static void one_moved_is_followed(void **state)
{
	const struct link_config cfg = { .host = "127.0.0.1", .port = (uint16_t)node[!right].port };
	struct client c = { 0 };
	struct link *l = link_new(EV_DEFAULT, &cfg, on_state, &c);

	(void)state;
	pump(c.up);
	assert_int_equal(strncmp(set(l, &c), "MOVED ", 6), 0);
	pump_not(c.up);
	assert_string_equal(c.why, "MOVED");
	pump(c.up);
	assert_string_equal(set(l, &c), "OK");
	assert_string_equal(node_ask(&node[right], -1, "GET switchd:{0}:x"), "1");
	link_free(&l);
}

static void the_store_lives_on_a_cluster(void **state)
{
	struct hand h;
	struct ask k;
	struct record none = { 0 }, first = first_record(), next;
	const struct link_config cfg = { .host = "127.0.0.1", .port = (uint16_t)node[!right].port };
	struct client ear = { 0 };
	struct link *l = link_subscribe(EV_DEFAULT, &cfg, (const char *[]){ "switchd:{0}:ev" }, 1, on_message, on_state, &ear);

	(void)state;
	pump(ear.up);
	hand_new(&h, "", "ctl-1", 6000);
	store_free(&h.store);
	h.cfg.redis.host = "127.0.0.1";
	h.cfg.redis.port = (uint16_t)node[!right].port;
	h.store = store_new(EV_DEFAULT, &h.cfg, "ctl-1", on_up, &h);
	store_set_truth(h.store, on_truth, &h);
	pump(h.up);
	assert_int_equal(commit(&h, "rid-1", MOVE_NOTE, &none, &first, &k), ST_OK);
	next = flipped(&k.record);
	assert_int_equal(commit(&h, "rid-2", MOVE_FORWARD, &k.record, &next, &k), ST_OK);
	load(&h, &k);
	assert_int_equal(k.result, ST_OK);
	assert_int_equal(k.record.active, GREEN);
	assert_int_equal(strncmp(node_ask(&node[right], -1, "GET switchd:{0}:a:shop"), "sw", 2), 0);
	pump(ear.answered); /* what is published goes to every node */
	store_free(&h.store);
	link_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_moved_is_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(the_store_lives_on_a_cluster, setup, teardown),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
