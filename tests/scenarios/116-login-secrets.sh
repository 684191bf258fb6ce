#!/bin/bash
# SPDX-License-Identifier: MIT
# A visit: log in, look, log out, with a secret from a file and one from the environment.  The application breaks and shows
# on its error page all that it was sent: the release is rolled back, and the secrets are nowhere.
. "$(dirname "$0")/lib.sh"
export PROBE_PIN='pin+canary/4711 x'
FEATURES="account:
  reads: true
  interval: 500ms
  secrets: { password: $SITE/probe.secret }
  steps:
    - { get: /login, capture: { csrf: 'xpath \"string(//input[@name=''csrf'']/@value)\"' } }
    - post: /login
      form: { user: probe, pin: '\${PROBE_PIN}', password: '{{password}}', csrf: '{{csrf}}' }
      expect: [ status == 302, redirect == \"/account\" ]
    - { get: /account, expect: [ status == 200, 'body contains \"Account of probe\"' ] }
    - { post: /logout, always_run: true }
home: /"
printf '%s\n' 'file+canary/0815 &y' >"$SITE/probe.secret"
FILL=--visit
redis_start || fail "redis does not start"
scn_site 1

step "a good release is proved by a visit, and the negative control shows that it can fail"
deploy green r42 flipped
expect_exit 0

step "the account breaks, and its error page shows everything"
app green all leak on
wait_status 20 active blue
run why "$SERVICE" --json
case $SAID in *"step 3 GET /account: status == 200"*) ;; *) fail "why does not name the step: $SAID" ;; esac
case $SAID in *'****'*) ;; *) fail "the error page is not in the evidence: $SAID" ;; esac

step "the secrets are in no record, log, evidence or answer"
# Whatever it may be dressed in: as it is, percent-encoded, in a form, in base64; the session, too.
needles=(canary 'visit-session' "$(printf 'canary' | base64 | cut -c1-8)" "$(printf 'xcanary' | base64 | cut -c3-10)" 'tok+en/1' 'tok%2Ben')
mkdir "$SITE/look"
{
	for what in "status $SERVICE" "why $SERVICE" "timeline $SERVICE --max 1000" "probe $SERVICE"; do
		# shellcheck disable=SC2086
		ctl $what --json 2>&1
		# shellcheck disable=SC2086
		ctl $what 2>&1
	done
} >"$SITE/look/ctl"
ctl config show >"$SITE/look/show" 2>&1
grep -q 'PROBE_PIN' "$SITE/look/show" || fail "config show does not print the run: $(cat "$SITE/look/show")"
[ -s "$SITE/look/ctl" ] || fail "the verbs said nothing"
for path in /metrics "/v1/services/$SERVICE" "/v1/services/$SERVICE/status" "/v1/services/$SERVICE/evidence" "/v1/services/$SERVICE/timeline"; do
	"$FAKES/ask" -t 5 -i "http://$OPERATORS$path" >>"$SITE/look/api" 2>&1
done
redis_dump() { "$FAKES/sockcmd" -t 5 "$SITE/redis.sock" SAVE; }
redis_dump >/dev/null 2>&1
cat "/proc/$(pid_of switchd)/cmdline" >"$SITE/look/argv" 2>/dev/null
# That it is looked for where evidence is kept, the same search shows with what must be there.
for where in "$SITE/look" "$SITE/redis"; do
	grep -rqaF "step 3 GET /account" "$where" || fail "no evidence in $where: the search would find nothing"
done
for n in "${needles[@]}"; do
	found=$(grep -rlaF -e "$n" "$SITE/look" "$SITE/log" "$STATE" "$SITE/redis" "$CONFIG" 2>/dev/null)
	[ -z "$found" ] || fail "\"$n\" is in $found: $(grep -raoF -m 3 -e "$n" $found | head -n 3)"
done

step "nobody is left logged in through the front but by the users"
expect_status "phase" steady
scn_done
