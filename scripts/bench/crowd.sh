# SPDX-License-Identifier: MIT
# crowd.sh - many features on a fast target: nginx, and configurations of any size.  Sourced by scripts/bench/part.
# shellcheck shell=bash

CROWD_EACH=100                  # features of one service (128 is the most)

# crowd_ports: blue and green, in clear and over TLS.
crowd_ports()
{
	local ports
	mapfile -t ports <<<"$("$FAKES/ports" 8)"
	[ ${#ports[@]} = 8 ] || return 1
	CLEAR=("${ports[@]:0:2}") SECURE=("${ports[@]:2:2}") CROWD_HTTP=${ports[4]} CROWD_OPERATORS=${ports[5]} EXPORTER=${ports[6]}
}

# One worker; the same short JSON for every path, as an API answers it.
crowd_target()
{
	local dir=$SITE/nginx
	mkdir -p "$dir/tmp" "$SITE/pid" "$SITE/log" || return 1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=shop.test -addext subjectAltName=DNS:shop.test \
		-keyout "$dir/key" -out "$dir/cert" 2>/dev/null || return 1
	cat >"$dir/conf" <<-CONF
	worker_processes 1;
	daemon off;
	pid $dir/pid;
	error_log $SITE/log/nginx crit;
	events { worker_connections 30000; }
	http {
	  access_log off;
	  keepalive_timeout 300s;
	  keepalive_requests 100000000;
	  client_body_temp_path $dir/tmp; proxy_temp_path $dir/tmp; fastcgi_temp_path $dir/tmp; uwsgi_temp_path $dir/tmp; scgi_temp_path $dir/tmp;
	  default_type application/json;
	  server {
	    listen 127.0.0.1:${CLEAR[0]} backlog=4096; listen 127.0.0.1:${CLEAR[1]} backlog=4096;
	    listen 127.0.0.1:${SECURE[0]} ssl http2 backlog=4096; listen 127.0.0.1:${SECURE[1]} ssl http2 backlog=4096;
	    ssl_certificate $dir/cert; ssl_certificate_key $dir/key;
	    location = /-/served { stub_status; }
	    location / { return 200 '{"quotes":[{"id":7,"customer":"Brandt","total":1190},{"id":8,"customer":"Osei","total":240}],"currency":"EUR"}'; }
	  }
	}
	CONF
	setsid nginx -c "$dir/conf" -e "$SITE/log/nginx" </dev/null >>"$SITE/log/nginx.out" 2>&1 &
	echo $! >"$SITE/pid/nginx"
	disown
	wait_until 10 curl -s -o /dev/null "http://127.0.0.1:${CLEAR[0]}/"
}

# crowd_config FEATURES MS KIND: each feature on both slots every MS milliseconds.
#   KIND: kept fresh tls h2 steps exec
crowd_config()
{
	local many=$1 ms=$2 kind=$3 each=$CROWD_EACH s=http a=${CLEAR[0]} b=${CLEAR[1]} more='' tls=''
	[ "$many" -ge "$each" ] || each=$many
	case $kind in
	fresh) more=', fresh: true' ;;
	tls) more=', fresh: true' ;;
	h2) more=', http2: true' ;;
	esac
	case $kind in tls|h2) s=https a=${SECURE[0]} b=${SECURE[1]} tls=", tls: { ca_file: $SITE/nginx/cert }" ;; esac
	cat <<-YAML
	version: 1
	listen: { http: 127.0.0.1:$CROWD_HTTP, operators: 127.0.0.1:$CROWD_OPERATORS, unix: $SITE/switchd.sock }
	state_dir: $SITE/state
	exec: { enabled: true, at_once: 64 }
	services:
	YAML
	awk -v many="$many" -v each="$each" -v ms="$ms" -v kind="$kind" -v scheme="$s" -v a="$a" -v b="$b" -v more="$more" -v tls="$tls" 'BEGIN {
		for (n = 0; n < many; n++) {
			if (n % each == 0) {
				printf "  s%d:\n    front: %s://shop.test\n    initial: blue\n    mode: observe\n", n / each, scheme
				printf "    interval: %dms\n    idle_interval: %dms\n    fast_interval: %dms\n    max_rate: 100000\n    via: [slot]\n", ms, ms, ms
				printf "    slots:\n      blue: { targets: [%s://127.0.0.1:%d]%s }\n      green: { targets: [%s://127.0.0.1:%d]%s }\n", scheme, a, tls, scheme, b, tls
				print "    features:"
			}
			if (kind == "exec") printf "      f%d: { exec: [/bin/true], reads: true }\n", n
			else if (kind == "steps")
				printf "      f%d: { steps: [{get: /a%d, expect: [status == 200, \"body contains \\\"Brandt\\\"\"]}, {get: /b%d}, {get: /c%d}] }\n", n, n, n, n
			else printf "      f%d: { path: /q%d, expect: [status == 200, \"body contains \\\"Brandt\\\"\"]%s }\n", n, n, more
		}
	}'
}
