#!/bin/bash
# SPDX-License-Identifier: MIT
# switchctl doctor: a good site has nothing bad; each fault that is made is named, with what to do about it, and ends
# with exit 10; what a least-privilege user may not see is "not checked", never an error; without a daemon this host alone.
. "$(dirname "$0")/lib.sh"
redis_start || fail "redis does not start"
scn_site 2
# finding CHECK: its state.
finding()
{
	local i n
	n=$(said 'checks.#')
	for ((i = 0; i < n; i++)); do
		[ "$(said "checks.$i.check")" = "$1" ] && { said "checks.$i.state"; return; }
	done
}
doctor() { run doctor --json; }

step "a good site"
doctor
expect_exit 0
expect_eq "bad" "$(said bad daemon)" "0 true"
for check in config state_dir archive "proxy shop haproxy" "record shop" state "redis version" "redis role" persistence eviction memory schema "state address" "clock of redis" "event stream"; do
	case $(finding "$check") in ok) ;; *) fail "$check: $(finding "$check"): $SAID" ;; esac
done
run doctor; expect_exit 0
case $SAID in *"0 bad"*) ;; *) fail "$SAID" ;; esac

step "eviction, fsync, memory"
redis_cmd 'CONFIG SET maxmemory-policy allkeys-lru' >/dev/null
redis_cmd 'CONFIG SET maxmemory 1gb' >/dev/null
redis_cmd 'CONFIG SET appendfsync everysec' >/dev/null
doctor; expect_exit 10
expect_eq "eviction" "$(finding eviction)" bad
expect_eq "persistence" "$(finding persistence)" warn
redis_cmd 'CONFIG SET maxmemory-policy noeviction' >/dev/null
redis_cmd 'CONFIG SET maxmemory 0' >/dev/null
redis_cmd 'CONFIG SET appendfsync always' >/dev/null
doctor; expect_exit 0

step "a stats socket and files that others can write"
mode=$(stat -c %a "$STATS_SOCKET")
chmod o+w "$STATS_SOCKET" "$MAP" "$CONFIG"
doctor; expect_exit 10
expect_eq "the socket" "$(finding "proxy shop haproxy")" bad
expect_eq "the config" "$(finding "config file")" bad
chmod "$mode" "$STATS_SOCKET"; chmod o-w "$MAP" "$CONFIG"
doctor; expect_exit 0

step "a value that is refused"
redis_cmd 'HSET switchd:{0}:s:shop active purple' >/dev/null
wait_until 3 eval 'run doctor --json; [ $RC = 10 ]' || fail "nothing bad: $SAID"
expect_eq "the record" "$(finding "record shop")" bad
run state repair shop -y -m "it was this test"; expect_exit 0

step "a broken reload"
cp "$CONFIG" "$SITE/good.yaml"
echo "nonsense: true" >>"$CONFIG"
kill -HUP "$(pid_of switchd)"
wait_until 10 eval 'run doctor --json; [ "$(finding config)" = bad ]' || fail "the reload: $SAID"
cp "$SITE/good.yaml" "$CONFIG"
kill -HUP "$(pid_of switchd)"
wait_until 10 eval 'run doctor --json; [ "$(finding config)" = ok ]' || fail "the reload: $SAID"

step "a user who may little: not checked, no error"
redis_cmd 'ACL SETUSER default -@all +eval +evalsha +script|load +info +time +get +set +del +pexpire +pttl +hget +hmget +hgetall +hset +hdel +hexists +hlen +getrange +xadd +xrange +xrevrange +publish +subscribe +ping +auth +select +quit +hello +client' >/dev/null
doctor; expect_exit 0
expect_eq "whoami" "$(finding "acl user")" "not checked"
expect_eq "hashes" "$(finding "small hashes")" "not checked"

step "Redis is gone"
redis_kill
wait_status 15 "store.up" false
doctor; expect_exit 10
expect_eq "the store" "$(finding state)" bad
expect_eq "redis" "$(finding redis)" "not checked"

step "without a daemon"
run doctor --config "$CONFIG" --json; expect_exit 0
expect_eq "daemon" "$(said daemon) $(finding state) $(finding state_dir)" "false not checked ok"
switchd_stop || fail "switchd ended with $?"
SWITCHD_CONFIG=$CONFIG run doctor; expect_exit 0
case $SAID in *"only a running switchd knows"*) ;; *) fail "$SAID" ;; esac
run doctor --config "$SITE/nowhere.yaml"; expect_exit 10
redis_start || fail "redis does not start"
switchd_start
wait_until 20 switchd_ready blue || fail "switchd is not ready"
scn_done
