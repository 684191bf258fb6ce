/* SPDX-License-Identifier: MIT
 * wire.h - what the kinds that are not HTTP share: a connection to a target of the slot, one exchange, one outcome. */
#ifndef PROBES_WIRE_H
#define PROBES_WIRE_H

#include "probes/kind.h"
#include "switchd/io/conn.h"

struct wire;
void *wire_open(struct probe_runner *, const char *kind);       /* means of a kind; connections only where a feature needs them */
void wire_close(void *);
void wire_cancel(struct probe_handle *);

/* Where the handle's target is, and how its slot is asked: everything but tls, websocket, send, read, enough. port 0 = the
 * target's; name "" = the public name, else the target's host. */
struct conn_order wire_order(const struct probe_handle *, uint16_t port, const char *name);

/* Of an exchange that ended well; sets want and got. */
typedef enum outcome wire_judge_fn(struct probe_handle *, const struct conn_result *, struct answer *, struct evidence *);
void wire_ask(struct wire *, struct probe_handle *, const struct conn_order *, wire_judge_fn *);
/* Do the feature's assertions hold for these bytes? For conn_order.enough: set by wire_ask() where it is NULL and read is set. */
bool wire_holds(void *asked, const char *data, size_t len);

/* A question that can only be asked of a target; ends the handle, and says so. */
MUSTCHECK bool wire_refuses(struct probe_handle *, bool control);

#endif
