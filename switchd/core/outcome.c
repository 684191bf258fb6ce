/* SPDX-License-Identifier: MIT
 * outcome.c - the table of outcomes. */
#include "switchd/core/outcome.h"

#include "switchd/base/must.h"

static const struct outcome_info table[N_OUTCOMES] = {
	[OUT_PRESENT] = { OC_PRESENT, "present", "a complete valid answer; every assertion holds" },
	[OUT_STATUS] = { OC_ABSENT, "status", "the answer has another status than asked for" },
	[OUT_HEADER] = { OC_ABSENT, "header", "a header assertion fails" },
	[OUT_BODY] = { OC_ABSENT, "body", "a body assertion fails" },
	[OUT_JSON] = { OC_ABSENT, "json", "a JSON assertion fails, or the body is not JSON" },
	[OUT_DURATION] = { OC_ABSENT, "duration", "the answer took longer than its duration assertion allows" },
	[OUT_SHAPE] = { OC_ABSENT, "shape", "the answer differs in shape from the active slot's" },
	[OUT_IDENTITY] = { OC_ABSENT, "identity", "the target says that it runs another release" },
	[OUT_REDIRECT] = { OC_ABSENT, "redirect", "a redirect that nothing expects" },
	[OUT_BODY_CUT] = { OC_ABSENT, "body-cut", "the answer began and was cut off" },
	[OUT_DURATION_TIMEOUT] = { OC_ABSENT, "duration-timeout", "no answer in time to a sent request that has a duration assertion" },
	[OUT_KILLS_WORKER] = { OC_ABSENT, "kills-worker", "closed without an answer while other features of the target answer" },
	[OUT_EXEC_CRITICAL] = { OC_ABSENT, "exec-critical", "the command says critical" },
	[OUT_EXEC_WARNING] = { OC_ABSENT, "exec-warning", "the command of a feature that can only warn says warning" },
	[OUT_TLS_ASSERTION] = { OC_ABSENT, "tls-assertion", "a certificate assertion fails" },
	[OUT_ASSERTION] = { OC_ABSENT, "assertion", "an assertion fails" },
	[OUT_ASSET_MISSING] = { OC_ABSENT, "asset-missing", "a script or style of the page is not there, or the page has too few of them" },
	[OUT_ASSET_TYPE] = { OC_ABSENT, "asset-type", "something else came for a script or style: mostly an HTML page" },
	[OUT_ASSET_EMPTY] = { OC_ABSENT, "asset-empty", "a script or style of the page is empty" },
	[OUT_ASSET_MARKER] = { OC_ABSENT, "asset-marker", "no script or style of the page holds the marker" },
	[OUT_TIMEOUT] = { OC_UNKNOWN, "timeout", "no complete answer in time" },
	[OUT_CONNECT_TIMEOUT] = { OC_UNKNOWN, "connect-timeout", "no TCP answer in time" },
	[OUT_NO_ROUTE] = { OC_UNKNOWN, "no-route", "the network says that there is no way to the target" },
	[OUT_DNS] = { OC_UNKNOWN, "dns", "the name does not resolve" },
	[OUT_TLS] = { OC_UNKNOWN, "tls", "the TLS handshake failed" },
	[OUT_PROTOCOL] = { OC_UNKNOWN, "protocol", "the answer is not valid HTTP" },
	[OUT_TOO_LARGE] = { OC_UNKNOWN, "too-large", "the answer is larger than the prober reads" },
	[OUT_PATTERN_COSTLY] = { OC_UNKNOWN, "pattern-too-costly", "the pattern reached its limits on this body" },
	[OUT_CANCELLED] = { OC_UNKNOWN, "cancelled", "the probe was cancelled" },
	[OUT_NEVER_RAN] = { OC_UNKNOWN, "never-ran", "the probe was never sent" },
	[OUT_PROBER_LIMIT] = { OC_UNKNOWN, "prober-limit", "the prober ran out of its own means" },
	[OUT_EXEC_UNKNOWN] = { OC_UNKNOWN, "exec-unknown", "the command says unknown" },
	[OUT_STALE_STAMP] = { OC_UNKNOWN, "stale-stamp", "the front answered for another slot or version" },
	[OUT_REFUSED] = { OC_OUT, "refused", "the connection was refused" },
	[OUT_RESET] = { OC_OUT, "reset", "the connection was reset before an answer" },
	[OUT_CLOSED] = { OC_OUT, "closed", "the connection was closed before an answer" },
};

const struct outcome_info *outcome_info(enum outcome o)
{
	must(o < N_OUTCOMES && table[o].code != NULL);
	return &table[o];
}

const char *outcome_class_name(enum outcome_class c)
{
	static const char *const names[] = { "present", "absent", "unknown", "out" };

	return names[c];
}
