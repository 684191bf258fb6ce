/* SPDX-License-Identifier: MIT
 * ask.c - one HTTP request, and what came back.
 *
 *   ask [-u SOCKET] [-X METHOD] [-H 'Name: value']... [-d BODY] [-t SECONDS] [-s|-i] [-l LINES] http://127.0.0.1:PORT/path
 *
 * Prints the body; -s the status alone, -i status line and headers before the body; -l ends after
 * so many lines (event streams).  With -u the URL is only a path.
 * Exit 0: a whole answer; 1: no connection, or no answer; 3: not in time. */
#include <poll.h>

#include "tests/fakes/fake.h"

enum { MAX_ANSWER = 16 * 1024 * 1024 };

static char *answer;
static size_t n_answer;

/* True: go on reading. */
static bool more(int fd, int64_t deadline)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = (deadline - now_us()) / 1000;

		if (left <= 0 || poll(&p, 1, (int)left) == 0) {
			fprintf(stderr, "ask: no whole answer in time\n");
			exit(3);
		}
		ssize_t r = read(fd, answer + n_answer, MAX_ANSWER - n_answer - 1);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		n_answer += (size_t)r;
		answer[n_answer] = '\0';
		return true;
	}
}

static long lines_in(const char *s)
{
	long n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

int main(int argc, char **argv)
{
	const char *sock = NULL, *method = NULL, *body = "", *path, *url;
	char head[16384], extra[8192] = "", where[256];
	bool only_status = false, with_head = false;
	long seconds = 10, lines = 0;
	size_t ne = 0;
	int o;

	while ((o = getopt(argc, argv, "u:X:H:d:t:sil:")) != -1)
		switch (o) {
		case 'u': sock = optarg; break;
		case 'X': method = optarg; break;
		case 'H':
			ne += (size_t)snprintf(extra + ne, sizeof(extra) - ne, "%s\r\n", optarg);
			if (ne >= sizeof(extra))
				die("ask: headers too long");
			break;
		case 'd': body = optarg; break;
		case 't': seconds = number("-t", optarg, 1, 3600); break;
		case 's': only_status = true; break;
		case 'i': with_head = true; break;
		case 'l': lines = number("-l", optarg, 1, 1000000); break;
		default: die("usage: ask [-u SOCKET] [-X METHOD] [-H HEADER] [-d BODY] [-t SECONDS] [-s|-i] [-l LINES] URL");
		}
	if (optind + 1 != argc)
		die("ask: one URL");
	url = argv[optind];
	if (sock) {
		snprintf(where, sizeof(where), "%s", sock);
		path = url;
	} else {
		if (strncmp(url, "http://", 7) != 0)
			die("ask: http:// only");
		const char *slash = strchr(url + 7, '/');
		path = slash ? slash : "/";
		snprintf(where, sizeof(where), "%.*s", (int)(slash ? slash - url - 7 : (long)strlen(url) - 7), url + 7);
	}
	struct sockaddr_storage a;
	socklen_t len;
	if (!address(where, &a, &len))
		die("ask: %s: not an address", where);
	int fd = socket(a.ss_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, len) < 0) {
		fprintf(stderr, "ask: %s: %s\n", where, strerror(errno));
		return 1;
	}
	char length[64] = "";
	if (*body)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
	/* 1.0: the answer comes unchunked and ends with the connection. */
	int n = snprintf(head, sizeof(head), "%s %s HTTP/1.0\r\nHost: %s\r\n%s%s\r\n", method ? method : *body ? "POST" : "GET", path,
			 sock ? "localhost" : where, extra, length);
	if (n < 0 || (size_t)n >= sizeof(head))
		die("ask: too long");
	if (send(fd, head, (size_t)n, MSG_NOSIGNAL) != n || (*body && send(fd, body, strlen(body), MSG_NOSIGNAL) != (ssize_t)strlen(body))) {
		fprintf(stderr, "ask: %s: %s\n", where, strerror(errno));
		return 1;
	}
	answer = need(calloc(1, MAX_ANSWER));
	int64_t deadline = now_us() + seconds * 1000000;
	char *end = NULL;
	while (more(fd, deadline)) {
		end = strstr(answer, "\r\n\r\n");
		if (end && ((lines && lines_in(end + 4) >= lines) || n_answer == MAX_ANSWER - 1))
			break;
	}
	end = strstr(answer, "\r\n\r\n");
	if (!end || strncmp(answer, "HTTP/1.", 7) != 0) {
		fprintf(stderr, "ask: %s: no answer\n", where);
		return 1;
	}
	if (only_status)
		printf("%.3s\n", answer + 9);
	else if (with_head)
		fwrite(answer, 1, n_answer, stdout);
	else
		fwrite(end + 4, 1, n_answer - (size_t)(end + 4 - answer), stdout);
	free(answer);
	return 0;
}
