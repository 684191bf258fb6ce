/* SPDX-License-Identifier: MIT
 * link.c - a link that listens, against a real redis-server and against servers that misbehave. */
#include "tests/unit/support/redis_rig.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "switchd/base/log.h"
#include "switchd/base/must.h"
#include "switchd/store/link.h"

struct ear {
	struct link *link;
	bool up, heard, down_seen;
	int ups, n;
	char why[200], channel[64], text[100];
	size_t len;
	const char *want;       /* heard: this text; NULL = any */
	struct link **free_on_message;
};

static void on_state(void *arg, bool up, const char *why)
{
	struct ear *e = arg;

	e->up = up;
	e->ups += up;
	e->down_seen |= !up;
	if (!up)
		TEXT_COPY(e->why, why);
}

static void on_message(void *arg, const char *channel, const char *text, size_t len)
{
	struct ear *e = arg;

	TEXT_COPY(e->channel, channel);
	TEXT_COPY(e->text, text);
	e->len = len;
	e->n++;
	e->heard |= !e->want || strcmp(text, e->want) == 0;
	if (e->free_on_message)
		link_free(e->free_on_message);
}

static const char *const two[] = { "switchd:{0}:ev", "switchd:{0}:ak" };

static void ear_open(struct ear *e, const char *sock, const char *user, const char *password_file)
{
	struct link_config cfg = { .unix_path = sock, .user = user, .password_file = password_file };

	*e = (struct ear){ 0 };
	e->link = link_subscribe(EV_DEFAULT, &cfg, two, 2, on_message, on_state, e);
}

/* Waits until it was heard. */
static void tell(struct rig *r, struct ear *e, const char *channel, const char *text)
{
	e->heard = false;
	e->want = text;
	assert_string_equal(redis(r, "PUBLISH %s %s", channel, text), "1");
	pump(e->heard);
	assert_string_equal(e->channel, channel);
	e->want = NULL;
}

static void messages_of_all_channels_come(void **state)
{
	struct rig r;
	struct ear e;

	(void)state;
	rig_start(&r);
	ear_open(&e, r.sock, "", "");
	pump(e.up);
	assert_true(link_is_up(e.link));
	tell(&r, &e, two[0], "sw1 0 1 blue");
	tell(&r, &e, two[1], "lb1");
	assert_int_equal(e.n, 2);

	/* no commands on it */
	assert_false(link_send(e.link, 1, (const char *[]){ "PING" }, (const size_t[]){ 4 }, NULL, NULL));

	/* any bytes, and the empty text */
	e.heard = false;
	freeReplyObject(redisCommandArgv(r.c, 3, (const char *[]){ "PUBLISH", two[0], "a\0b" }, (const size_t[]){ 7, 14, 3 }));
	pump(e.heard);
	assert_int_equal(e.len, 3);
	tell(&r, &e, two[0], "");
	assert_int_equal(e.ups, 1);

	/* many in one go */
	int before = e.n;

	for (int i = 0; i < 500; i++)
		redisAppendCommand(r.c, "PUBLISH %s %d", two[0], i);
	for (int i = 0; i < 500; i++) {
		redisReply *reply;

		assert_int_equal(redisGetReply(r.c, (void **)&reply), REDIS_OK);
		freeReplyObject(reply);
	}
	tell(&r, &e, two[1], "last");
	assert_int_equal(e.n, before + 501);
	link_free(&e.link);
	rig_stop(&r);
}

static void a_connection_that_ends_comes_back(void **state)
{
	struct rig r;
	struct ear e;

	(void)state;
	rig_start(&r);
	ear_open(&e, r.sock, "", "");
	pump(e.up);
	redis(&r, "CLIENT KILL TYPE pubsub");
	pump_not(e.up);
	pump(e.up);
	tell(&r, &e, two[0], "again");
	rig_kill(&r);
	pump_not(e.up);
	rig_launch(&r);
	pump(e.up);
	tell(&r, &e, two[0], "and again");
	assert_int_equal(e.ups, 3);

	/* freed inside its own callback */
	e.free_on_message = &e.link;
	tell(&r, &e, two[0], "bye");
	assert_null(e.link);
	rig_stop(&r);
}

static void silence_is_broken_and_a_dead_server_noticed(void **state)
{
	struct rig r;
	struct ear e;
	ev_timer t;

	(void)state;
	rig_start(&r);
	ear_open(&e, r.sock, "", "");
	pump(e.up);
	/* longer than LINK_SILENT_MS without a message: pings carry it */
	ev_timer_init(&t, on_pump_timer, 0.05, 0.05);
	ev_timer_start(EV_DEFAULT, &t);
	for (int64_t until = now_ms() + LINK_SILENT_MS + 700; now_ms() < until;)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	ev_timer_stop(EV_DEFAULT, &t);
	assert_false(e.down_seen);
	tell(&r, &e, two[0], "still here");

	kill(r.pid, SIGSTOP);
	pump_not(e.up);
	assert_string_equal(e.why, "no sign of life");
	kill(r.pid, SIGCONT);
	pump(e.up);
	tell(&r, &e, two[0], "back");
	link_free(&e.link);
	rig_stop(&r);
}

static void a_message_too_long_drops_the_connection(void **state)
{
	static char big[LINK_MESSAGE_MAX + 100];
	struct rig r;
	struct ear e;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	rig_start(&r);
	ear_open(&e, r.sock, "", "");
	pump(e.up);
	big[60000] = '\0';
	e.heard = false;
	redis(&r, "PUBLISH %s %s", two[0], big);
	pump(e.heard);
	assert_int_equal(e.len, 60000);
	for (int i = 0; i < 40; i++) /* each is short enough, also with the next one's beginning behind it */
		redisAppendCommand(r.c, "PUBLISH %s %s", two[0], big + (i % 2 ? 0 : 15000));
	for (int i = 0; i < 40; i++) {
		redisReply *reply;

		assert_int_equal(redisGetReply(r.c, (void **)&reply), REDIS_OK);
		freeReplyObject(reply);
	}
	tell(&r, &e, two[1], "all of them");
	assert_int_equal(e.n, 42);
	assert_false(e.down_seen);
	big[60000] = 'x';
	redis(&r, "PUBLISH %s %s", two[0], big);
	pump_not(e.up);
	assert_string_equal(e.why, "a reply of over 64 KiB");
	pump(e.up);
	tell(&r, &e, two[0], "small");
	link_free(&e.link);
	rig_stop(&r);
}

static void a_channel_that_is_not_allowed_is_named(void **state)
{
	struct rig r;
	struct ear e;
	char file[128];

	(void)state;
	rig_start(&r);
	snprintf(file, sizeof(file), "%s/password", r.dir);
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs("secret\n", f);
	fclose(f);
	assert_string_equal(redis(&r, "ACL SETUSER ear on >secret resetchannels &switchd:{0}:ev +subscribe +ping +auth"), "OK");
	ear_open(&e, r.sock, "ear", file);
	pump(e.down_seen);
	assert_non_null(strstr(e.why, "SUBSCRIBE: NOPERM"));
	redis(&r, "ACL SETUSER ear &switchd:{0}:ak");
	pump(e.up);
	tell(&r, &e, two[1], "allowed");
	link_free(&e.link);
	rig_stop(&r);
}

/* ---- a server of ours that says what it is told to ---- */

static void serve(const char *path, const char *const *say)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char in[4096];

	TEXT_COPY(a.sun_path, path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8))
		_exit(1);
	for (;;) {
		int c = accept(fd, NULL, NULL);

		/* one line of what to say for each time that something comes */
		for (const char *const *s = say; read(c, in, sizeof(in)) > 0; s += *s != NULL)
			if (*s && write(c, *s, strlen(*s)) < 0)
				break;
		close(c);
	}
}

static void a_server_that_talks_nonsense_is_dropped(void **state)
{
#define SUBSCRIBED "*3\r\n$9\r\nsubscribe\r\n$14\r\nswitchd:{0}:ev\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$14\r\nswitchd:{0}:ak\r\n:2\r\n"
	static const struct { const char *name; bool up; const char *say[3]; } rows[] = {
		{ "not Redis", false, { "HTTP/1.1 400 Bad Request\r\n\r\n" } },
		{ "an answer before the question", false, { "+PONG\r\n+PONG\r\n" } },
		{ "a wrong PONG", false, { "+PENG\r\n" } },
		{ "subscribed to something else", false, { "+PONG\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n" } },
		{ "a number", false, { "+PONG\r\n", ":7\r\n" } },
		{ "an array of nothing", false, { "+PONG\r\n", "*0\r\n" } },
		{ "a nested one", false, { "+PONG\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n" } },
		{ "a million members", false, { "+PONG\r\n", "*1000000\r\n" } },
		{ "a message of a channel that is not ours", true, { "+PONG\r\n", SUBSCRIBED "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\ny\r\n" } },
		{ "a message without text", true, { "+PONG\r\n", SUBSCRIBED "*2\r\n$7\r\nmessage\r\n$14\r\nswitchd:{0}:ev\r\n" } },
		{ "one subscription too many", true, { "+PONG\r\n", SUBSCRIBED SUBSCRIBED } },
		{ "an error", true, { "+PONG\r\n", SUBSCRIBED "-ERR no\r\n" } },
	};
	char dir[] = "/tmp/switchd-link.XXXXXX", path[64], cmd[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ear e;
		pid_t pid;

		snprintf(path, sizeof(path), "%s/%zu", dir, i);
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(path, rows[i].say);
		}
		ear_open(&e, path, "", "");
		for (TEXT_COPY(e.why, "No such file or directory"); strstr(e.why, "No such") || strstr(e.why, "refused");) {
			e.down_seen = false;
			pump(e.down_seen);
		}
		if ((e.ups > 0) != rows[i].up || e.n)
			fail_msg("%s: %d ups, %d messages, why: %s", rows[i].name, e.ups, e.n, e.why);
		assert_string_not_equal(e.why, "");
		link_free(&e.link);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	assert_int_equal(system(cmd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_of_all_channels_come),
		cmocka_unit_test(a_connection_that_ends_comes_back),
		cmocka_unit_test(silence_is_broken_and_a_dead_server_noticed),
		cmocka_unit_test(a_message_too_long_drops_the_connection),
		cmocka_unit_test(a_channel_that_is_not_allowed_is_named),
		cmocka_unit_test(a_server_that_talks_nonsense_is_dropped),
	};

	log_least = getenv("SWITCHD_TEST_LOG") ? LOG_LV_DEBUG : LOG_LV_ERROR + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
