#!/bin/bash
# SPDX-License-Identifier: MIT
# A list that cannot be read is unknown: it blocks a deploy by name, moves nothing, and does not keep anyone from going back.
# Coverage without a daemon.
. "$(dirname "$0")/lib.sh"
FEATURES='home: /
quotes: { path: /api/quotes, expect: [ status == 200, '\''jsonpath "$.quotes" count >= 1'\'' ] }'
SVC[inventory]="[ { sitemap: /sitemap.xml }, { log: $SITE/access.log, top: 3 } ]"
for i in 1 2 3 4 5 6; do
	echo "10.0.0.1 - - [22/Nov/2026:03:12:0$i +0000] \"GET /api/quotes?x=$i HTTP/1.1\" 200 512 \"-\" \"-\""
	echo "Nov 22 03:12:0$i lb haproxy[12]: 10.0.0.1:33 [22/Nov/2026:03:12:07.304] fe be/s1 0/0/0/12/12 200 1234 - - ---- 1/1/0/0/0 0/0 \"GET /expenses HTTP/1.1\""
	echo "10.0.0.1 - - [22/Nov/2026:03:12:0$i +0000] \"GET /api/invoices/10$i HTTP/1.1\" 200 512 \"-\" \"-\""
done >"$SITE/access.log"
scn_site 1

step "the log's paths are routes of both"
run inventory shop --json
expect_exit 0
expect_eq "known" "$(said known counts.lost active_routes probed)" "true 0 7 2"
run inventory shop --config "$CONFIG"
expect_exit 0
case $SAID in *"coverage: 2 of 7 routes have a probe (28 %)"*"/api/invoices/{id}"*|*"/api/invoices/{id}"*"coverage: 2 of 7 routes have a probe (28 %)"*) ;; *) fail "without a daemon: $SAID" ;; esac

step "the log is away: nobody can tell what users ask for"
mv "$SITE/access.log" "$SITE/gone.log"
run inventory shop --json
expect_exit 13
run inventory shop --last --json
expect_exit 13
expect_eq "known" "$(said known compared)" "false true"
slot_start green r42
run deploy shop --slot green --release r42 --timeout 40s --json
expect_exit 10
run deploys shop
case $SAID in *"inventory: unknown: "*"access.log: No such file"*) ;; *) fail "the refusal does not say what could not be read: $SAID" ;; esac
expect_status active blue

step "it is back: so is the way forward"
mv "$SITE/gone.log" "$SITE/access.log"
run deploy shop --slot green --release r42 --timeout 40s --json
expect_exit 0
expect_status active green

step "a rollback asks no list"
rm "$SITE/access.log"
run rollback shop -m "test" -y
expect_exit 0
wait_status 10 active blue
scn_done
