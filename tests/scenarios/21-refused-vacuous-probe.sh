#!/bin/bash
# SPDX-License-Identifier: MIT
# A probe that cannot fail proves nothing: an application that answers every path with index.html and
# 200 is refused by the negative control, naming the feature (B1.5).
. "$(dirname "$0")/lib.sh"
FEATURES='home: { path: /home, expect: [ status == 200 ] }'
FILL=--catchall
scn_site 2

step "deploy r42: the probe of home is vacuous"
deploy green r42 baked
expect_exit 10
expect_eq "outcome" "$(said outcome active)" "refused blue"
case $(said reason) in *home*) ;; *) fail "the reason does not name the feature: $(said reason)" ;; esac
expect_events gate.refused 1
expect_status "active phase" "blue steady"
scn_done
