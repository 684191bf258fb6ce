/* SPDX-License-Identifier: MIT
 * settings.c - the table of settings. */
#include "switchd/core/config/settings.h"

#include <string.h>

#include "switchd/base/buf.h"
#include "switchd/core/config/config.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
#define YEAR (INT64_C(365) * DAY)

/* Inherited: nearest of feature, service, defaults wins. */
#define PACE (AT_DEFAULTS | AT_SERVICE | AT_FEATURE)
#define SERVICE (AT_DEFAULTS | AT_SERVICE)

static const struct setting table[] = {
	{ "advertise", AT_LISTEN, T_ORIGIN, 0, 0, NULL, NULL, false, true,
	  "URL at which operators of other hosts find this controller; of operators if not told" },
	{ "age", AT_GATES, T_DURATION, 1 * SECOND, 10 * YEAR, NULL, NULL, false, false, "how long ago the tests in a manifest may have run; any time if not told" },
	{ "agent", AT_TOP, T_BLOCK, 0, 0, NULL, NULL, false, true, "of a switchd --role agent: who it is" },
	{ "always_run", AT_STEP, T_BOOL, 0, 1, "false", NULL, false, false, "asked also when an earlier step failed or the time is up: log out" },
	{ "archive", AT_TOP, T_FILE, 2, 1023, NULL, NULL, false, true,
	  "directory of the archive: every committed event and ledger fact, a JSONL file a day; STATE_DIR/archive if not told" },
	{ "archive_keep", AT_TOP, T_DURATION, 1 * DAY, 10 * YEAR, "90d", NULL, false, true, "days of the archive that are kept" },
	{ "archive_size", AT_TOP, T_INT, 1, 1000000, "1024", NULL, false, true, "MiB that the archive may hold; older days give way" },
	{ "ask", AT_INVENTORY, T_BOOL, 0, 1, "true", NULL, false, false,
	  "ask each route of this source once for its status and shape, at half of max_rate; false: the lists alone are compared" },
	{ "assets", AT_FEATURE, T_ANY, 0, 0, NULL, NULL, false, false, "a page whose scripts and styles are fetched: /path, or a mapping with page" },
	{ "at_once", AT_EXEC, T_INT, 1, 1000, "4", NULL, false, false, "programs that run at a time, of one service; the others wait" },
	{ "auth", AT_TOP, T_BLOCK, 0, 0, NULL, NULL, false, false, "who may do what over TCP" },
	{ "auth", AT_FEATURE, T_BLOCK, 0, 0, NULL, NULL, false, false, "who the probe is: user with password, or bearer" },
	{ "auto_promote", SERVICE, T_BOOL, 0, 1, "true", NULL, false, false,
	  "flip as soon as a deploy is proved; false: it waits in ready for a human" },
	{ "backends", AT_PROXY, T_BLOCK, 0, 0, NULL, NULL, false, false, "names of the proxy's own backends" },
	{ "bake", SERVICE, T_DURATION, 100, 7 * DAY, "5m", NULL, false, false, "the dense watch after a flip, with the shield up" },
	{ "bearer", AT_LOGIN, T_TEXT, 1, 8192, NULL, NULL, false, false, "token sent as Authorization: Bearer" },
	{ "bearer_file", AT_LOGIN, T_FILE, 2, 1023, NULL, NULL, false, false, "file that holds the token; read when the config is" },
	{ "blue", AT_SLOTS, T_MAP_OR_LINES, 1, MAX_TARGETS, NULL, NULL, true, false,
	  "the slot's targets: a list, dns:NAME:PORT, file:/path, or a mapping with targets, min_targets, proxy_protocol, tls" },
	{ "blue", AT_BACKENDS, T_NAME, 0, 0, NULL, NULL, false, false, "backend that holds the blue slot's servers; SERVICE-blue if not told" },
	{ "body", AT_FEATURE | AT_STEP, T_BODY, 0, 65536, "", NULL, false, false, "request body" },
	{ "body_file", AT_FEATURE, T_FILE, 2, 1023, NULL, NULL, false, false,
	  "file that holds the request body, of at most 64 KiB of text; read when the config is" },
	{ "ca_file", AT_TLS, T_FILE, 2, 1023, NULL, NULL, false, false, "certificates to trust; the system's if not told" },
	{ "ca_file", AT_CERTIFICATE, T_FILE, 2, 1023, NULL, NULL, false, false, "certificates to trust; the slot's, else the system's if not told" },
	{ "calm", PACE, T_INT, 1, 1000, "5", NULL, false, false, "presents in a row that make an absent feature present and clear the counter" },
	{ "capture", AT_STEP, T_MAP, 1, 32, NULL, NULL, false, false,
	  "values for later steps as {{name}}, each by a query: 'jsonpath \"$.token\"', 'header \"X\"', 'cookie \"sid\"', 'regex /id=(\\d+)/'" },
	{ "cert_file", AT_TLS, T_FILE, 2, 1023, NULL, NULL, false, false, "client certificate to show" },
	{ "claim_ttl", SERVICE, T_DURATION, 1 * SECOND, 7 * DAY, "1h", NULL, false, false, "how long a claim holds without being renewed" },
	{ "command", AT_GATES, T_BLOCK, 0, 0, NULL, NULL, false, false, "a program that must end with 0 before the flip" },
	{ "compare", AT_FEATURE, T_BOOL_OR_BLOCK, 0, 0, NULL, NULL, false, false,
	  "old against new: while a release is proved and baked both slots are asked the same, and what the old one has the new one must have; "
	  "true, or a mapping with ignore, tolerance, xpath" },
	{ "confirm", PACE, T_DURATION, 0, 10 * SECOND, "20ms", NULL, false, false, "how soon a first absent is asked again" },
	{ "control_path", AT_FEATURE, T_PATH, 1, 1024, NULL, NULL, false, false,
	  "a path that must not pass (negative control); made from path if not told" },
	{ "cookies", AT_FEATURE, T_MAP, 1, 32, NULL, NULL, false, false, "cookies to send, name: value" },
	{ "days", AT_CERTIFICATE, T_INT, 0, 3650, "14", NULL, false, false, "days that the certificate must still be valid" },
	{ "defaults", AT_TOP, T_BLOCK, 0, 0, NULL, NULL, false, false, "what services and features inherit" },
	{ "delete", AT_STEP, T_PATH, 1, 1024, NULL, NULL, false, false, "the step is a DELETE of this path" },
	{ "drain", SERVICE, T_DURATION, 0, 1 * DAY, "30s", NULL, false, false, "what long-lived connections on the slot left are given" },
	{ "enabled", AT_EXEC, T_BOOL, 0, 1, "false", NULL, false, false, "features may run programs" },
	{ "exec", AT_COMMAND, T_LINES, 1, 64, NULL, NULL, true, false, "an absolute path and its arguments; no shell" },
	{ "exec", AT_TOP, T_BLOCK, 0, 0, NULL, NULL, false, false, "may probes run programs, and how many at a time" },
	{ "exec", AT_FEATURE, T_LINES, 1, 64, NULL, NULL, false, false,
	  "a program with Nagios exit codes: an absolute path and its arguments, without a shell; needs exec enabled, and reads or writes" },
	{ "expect", AT_FEATURE, T_LINES, 1, 64, NULL, NULL, false, false,
	  "assertions, one a line; without them the answer is compared with the active slot's" },
	{ "expect", AT_STEP, T_LINES, 1, 64, NULL, NULL, false, false,
	  "assertions on the step's answer; 2xx if not told, and any below 400 of a step that always runs" },
	{ "expect", AT_IDENTITY, T_LINES, 1, 64, NULL, NULL, true, false, "assertions; {{release}} stands for the release announced, {{digest}} for its digest (lines with it wait until one is told)" },
	{ "external", AT_ASSETS, T_BOOL, 0, 1, "false", NULL, false, false, "fetch the scripts and styles of other origins too" },
	{ "fall", PACE, T_INT, 1, 100, "2", NULL, false, false,
	  "absents since the last clear that make a feature absent; refused connections in a row that make a target out" },
	{ "fast_interval", PACE, T_DURATION, 10, 1 * MINUTE, "200ms", NULL, false, false,
	  "pace of each target while proving, baking, and after a first absent" },
	{ "features", AT_SERVICE, T_MAP_OR_LIST, 0, 0, NULL, NULL, false, false,
	  "what the service must be able to do: name: /path, name: {...}, or a list with name:; the one feature / if not told" },
	{ "flip_budget", SERVICE, T_BLOCK, 0, 0, NULL, NULL, false, false, "automatic rollbacks after which deploys wait for a human" },
	{ "flip_timeout", SERVICE, T_DURATION, 100, 1 * HOUR, "10s", NULL, false, false, "until a flip must be observed" },
	{ "follow", AT_FEATURE, T_INT, 0, 5, "0", NULL, false, false,
	  "redirects to follow, within the same scheme, host and port; others fail the probe unless an assertion expects them" },
	{ "form", AT_STEP, T_MAP, 1, 64, NULL, NULL, false, false, "request body: fields of a form" },
	{ "fresh", PACE, T_BOOL, 0, 1, "false", NULL, false, false, "probe on a new connection every time" },
	{ "front", AT_SERVICE, T_ORIGIN, 0, 0, NULL, NULL, false, false, "public address, through the proxy; without it nothing is observed" },
	{ "front", AT_PROXY, T_ORIGIN, 0, 0, NULL, NULL, false, false, "address that leads through this proxy; the service's front if not told" },
	{ "front_tls", AT_SERVICE, T_BLOCK, 0, 0, NULL, NULL, false, false, "how https fronts are asked" },
	{ "gates", AT_SERVICE, T_BLOCK, 0, 0, NULL, NULL, false, false, "checks before a flip, beside the features" },
	{ "get", AT_STEP, T_PATH, 1, 1024, NULL, NULL, false, false, "the step is a GET of this path; as post, put, patch, delete, head" },
	{ "green", AT_SLOTS, T_MAP_OR_LINES, 1, MAX_TARGETS, NULL, NULL, true, false, "as blue" },
	{ "green", AT_BACKENDS, T_NAME, 0, 0, NULL, NULL, false, false, "as blue; SERVICE-green if not told" },
	{ "grpc", AT_FEATURE, T_BLOCK, 0, 0, NULL, NULL, false, false, "asks grpc.health.v1 of the target" },
	{ "head", AT_STEP, T_PATH, 1, 1024, NULL, NULL, false, false, "the step is a HEAD of this path" },
	{ "headers", PACE | AT_STEP, T_MAP, 0, 32, NULL, NULL, false, false, "request headers; merged by name, nearest wins" },
	{ "http", AT_LISTEN, T_LISTEN, 0, 0, "127.0.0.1:7600", NULL, false, true, "listener for load balancers: who is active, liveness" },
	{ "http2", PACE, T_BOOL, 0, 1, "false", NULL, false, false,
	  "speak HTTP/2: agreed on with https targets, taken for granted with http ones" },
	{ "identity", AT_GATES, T_BLOCK, 0, 0, NULL, NULL, false, false, "where a target says which release it runs" },
	{ "idle", AT_FEATURE, T_BOOL, 0, 1, "false", NULL, false, false, "a feature that writes is probed on the idle slot too" },
	{ "idle_interval", PACE, T_DURATION, 10, 1 * DAY, "10s", NULL, false, false, "pace of a feature on the idle slot, targets in turn" },
	{ "ignore", AT_COMPARE, T_LINES, 1, 64, NULL, NULL, false, false,
	  "JSON paths that are not compared, with all below: $.at, $.items[].score, $.by_id.*" },
	{ "initial", AT_SERVICE, T_WORD, 0, 0, NULL, "blue green", false, false,
	  "the slot that is active when nothing else tells, at the first start" },
	{ "interval", PACE, T_DURATION, 10, 1 * DAY, "1s", NULL, false, false, "pace of a feature on the active slot, targets in turn" },
	{ "inventory", AT_SERVICE, T_LIST, 0, 0, NULL, NULL, false, false,
	  "where the service's routes are listed: openapi, sitemap, links, routes or log, one a source; both slots' lists are compared at each deploy" },
	{ "json", AT_STEP, T_ANY, 0, 0, NULL, NULL, false, false, "request body: sent as JSON" },
	{ "jsonpath", AT_INVENTORY, T_TEXT, 1, 1024, NULL, NULL, false, false, "of routes: where the paths stand in the answer, such as $.routes[*].path" },
	{ "key_file", AT_TLS, T_FILE, 2, 1023, NULL, NULL, false, false, "key of cert_file" },
	{ "lease_ttl", AT_TOP, T_DURATION, 500, 5 * MINUTE, "5s", NULL, false, true, "how long a controller that falls silent still leads" },
	{ "links", AT_INVENTORY, T_PATH, 1, 512, NULL, NULL, false, false, "a page whose links are routes; xpath says which" },
	{ "listen", AT_TOP, T_BLOCK, 0, 0, NULL, NULL, false, true, "where switchd listens" },
	{ "log", AT_INVENTORY, T_FILE, 2, 1023, NULL, NULL, false, false,
	  "an access log (common, combined, HAProxy's http): the paths asked for most are routes of both slots" },
	{ "manifest_path", AT_SERVICE, T_PATH, 1, 1024, NULL, NULL, false, false,
	  "where a target tells the manifest of what it runs; asked of the idle slot at deploy" },
	{ "map", AT_PROXY, T_FILE, 2, 1023, NULL, NULL, false, false, "map file that moves the traffic; STATE_DIR/SERVICE.map if not told" },
	{ "marker", AT_ASSETS, T_TEXT, 1, 1024, NULL, NULL, false, false, "a text, or /a pattern/, that at least one script or style must hold" },
	{ "max", AT_BUDGET, T_INT, 1, 100000, "3", NULL, false, false, "automatic rollbacks in the time of per" },
	{ "max", AT_ASSETS, T_INT, 1, 200, "100", NULL, false, false, "scripts and styles that are fetched; a page with more is not judged (prober-limit)" },
	{ "max_rate", SERVICE, T_INT, 1, 100000, "50", NULL, false, false, "probes a second on one target, all features together" },
	{ "method", AT_FEATURE, T_METHOD, 1, 16, "GET", NULL, false, false, "another than GET or HEAD needs writes: true" },
	{ "min", AT_ASSETS, T_INT, 1, 200, "1", NULL, false, false, "scripts and styles that the page must have" },
	{ "min_targets", AT_SLOT, T_INT, 1, MAX_TARGETS, NULL, NULL, false, false,
	  "targets that must be in; if not told: all to prove, half (rounded up) on a live slot" },
	{ "mode", AT_TOP | SERVICE, T_WORD, 0, 0, "enforce", "observe gate enforce", false, false,
	  "observe writes to no proxy; gate does everything but the automatic rollback" },
	{ "name", AT_PROXY, T_NAME, 0, 0, NULL, NULL, false, false, "what status calls this proxy; its type if not told; of an agent its own name" },
	{ "name", AT_AGENT, T_NAME, 0, 0, NULL, NULL, false, true,
	  "what controllers call this agent, in proxies: {type: agent, name: ...}; the host's name if not told" },
	{ "name", AT_FEATURE, T_NAME, 0, 0, NULL, NULL, false, false, "where features are a list" },
	{ "name", AT_CERTIFICATE, T_TEXT, 1, 253, NULL, NULL, false, false, "name on the certificate; the public name if not told, else the target's host" },
	{ "name", AT_TCP, T_TEXT, 1, 253, NULL, NULL, false, false, "name on the certificate; the public name if not told, else the target's host" },
	{ "observe", SERVICE, T_INT, 1, 100, "2", NULL, false, false, "answers in a row through the front that count as observed" },
	{ "offline", SERVICE, T_WORD, 0, 0, "rollback", "rollback static", false, false,
	  "what automation may do while the store is away; static if a proxy is driven by an agent" },
	{ "openapi", AT_INVENTORY, T_PATH, 1, 512, NULL, NULL, false, false, "an OpenAPI 3 document, JSON or YAML: its GET paths are routes" },
	{ "operators", AT_LISTEN, T_LISTEN, 0, 0, "127.0.0.1:7601", NULL, false, true, "listener for operators and CI: /v1 and /metrics" },
	{ "page", AT_ASSETS, T_PATH, 1, 1024, NULL, NULL, false, false, "the page; needed" },
	{ "password", AT_LOGIN, T_TEXT, 1, 1024, NULL, NULL, false, false, "password of user; better ${NAME} or password_file" },
	{ "password_file", AT_LOGIN, T_FILE, 2, 1023, NULL, NULL, false, false, "file that holds the password; read when the config is" },
	{ "password_file", AT_STATE, T_FILE, 2, 1023, NULL, NULL, false, true, "file that holds the password for Redis" },
	{ "patch", AT_STEP, T_PATH, 1, 1024, NULL, NULL, false, false, "the step is a PATCH of this path" },
	{ "path", AT_IDENTITY, T_PATH, 1, 1024, NULL, NULL, true, false, "asked of every target" },
	{ "path", AT_FEATURE, T_PATH, 1, 1024, NULL, NULL, false, false, "asked of every target; path or url is needed" },
	{ "path", AT_WEBSOCKET, T_PATH, 1, 1024, "/", NULL, false, false, "asked to be upgraded" },
	{ "paths", AT_PROXY, T_FILE, 2, 1023, NULL, NULL, false, false,
	  "file of the paths that the shield covers; STATE_DIR/SERVICE.paths if not told" },
	{ "per", AT_BUDGET, T_DURATION, 1 * SECOND, 30 * (int64_t)DAY, "24h", NULL, false, false, "the time in which rollbacks are counted" },
	{ "port", AT_CERTIFICATE | AT_GRPC | AT_TCP, T_INT, 1, 65535, NULL, NULL, false, false, "of the target; the port of its address if not told" },
	{ "post", AT_STEP, T_PATH, 1, 1024, NULL, NULL, false, false, "the step is a POST to this path" },
	{ "prefix", AT_STATE, T_TEXT, 1, 64, "switchd:", NULL, false, true, "of every key" },
	{ "prove_timeout", SERVICE, T_DURATION, 100, 1 * DAY, "60s", NULL, false, false, "until all features must be present on the idle slot" },
	{ "proxies", AT_SERVICE, T_LIST, 0, 0, NULL, NULL, false, false,
	  "what carries the traffic: a list of {type, name, socket, map, paths, front, backends}" },
	{ "proxy", AT_SERVICE, T_WORD, 0, 0, NULL, "haproxy", false, false, "short for proxies with one of that type and every default" },
	{ "proxy_protocol", AT_SLOT, T_BOOL, 0, 1, "false", NULL, false, false,
	  "connections to its targets begin with a PROXY line (version 1)" },
	{ "put", AT_STEP, T_PATH, 1, 1024, NULL, NULL, false, false, "the step is a PUT to this path" },
	{ "reads", AT_FEATURE, T_BOOL, 0, 1, "false", NULL, false, false,
	  "what looks like a write leaves nothing behind (log in and log out, a program that only looks): probed like one that reads" },
	{ "ready_timeout", SERVICE, T_DURATION, 100, 7 * DAY, "1h", NULL, false, false, "how long a proved release waits for a human" },
	{ "recheck", SERVICE, T_LINES, 0, MAX_RECHECKS, NULL, NULL, false, false,
	  "times after a bake at which the whole suite runs again, a list such as [1h, 24h]; [1h, 24h] if not told" },
	{ "redis", AT_STATE, T_REDIS, 0, 0, "embedded", NULL, false, true,
	  "redis://host:port/db, rediss:// the same over TLS, sentinel://h1:port,h2:port,h3:port/master/db (sentinels:// over TLS), unix:/path, "
	  "or embedded: a private redis-server in the state directory" },
	{ "redis_server", AT_STATE, T_TEXT, 1, 1023, "redis-server", NULL, false, true, "program of the embedded Redis" },
	{ "reference", AT_SERVICE, T_ADDRESS, 0, 0, NULL, NULL, false, false, "an address that answers when the network of the prober is well" },
	{ "replicas", AT_STATE, T_INT, 0, 16, "0", NULL, false, true,
	  "so many replicas must have a commit within 200ms, else it is reported as committed, at risk; 0: none is waited for" },
	{ "report", AT_AGENT, T_DURATION, 100, 2 * SECOND, "2s", NULL, false, false,
	  "how often an agent that has nothing new says that it is there; what is new is said at once" },
	{ "require", AT_GATES, T_WORDS, 1, 8, NULL, "toolchain age condemned identity features command", false, false,
	  "gates that must pass: what they could not check is refused" },
	{ "rise", PACE, T_INT, 1, 100, "2", NULL, false, false,
	  "presents in a row that make an unknown feature present; other outcomes that bring a target in again" },
	{ "rollback", SERVICE, T_WORD, 0, 0, "auto", "auto ask never", false, false,
	  "what happens when a feature disappears; a deploy may say otherwise" },
	{ "rollback_window", SERVICE, T_FOREVER, 100, 10 * YEAR, "24h", NULL, false, false,
	  "how long after a flip automation may still flip back; or forever" },
	{ "routes", AT_INVENTORY, T_PATH, 1, 512, NULL, NULL, false, false, "a JSON document that lists the routes; needs jsonpath" },
	{ "secrets", AT_FEATURE, T_MAP, 1, 16, NULL, NULL, false, false,
	  "of a run of steps: {{name}} stands for what is in this file; shown nowhere" },
	{ "send", AT_TCP, T_BODY, 1, 65536, NULL, NULL, false, false, "sent as soon as the connection stands" },
	{ "send", AT_WEBSOCKET, T_BODY, 1, 65536, NULL, NULL, false, false, "a text message to send" },
	{ "sentinel_password_file", AT_STATE, T_FILE, 2, 1023, NULL, NULL, false, true, "password of the sentinels; none if not told" },
	{ "sentinel_user", AT_STATE, T_TEXT, 1, 64, NULL, NULL, false, true, "ACL user of the sentinels; the default user if not told" },
	{ "service", AT_GRPC, T_TEXT, 1, 512, NULL, NULL, false, false, "the service asked about; the server as a whole if not told" },
	{ "services", AT_TOP, T_MAP, 1, 1024, NULL, NULL, true, false, "the services by name" },
	{ "severity", AT_FEATURE, T_WORD, 0, 0, "critical", "critical warn", false, false,
	  "critical moves traffic, warn only reports; a url is always warn" },
	{ "shield", SERVICE, T_WORD, 0, 0, "bake", "bake off", false, false,
	  "while baking, the old slot answers the safe requests that the new one fails" },
	{ "shield", AT_BACKENDS, T_NAME, 0, 0, NULL, NULL, false, false, "backend of the shield; SERVICE-shield if not told" },
	{ "sitemap", AT_INVENTORY, T_PATH, 1, 512, NULL, NULL, false, false, "a sitemap, or an index of sitemaps (one level): its pages are routes" },
	{ "slots", AT_SERVICE, T_BLOCK, 0, 0, NULL, NULL, true, false, "the two slots" },
	{ "socket", AT_PROXY, T_SOCKET, 0, 0, "/run/haproxy/admin.sock", NULL, false, false, "the proxy's stats socket: a path, or host:port" },
	{ "start_period", PACE, T_DURATION, 0, 1 * HOUR, "0s", NULL, false, false,
	  "how long a target of the slot being proved may still be starting" },
	{ "state", AT_TOP, T_BLOCK, 0, 0, NULL, NULL, false, true, "where the record is kept; an embedded Redis if not told" },
	{ "state_dir", AT_TOP, T_FILE, 2, 512, "/var/lib/switchd", NULL, false, true, "journal, map files, embedded Redis" },
	{ "steps", AT_FEATURE, T_LIST, 0, 0, NULL, NULL, false, false,
	  "a run of requests with one cookie jar: a list of {get|post|put|patch|delete|head, form, json, body, headers, expect, capture, always_run}" },
	{ "targets", AT_SLOT, T_LINE_OR_LINES, 1, MAX_TARGETS, NULL, NULL, true, false,
	  "addresses: host:port, http://host:port, https://host:port or unix:/path; or alone dns:NAME:PORT or file:/path, read at claim and deploy" },
	{ "tcp", AT_FEATURE, T_BLOCK, 0, 0, NULL, NULL, false, false, "connects to the target, and may send and read" },
	{ "timeout", PACE, T_DURATION, 10, 5 * MINUTE, "2s", NULL, false, false, "of a whole probe" },
	{ "timeout", AT_COMMAND, T_DURATION, 10, 1 * HOUR, "30s", NULL, false, false, "until the program must have ended" },
	{ "tls", AT_SLOT, T_BLOCK, 0, 0, NULL, NULL, false, false, "how https targets of the slot are asked" },
	{ "tls", AT_STATE, T_BLOCK, 0, 0, NULL, NULL, false, true, "of rediss:// and sentinels://: how the servers are known, and shown who we are" },
	{ "tls", AT_FEATURE, T_BLOCK, 0, 0, NULL, NULL, false, false, "looks at the certificate of the target" },
	{ "tls", AT_GRPC | AT_TCP, T_BOOL, 0, 1, "false", NULL, false, false, "over TLS, as the slot's tls says" },
	{ "tokens_file", AT_AUTH, T_FILE, 2, 1023, NULL, NULL, false, false, "lines of: name role(read|deploy|operate) hash" },
	{ "tolerance", AT_COMPARE, T_INT, 1, 100, NULL, NULL, false, false,
	  "per cent by which numbers of rows may differ; if not told only some against none counts" },
	{ "top", AT_INVENTORY, T_INT, 1, 2000, "50", NULL, false, false, "of log: how many of the paths asked for most" },
	{ "type", AT_PROXY, T_WORD, 0, 0, NULL, "haproxy agent", true, false,
	  "kind of the proxy; agent: a switchd on the proxy's own host drives it, whose agent: name is this name" },
	{ "unix", AT_LISTEN, T_FILE, 2, 107, "/run/switchd/switchd.sock", NULL, false, true, "socket for operators of this host" },
	{ "unknown_limit", SERVICE, T_DURATION, 100, 1 * HOUR, "10s", NULL, false, false,
	  "unknown so long on the active slot, with the other one whole, counts as absent" },
	{ "unknown_limit_bake", SERVICE, T_DURATION, 100, 1 * HOUR, "2s", NULL, false, false, "the same while baking" },
	{ "until", AT_TCP, T_BODY, 1, 1024, NULL, NULL, false, false,
	  "the answer is complete with this text; if not told, when the assertions hold or the other side closes" },
	{ "url", AT_FEATURE, T_URL, 0, 0, NULL, NULL, false, false, "asked as it is, of no slot; warn only" },
	{ "user", AT_LOGIN, T_TEXT, 1, 256, NULL, NULL, false, false, "name sent as Authorization: Basic" },
	{ "user", AT_STATE, T_TEXT, 1, 64, NULL, NULL, false, true, "ACL user for Redis" },
	{ "verify", AT_TLS, T_BOOL, 0, 1, "true", NULL, false, false, "false: any certificate will do" },
	{ "version", AT_TOP, T_INT, 1, 1, NULL, NULL, true, false, "of the config's form" },
	{ "via", PACE, T_WORDS, 1, 2, NULL, "slot front", false, false,
	  "probe the targets directly, and through the front; [slot, front] if not told" },
	{ "websocket", AT_FEATURE, T_BLOCK, 0, 0, NULL, NULL, false, false, "upgrades a connection and may send a message (libcurl 8.11 or later)" },
	{ "writes", AT_FEATURE, T_BOOL, 0, 1, "false", NULL, false, false,
	  "the probe changes something: interval of 60s at least, no confirm burst, not on the idle slot unless idle" },
	{ "xpath", AT_INVENTORY, T_TEXT, 1, 1024, "//a/@href", NULL, false, false, "of links: which attributes of the page are the links" },
	{ "xpath", AT_COMPARE, T_TEXT, 1, 1024, NULL, NULL, false, false,
	  "of a page (HTML or XML): the nodes that are counted on both slots, such as //table//tr" },
};

static const char *const places[N_PLACES] = {
	"the top level", "listen", "state", "auth", "defaults", "a service", "slots", "a slot", "tls", "a proxy", "backends", "gates",
	"identity", "flip_budget", "a feature", "command", "a source of the inventory", "auth of a feature", "compare", "assets",
	"a step",
	"exec", "grpc", "tcp", "tls of a feature", "websocket", "agent",
};

const char *place_name(unsigned at)
{
	for (size_t i = 0; i < N_PLACES; i++)
		if (at & 1u << i)
			return places[i];
	return "nowhere";
}

size_t settings_count(void) { return ARRAY_LEN(table); }
const struct setting *setting_at(size_t i) { return &table[i]; }

const struct setting *setting_find(const char *name, unsigned at)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if ((table[i].where & at) && strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

unsigned setting_elsewhere(const char *name)
{
	unsigned where = 0;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strcmp(table[i].name, name) == 0)
			where |= table[i].where;
	return where;
}

/* ---- the manual ---- */

static void doc_cell(struct buf *out, const char *s)
{
	for (; *s; s++)
		buf_addf(out, *s == '|' ? "\\|" : "%c", *s);
}

static void doc_type(const struct setting *s, struct buf *out)
{
	static const char *const names[] = {
		[T_DURATION] = "duration", [T_FOREVER] = "duration or forever", [T_INT] = "number", [T_BOOL] = "true or false",
		[T_WORD] = "", [T_WORDS] = "list of ", [T_TEXT] = "text", [T_BODY] = "text", [T_NAME] = "name", [T_METHOD] = "HTTP method",
		[T_FILE] = "absolute path", [T_PATH] = "/path", [T_ORIGIN] = "URL without path", [T_URL] = "URL", [T_ADDRESS] = "host:port or URL",
		[T_LISTEN] = "host:port or off", [T_SOCKET] = "absolute path or host:port", [T_REDIS] = "address of Redis", [T_LINES] = "list of texts",
		[T_BLOCK] = "mapping", [T_MAP] = "mapping", [T_LIST] = "list of mappings", [T_MAP_OR_LIST] = "mapping or list",
		[T_LINE_OR_LINES] = "text or list of texts", [T_MAP_OR_LINES] = "text, list or mapping",
		[T_BOOL_OR_BLOCK] = "true, false or mapping",
		[T_ANY] = "value",
	};
	char word[32];

	buf_adds(out, names[s->type]);
	for (size_t i = 0; s->words && setting_word(s, i, word); i++)
		buf_addf(out, "%s`%s`", i ? ", " : "", word);
}

static void doc_bounds(const struct setting *s, struct buf *out)
{
	char a[32], b[32];

	if (s->type == T_DURATION || s->type == T_FOREVER)
		buf_addf(out, "%s to %s", duration_text(s->min, a), duration_text(s->max, b));
	else if (s->type == T_INT && s->min == s->max)
		buf_addf(out, "%d", (int)s->min);
	else if (s->type == T_INT)
		buf_addf(out, "%d to %d", (int)s->min, (int)s->max);
	else if (s->type == T_LINES || s->type == T_LINE_OR_LINES || s->type == T_MAP_OR_LINES || s->type == T_WORDS || (s->type == T_MAP && s->max))
		buf_addf(out, "%d to %d of them", (int)s->min, (int)s->max);
	else if (s->max > 1 && (s->type == T_TEXT || s->type == T_BODY || s->type == T_FILE || s->type == T_PATH))
		buf_addf(out, "at most %d bytes", (int)s->max);
}

void config_settings_doc(struct buf *out)
{
	buf_adds(out, "| setting | where | type | bounds | default | reload | meaning |\n|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct setting *s = &table[i];
		bool first = true;

		buf_addf(out, "| `%s` | ", s->name);
		for (size_t p = 0; p < N_PLACES; p++)
			if (s->where & 1u << p) {
				buf_addf(out, "%s%s", first ? "" : ", ", places[p]);
				first = false;
			}
		buf_adds(out, " | ");
		doc_type(s, out);
		buf_adds(out, " | ");
		doc_bounds(s, out);
		if (s->need)
			buf_adds(out, " | needed");
		else if (s->def)
			buf_addf(out, s->def[0] ? " | `%s`" : " | %s", s->def[0] ? s->def : "none");
		else
			buf_adds(out, " | -");
		buf_addf(out, " | %s | ", s->restart ? "restart" : "yes");
		doc_cell(out, s->doc);
		buf_adds(out, " |\n");
	}
}
