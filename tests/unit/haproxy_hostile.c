/* SPDX-License-Identifier: MIT
 * haproxy_hostile.c - the adapter against a stats socket that lies, hangs, drips and cuts (L1 to L6),
 * and the parsers of its answers. */
#include "tests/unit/support/haproxy_rig.h"

#include "switchd/proxy/haproxy_reply.h"

/* --- the fake ------------------------------------------------------------------------ */

enum mood { GOOD, HANG, DRIP, HALF, CLOSE, DENIED_TEXT, LIAR, FLOOD, NUL_BYTE, KEEP_OPEN, N_MOODS };

/* One mood for questions, one for writes. In shared memory: the fake is a process of its own. */
struct fake {
	atomic_int asks, writes, writes_seen, lines_in_one_write;
	char value[256];
};
static struct fake *fake;
static struct rig rig;
static pid_t fake_pid;

static void say(int fd, enum mood mood, const char *text)
{
	static const char flood[65536] = { 0 };
	size_t len = strlen(text);

	switch (mood) {
	case HANG:
		pause();
		return;
	case DRIP:
		for (size_t i = 0; i < len && send(fd, text + i, 1, MSG_NOSIGNAL) == 1; i++)
			usleep(1000 * 1000);
		return;
	case HALF:
		(void)send(fd, text, len / 2, MSG_NOSIGNAL);
		return;
	case CLOSE:
		return;
	case DENIED_TEXT:
		(void)send(fd, "Permission denied\n\n", 19, MSG_NOSIGNAL);
		return;
	case FLOOD:
		while (send(fd, flood, sizeof(flood), MSG_NOSIGNAL) > 0)
			;
		return;
	case NUL_BYTE:
		(void)send(fd, "0x1 shop\0green:9.9:plain\n\n", 26, MSG_NOSIGNAL);
		return;
	case KEEP_OPEN:
		(void)send(fd, text, len, MSG_NOSIGNAL);
		pause();
		return;
	case GOOD:
	case LIAR:
	case N_MOODS:
		(void)send(fd, text, len, MSG_NOSIGNAL);
		return;
	}
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char line[8192], answer[512];
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(line) - 1 && !memchr(line, '\n', n) && (got = recv(fd, line + n, sizeof(line) - 1 - n, 0)) > 0)
		n += (size_t)got;
	line[n] = '\0';
	char *end = strchr(line, '\n');
	if (!end || end[1] || strchr(line, ';'))
		atomic_fetch_add(&fake->lines_in_one_write, 1);
	bool write = text_starts(line, "set map") || text_starts(line, "add map");
	enum mood mood = (enum mood)atomic_load(write ? &fake->writes : &fake->asks);
	if (end)
		*end = '\0';
	if (write) {
		atomic_fetch_add(&fake->writes_seen, 1);
		if (mood != LIAR && mood != DENIED_TEXT)
			(void)text_copy(fake->value, sizeof(fake->value), strrchr(line, ' ') + 1);
		(void)TEXT_COPY(answer, "\n");
	} else if (text_starts(line, "show info")) {
		(void)TEXT_COPY(answer, "Name: HAProxy\nPid: 12\nUptime_sec: 34\n\n");
	} else if (text_starts(line, "show backend")) {
		(void)TEXT_COPY(answer, "# name\nshop-blue\nshop-green\nshop-shield\n\n");
	} else {
		(void)TEXT_FORMAT(answer, "0x55be844cd6b0 shop %s\n\n", fake->value);
	}
	say(fd, mood, answer);
	close(fd);
	return NULL;
}

static int listen_unix(const char *path, int backlog)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && TEXT_COPY(un.sun_path, path));
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static int up(void **state)
{
	(void)state;
	rig_config(&rig, "shop");
	fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(fake != MAP_FAILED);
	(void)TEXT_COPY(fake->value, "blue:1.1:plain");
	int fd = listen_unix(rig.socket, 64);
	fake_pid = fork();
	assert_true(fake_pid >= 0);
	if (fake_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			pthread_t t;
			int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

			if (c >= 0 && pthread_create(&t, NULL, serve, (void *)(intptr_t)c) == 0)
				pthread_detach(t);
		}
	}
	close(fd);
	put_file(rig.map, "shop blue:1.1:plain\n");
	rig.px = proxy_new(rig.loop, &rig.svc, &rig.proxy);
	return 0;
}

static int down(void **state)
{
	(void)state;
	connect_denied = false;
	kill_and_reap(&fake_pid);
	rig_free(&rig);
	munmap(fake, sizeof(*fake));
	return 0;
}

static const struct { enum mood mood; enum proxy_result result; } moods[] = {
	{ HANG, PX_TIMEOUT },
	{ DRIP, PX_TIMEOUT },
	{ KEEP_OPEN, PX_TIMEOUT },
	{ HALF, PX_HALF },
	{ CLOSE, PX_HALF },
	{ DENIED_TEXT, PX_REFUSED },
	{ FLOOD, PX_REFUSED },
	{ NUL_BYTE, PX_HALF },
};

static void questions_gone_wrong_have_names_and_write_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moods); i++) {
		struct said s;

		atomic_store(&fake->asks, moods[i].mood);
		assert_result(read_back(&rig), moods[i].result);
		s = apply(&rig, value(GREEN, 1, 2 + i, false), i % 2 ? ORDER_FORWARD : ORDER_BACK);
		assert_result(s, moods[i].result);
		assert_true(s.a.detail[0]);
		assert_false(s.a.has_value);
		/* The next call starts afresh. */
		atomic_store(&fake->asks, GOOD);
		assert_result(read_back(&rig), PX_OK);
	}
	assert_int_equal(atomic_load(&fake->writes_seen), 0);
	assert_string_equal(fake->value, "blue:1.1:plain");
}

static void writes_gone_wrong_are_never_called_done(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moods); i++) {
		struct proxy_value v = value(i % 2 ? BLUE : GREEN, 1, 10 + i, false);
		struct said s;

		if (moods[i].mood == DRIP)
			continue; /* the answer to a write is one byte */
		atomic_store(&fake->writes, moods[i].mood);
		s = apply(&rig, v, ORDER_FORWARD);
		/* A text, however long, is no success and no failure: this one did as it was told, and that is seen. */
		assert_result(s, moods[i].mood == FLOOD ? PX_OK : moods[i].result);
		if (moods[i].mood == FLOOD) {
			assert_true(s.a.has_value);
		} else if (moods[i].mood == DENIED_TEXT) {
			assert_non_null(strstr(s.a.detail, "Permission denied"));
			assert_true(s.a.has_value && version_cmp(s.a.value.v, v.v) < 0);
		} else {
			assert_false(s.a.has_value);
		}
		atomic_store(&fake->writes, GOOD);
		s = apply(&rig, v, ORDER_FORWARD);
		assert_result(s, PX_OK);
		assert_true(s.a.durable);
	}
	assert_int_equal(atomic_load(&fake->lines_in_one_write), 0);
}

static void yes_without_doing_it_is_not_applied(void **state)
{
	struct said s;

	(void)state;
	atomic_store(&fake->writes, LIAR);
	s = apply(&rig, value(GREEN, 1, 2, true), ORDER_FORWARD);
	assert_result(s, PX_NOT_APPLIED);
	assert_true(s.a.has_value && s.a.value.slot == BLUE);
	assert_result(apply(&rig, value(GREEN, 1, 2, true), ORDER_BACK), PX_NOT_APPLIED);
	atomic_store(&fake->writes, GOOD);
	assert_result(apply(&rig, value(GREEN, 1, 2, true), ORDER_BACK), PX_OK);
}

static void what_it_shows_is_checked(void **state)
{
	static const char *const evil[] = { "green", "green:1.2", "green:1.x:plain", "purple:1.1:plain", "green:pin.1:shield", "green:1.2:plain:",
					    "green:-1.2:plain", "green:99999999999999999999.1:plain", "\x1b[31mgreen:1.1:plain" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(evil); i++) {
		(void)text_copy(fake->value, sizeof(fake->value), evil[i]);
		struct said s = read_back(&rig);

		assert_result(s, PX_BAD_VALUE);
		assert_false(s.a.has_value);
		for (const char *p = s.a.detail; *p; p++)
			assert_true((unsigned char)*p >= 0x20);
	}
	memset(fake->value, 'x', sizeof(fake->value) - 1);
	assert_result(read_back(&rig), PX_BAD_VALUE);
	assert_result(apply(&rig, value(GREEN, 1, 2, false), ORDER_FORWARD), PX_OK);
}

static void nobody_there_and_no_permission(void **state)
{
	(void)state;
	connect_denied = true;
	assert_result(read_back(&rig), PX_DENIED);
	assert_result(apply(&rig, value(GREEN, 1, 2, false), ORDER_FORWARD), PX_DENIED);
	assert_true(file_is(rig.map, "shop blue:1.1:plain\n"));
	connect_denied = false;
	kill_and_reap(&fake_pid);
	assert_result(read_back(&rig), PX_ABSENT); /* a socket file without a listener */
	assert_int_equal(unlink(rig.socket), 0);
	assert_result(read_back(&rig), PX_ABSENT);
	struct said s = { 0 }, c = { 0 }, p = { 0 };
	proxy_preflight(rig.px, GREEN, said_ready, &s);
	run_until(&rig, &s);
	assert_result(s, PX_ABSENT);
	assert_int_equal(s.up, -1);
	proxy_shield(rig.px, GREEN, said_counts, &c);
	run_until(&rig, &c);
	assert_false(c.known);
	proxy_cut_sessions(rig.px, GREEN, said_sessions, &p);
	run_until(&rig, &p);
	assert_false(p.known);
	/* Somebody who listens and never accepts, with his backlog full. */
	int fd = listen_unix(rig.socket, 0), stuffed = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	(void)TEXT_COPY(un.sun_path, rig.socket);
	assert_int_equal(connect(stuffed, (struct sockaddr *)&un, sizeof(un)), 0);
	s = read_back(&rig);
	assert_result(s, PX_TIMEOUT);
	assert_string_equal(s.a.detail, "does not accept the connection");
	close(fd);
	close(stuffed);
}

static void addresses(void **state)
{
	static const char *const bad[] = { "haproxy.example.com:9999", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", ":", "[::1]",
		"/tmp/a-path-that-is-longer-than-the-hundred-and-eight-bytes-of-sun-path-and-must-not-be-cut-in-silence-or-it-names-another" };
	uint16_t port;
	int fd = listen_any(&port);
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		rig.proxy.socket = bad[i];
		assert_result(read_back(&rig), PX_BAD_NAME);
	}
	close(fd);
	(void)TEXT_FORMAT(text, "localhost:%u", port);
	rig.proxy.socket = text;
	assert_result(read_back(&rig), PX_ABSENT);
	rig.proxy.socket = rig.socket;
}

/* done() frees the proxy it is called for. */
static void free_in_done(void *arg, const struct proxy_answer *a)
{
	struct said *s = arg;

	s->a = *a;
	s->done = true;
	proxy_free(&rig.px);
	ev_break(rig.loop, EVBREAK_ALL);
}

static void an_owner_may_leave_inside_done(void **state)
{
	struct said first = { 0 }, second = { 0 };
	struct proxy_value v = value(GREEN, 1, 2, false);

	(void)state;
	proxy_apply(rig.px, &v, ORDER_FORWARD, free_in_done, &first);
	proxy_read_back(rig.px, said_answer, &second);
	run_until(&rig, &first);
	assert_true(second.done);
	assert_result(first, PX_OK);
	assert_result(second, PX_TIMEOUT);
	rig.px = proxy_new(rig.loop, &rig.svc, &rig.proxy);
	assert_result(read_back(&rig), PX_OK);
	first = (struct said){ 0 };
	rig.proxy.socket = "nonsense";
	proxy_read_back(rig.px, free_in_done, &first);
	run_until(&rig, &first);
	assert_result(first, PX_BAD_NAME);
}

/* --- parsers ----------------------------------------------------------------------------- */

struct sum { int rows; uint64_t scur, ok; char last[64]; };

static void add_row(void *arg, const struct hap_stat_row *row)
{
	struct sum *s = arg;

	s->rows++;
	s->scur += row->scur;
	s->ok += row->r2xx;
	(void)TEXT_COPY(s->last, row->status);
}

static void replies_are_read_by_name(void **state)
{
	struct hap_map_value v;
	struct hap_info info;
	struct sum s = { 0 };
	bool list;
	char long_entry[1200];

	(void)state;
	assert_true(hap_reply_whole("\n", 1) && hap_reply_whole("a\n\n", 3));
	assert_false(hap_reply_whole("", 0) || hap_reply_whole("a\n", 2) || hap_reply_whole("a", 1));
	assert_int_equal(hap_map_find("0x1 other a\n0x2 shop b c\n0x3 shop d\n\n", "shop", &v), HAP_MAP_OK);
	assert_true(v.found && v.differ && !v.cut);
	assert_string_equal(v.value, "b c");
	assert_int_equal(hap_map_find("\n", "shop", &v), HAP_MAP_OK);
	assert_false(v.found);
	assert_int_equal(hap_map_find("Unknown map identifier. Please use #<id> or <file>.\n\n", "shop", &v), HAP_MAP_UNKNOWN);
	assert_int_equal(hap_map_find("Permission denied\n\n", "shop", &v), HAP_MAP_OTHER);
	assert_int_equal(hap_map_find("0x1 shop\n\n", "shop", &v), HAP_MAP_OK);
	assert_true(v.found && v.value[0] == '\0');
	memset(long_entry, 'y', sizeof(long_entry));
	memcpy(long_entry, "0x1 shop ", 9);
	memcpy(long_entry + sizeof(long_entry) - 3, "\n\n", 3);
	assert_int_equal(hap_map_find(long_entry, "shop", &v), HAP_MAP_OK);
	assert_true(v.cut);

	assert_true(hap_parse_info("Pid: 7\nUptime: 1d\nUptime_sec: 9\nStart_time_sec: 5\n\n", &info));
	assert_true(info.pid == 7 && info.uptime_s == 9 && info.start_s == 5);
	assert_true(hap_parse_info("Pid: 7\nUptime_sec: 9\n\n", &info) && info.start_s == 0);
	assert_false(hap_parse_info("Pid: 7x\nUptime_sec: 9\n\n", &info));
	assert_false(hap_parse_info("Pid: 99999999999999999999\nUptime_sec: 9\n\n", &info));
	assert_true(hap_backend_listed("# name\na\nb\n\n", "b", &list) && list);
	assert_false(hap_backend_listed("# name\nab\n\n", "b", &list));
	assert_false(hap_backend_listed("b\n\n", "b", &list) || list);

	/* Columns in another order, quotes, commas and line ends inside them, fields missing at the end. */
	assert_true(hap_each_stat("# status,hrsp_2xx,svname,desc,pxname,scur\n"
				  "UP,3,a,\"x,\"\"y\nz\",be,1\r\nno check,4,b,,be,2\nDOWN,,c\n\n", add_row, &s));
	assert_int_equal(s.rows, 3);
	assert_int_equal(s.scur, 3);
	assert_int_equal(s.ok, 7);
	assert_string_equal(s.last, "DOWN");
	assert_false(hap_each_stat("No such proxy.\n\n", add_row, &s));
	assert_false(hap_each_stat("# pxname,svname\na,b\n\n", add_row, &s));
	assert_false(hap_each_stat("", add_row, &s));
	assert_int_equal(s.rows, 3);
}

static void every_result_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < N_PROXY_RESULTS; i++) {
		assert_true(strlen(proxy_result_name((enum proxy_result)i)) > 1);
		assert_true(strlen(proxy_result_sentence((enum proxy_result)i)) > 10);
	}
	assert_string_equal(proxy_result_name(N_PROXY_RESULTS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, up, down)
		T(questions_gone_wrong_have_names_and_write_nothing),
		T(writes_gone_wrong_are_never_called_done),
		T(yes_without_doing_it_is_not_applied),
		T(what_it_shows_is_checked),
		T(nobody_there_and_no_permission),
		T(addresses),
		T(an_owner_may_leave_inside_done),
		cmocka_unit_test(replies_are_read_by_name),
		cmocka_unit_test(every_result_has_a_name),
	};
	return cmocka_run_group_tests_name("haproxy_hostile", tests, NULL, NULL);
}
