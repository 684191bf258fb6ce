#!/bin/bash
# SPDX-License-Identifier: MIT
# discover against a real web server: what it prints loads and probes; a page that answers everything is told, never offered.
. "$(dirname "$0")/lib.sh"
trap 'exit 143' TERM
command -v nginx >/dev/null || skip "nginx is not there"
site_ports 2 || fail "no free ports"
A=${PORTS[0]} B=${PORTS[1]}
mkdir -p "$SITE/www/docs" "$SITE/log" "$SITE/pid"
page() { echo "<html><head><title>$1</title></head><body>$2</body></html>"; }
page Shop '<a href="/quotes.json">q</a> <a href="docs/">d</a> <a href="/logout">bye</a> <a href="/gone.html">g</a>' >"$SITE/www/index.html"
page "It's \${HOME}" more >"$SITE/www/docs/index.html"
echo '{"quotes":[{"id":7}],"currency":"EUR"}' >"$SITE/www/quotes.json"
echo "<urlset><url><loc>http://127.0.0.1:$A/docs/</loc></url></urlset>" >"$SITE/www/sitemap.xml"
cat >"$SITE/nginx.conf" <<CONF
$([ "$(id -u)" != 0 ] || echo "user root;") worker_processes 1; daemon off; error_log $SITE/log/nginx; pid $SITE/nginx.pid;
events {}
http {
	types { text/html html; application/json json; application/xml xml; }
	access_log off; client_body_temp_path $SITE/t1; proxy_temp_path $SITE/t2; fastcgi_temp_path $SITE/t3; uwsgi_temp_path $SITE/t4; scgi_temp_path $SITE/t5;
	server { listen 127.0.0.1:$A; root $SITE/www; }
	server { listen 127.0.0.1:$B; root $SITE/www; location / { try_files \$uri \$uri/ /index.html; } }
}
CONF
setsid nginx -p "$SITE" -c "$SITE/nginx.conf" -e "$SITE/log/nginx" </dev/null >>"$SITE/log/nginx" 2>&1 &
echo $! >"$SITE/pid/nginx"
disown
answers() { [ "$("$FAKES/ask" -t 2 -s "http://127.0.0.1:$1/")" = 200 ]; }
wait_until 10 answers "$A" || fail "nginx does not start: $(cat "$SITE/log/nginx")"

# around FILE: a service round what discover printed, with both servers as its slots.
around()
{
	printf 'version: 1\nservices:\n  shop:\n    front: http://127.0.0.1:%s\n    slots: { blue: [127.0.0.1:%s], green: [127.0.0.1:%s] }\n' "$A" "$A" "$B"
	cat "$1"
}

step "an honest site"
run discover "http://127.0.0.1:$A" -q
expect_exit 0
printf '%s\n' "$SAID" >"$SITE/features"
for line in 'jsonpath "$.quotes" count >= 1' 'jsonpath "$.currency" exists' "path: '/docs/'" '# TODO /logout' '# TODO /gone.html: answers 404'; do
	grep -qF -- "$line" "$SITE/features" || fail "no \"$line\" in: $SAID"
done
grep -qE '^      home:' "$SITE/features" || fail "the start page is no feature: $SAID"
around "$SITE/features" >"$SITE/found.yaml"
"$BIN/switchd" -t "$SITE/found.yaml" >"$SITE/log/check" 2>&1 || fail "it does not load: $(cat "$SITE/log/check" "$SITE/found.yaml")"
run probe --config "$SITE/found.yaml" --slot blue --json
expect_exit 0

step "a page is lost: what was learned notices"
rm "$SITE/www/docs/index.html"
run probe --config "$SITE/found.yaml" --slot blue --json
expect_exit 10
page "It's \${HOME}" more >"$SITE/www/docs/index.html"

step "a site that answers every path with its start page"
run discover "http://127.0.0.1:$B" -q
expect_exit 0
printf '%s\n' "$SAID" >"$SITE/features"
grep -qE '^      home:' "$SITE/features" && fail "a start page that everything is answered with was offered as a feature: $SAID"
grep -qE '^      # TODO home: a path that cannot be there is answered just as well' "$SITE/features" || fail "the catch-all is not told: $SAID"
grep -qE '^      quotes.json:' "$SITE/features" || fail "what can be told apart is not offered: $SAID"
around "$SITE/features" >"$SITE/found.yaml"
"$BIN/switchd" -t "$SITE/found.yaml" >"$SITE/log/check" 2>&1 || fail "it does not load: $(cat "$SITE/log/check" "$SITE/found.yaml")"

step "nobody there, and no URL"
end_pid TERM "$(pid_of nginx)"
run discover "http://127.0.0.1:$A" -q
expect_exit 16
run discover shop
expect_exit 2
DONE=1
exit 0
