-- Who leads.  KEYS meta lease ev | ARGV op owner term ttl_ms url
-- -> {code, detail, term, gen, seq, lin, lineage, replicas, v}
-- The key holds "<term> <owner> <url>"; HELDBY answers with that and the milliseconds it has left.
-- The same owner acquiring again gets a new term, so that a twin of it with the old one is fenced.
local op, owner, term, ttl, url = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local lease = call('GET', KEYS[2])
local m = call('HMGET', KEYS[1], 'gen', 'seq', 'lin', 'term', 'v', 'top', 'replicated')
local lineage, replicas = replication()
-- Once it had a replica, a server without one may be that replica, promoted: the one before may still be written to, and
-- who takes this for the same history gives the same version twice.
local first_replica = replicas ~= '0' and m[7] ~= '1'
if m[7] == '1' then replicas = '1' end
local function answer(code, detail, t)
	return {code, detail, t or '0', m[1] or '', m[2] or '', m[3] or '', lineage, replicas, m[5] or ''}
end
for i = 1, 4 do
	if i ~= 3 and m[i] and not counter(m[i]) then return answer('BAD', 'meta') end
end
if op == 'acquire' then
	if lease and string.match(lease, '^%d+ (%S+)') ~= owner then
		return answer('HELDBY', lease .. ' ' .. text(math.max(0, call('PTTL', KEYS[2]))))
	end
	if m[1] and not schema(m[5]) then return answer('SCHEMA', m[5] or '') end
	-- The clock is a floor, so that the term grows even when the store was emptied: in ms, for several may begin in one second.
	local t = text(math.max(num(m[4]) + 1, math.floor(now_us() / 1000)))
	call('HSET', KEYS[1], 'term', t)
	if first_replica then call('HSET', KEYS[1], 'replicated', '1') end
	call('SET', KEYS[2], t .. ' ' .. owner .. ' ' .. url, 'PX', ttl)
	return answer('OK', '', t)
end
if not leads(lease, term, owner) then return answer('NOTLEADER', lease or '') end
if op == 'release' then
	call('DEL', KEYS[2])
	publish(KEYS[3], 'bye ' .. owner) -- who stands by need not wait for the end of a time to live
	return answer('OK', '', term)
end
if first_replica then call('HSET', KEYS[1], 'replicated', '1') end
call('PEXPIRE', KEYS[2], ttl)
return answer('OK', publish(KEYS[3], 'hb ' .. (m[1] or '0') .. ' ' .. (m[6] or '0') .. ' ' .. text(now_us())), term)
