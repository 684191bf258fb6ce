/* SPDX-License-Identifier: MIT
 * haproxy_ops.h - the adapter's one state: the call under way, and what is known of the proxy.
 * Shared by haproxy.c (questions, the disk, apply) and haproxy_ask.c (every other verb). */
#ifndef SWITCHD_PROXY_HAPROXY_OPS_H
#define SWITCHD_PROXY_HAPROXY_OPS_H

#include <ev.h>

#include "switchd/proxy/haproxy.h"
#include "switchd/proxy/haproxy_cli.h"
#include "switchd/proxy/haproxy_reply.h"
#include "switchd/proxy/mapfile.h"

enum {
	COMMAND_MS = 1000, POLL_MS = 500,
	BACK_FILE_MS = 50,              /* B5.2: a slow disk never stops a rollback */
	FORWARD_FILE_MS = 2000,         /* a forward flip gives the disk this long */
	FRESH_MS = 200,                 /* what an answer said of pid and backends counts this long */
	STALE_MAP_MS = 50,              /* a map value read longer ago is read again before it is overwritten */
	RETRY_FIRST_MS = 100, RETRY_MOST_MS = 5000, RECHECK_MS = 1000,
	MAX_STEPS = 1024,
};

enum ask { ASK_MAP, ASK_INFO, ASK_BACKENDS, ASK_LIST, ASK_WRITE, N_ASKS };

enum stage {
	ST_READ,        /* the questions before anything else */
	ST_FILE,        /* waiting for the disk, with the proxy's answers in hand */
	ST_ABSENT_FILE, /* waiting for the disk, with the proxy away: the file is what its next start will read */
	ST_REREAD, ST_SET, ST_READBACK,
	ST_STEPS,       /* small commands, one after another */
};

/* The call under way. */
struct op {
	const struct proxy_call *call;  /* NULL = idle */
	struct proxy_end end;
	enum stage stage;
	mono_us began, map_at, write_at, readback_at;
	struct hap_cmd *cmd[N_ASKS];
	size_t out;                     /* questions without an answer yet */
	enum proxy_result bad[N_ASKS];  /* PX_OK = answered well, or not asked */
	char bad_text[N_ASKS][200];
	struct hap_map_value shown;
	char want[PROXY_VALUE_TEXT];
	bool already;                   /* the proxy shows it before we wrote */
	bool adding;                    /* the key was not there: add, not set */
	bool refused; char refusal[200];
	bool file_over; struct mapfile_done file;
	bool waited;                    /* the disk had its time */
	char **steps; size_t n_steps, at, unsendable;
};

struct haproxy {
	struct ev_loop *loop;
	const struct service_config *svc;
	const struct proxy_config *cfg;
	struct proxy *px;
	char bad_names[256];            /* "" = they are fine */
	struct op op;
	ev_timer wait;                  /* the op's, for the disk */

	bool seen, met;                 /* met: the last two answers came from one process */
	bool restarted;                 /* not yet told by a read back */
	struct hap_info info;
	mono_us info_at;
	uint64_t backends_of;           /* the pid whose backends were looked at; 0 = none */
	bool has_backend[2], has_shield;

	struct mapfile *file;
	struct mapfile_job *job;        /* a write: the op's, or one that goes on after it */
	bool job_of_op;
	struct proxy_value job_value;
	bool job_over_pin;
	ev_timer retry; int64_t retry_ms;
	struct mapfile_job *check;
	char checked[PROXY_VALUE_TEXT]; /* the value that `durable` speaks of; "" = none */
	bool durable;
	mono_us checked_at;
};

void hap_ask(struct haproxy *, enum ask, int64_t timeout_ms, const char *fmt, ...) PRINTF(4, 5);
void hap_wait_ms(struct haproxy *, int64_t ms);
/* Ends the op; h is not to be touched after.  text may be NULL. */
void hap_end_op(struct haproxy *, enum proxy_result, const char *text);
/* The first of the questions that went wrong, or PX_OK. */
enum proxy_result hap_first_bad(const struct op *, const char **text);
/* PX_UNKNOWN_BACKEND when one that is needed is not there. */
enum proxy_result hap_missing_backend(const struct haproxy *, bool shield, char *text, size_t size);
/* Puts what the map shows into the answer; false when it is no value of ours. */
bool hap_take_shown(struct haproxy *);
/* Is the shown value known to be on the disk?  May start a check and answer later (false: wait). */
bool hap_durable_known(struct haproxy *);

/* haproxy_ask.c */
void hap_other_start(struct haproxy *);                                 /* every verb but apply */
void hap_other_list(struct haproxy *, const struct hap_reply *);        /* ASK_LIST came whole */
void hap_other_go_on(struct haproxy *);                                 /* all answers are there, or the wait is over */
void hap_steps_free(struct op *);

#endif
