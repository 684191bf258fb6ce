-- KEYS meta lease ev | ARGV op owner term ttl_ms
-- -> {code, detail, term, gen, seq, lin, lineage, replicas}
-- The same owner acquiring again gets a new term, so that a twin of it with the old one is fenced.
local op, owner, term, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local lease = call('GET', KEYS[2])
local m = call('HMGET', KEYS[1], 'gen', 'seq', 'lin', 'term')
local lineage, replicas = replication()
local function answer(code, detail, t)
	return {code, detail, t or '0', m[1] or '', m[2] or '', m[3] or '', lineage, replicas}
end
for i = 1, 4 do
	if i ~= 3 and m[i] and not counter(m[i]) then return answer('BAD', 'meta') end
end
if op == 'acquire' then
	if lease and string.match(lease, '^%d+ (%S+)') ~= owner then
		return answer('HELDBY', lease .. ' ' .. text(math.max(0, call('PTTL', KEYS[2]))))
	end
	-- The clock is a floor, so that the term grows even when the store was emptied.
	local t = text(math.max(num(m[4]) + 1, math.floor(now_us() / 1000000)))
	call('HSET', KEYS[1], 'term', t)
	call('SET', KEYS[2], t .. ' ' .. owner, 'PX', ttl)
	return answer('OK', '', t)
end
if not leads(lease, term, owner) then return answer('NOTLEADER', lease or '') end
if op == 'release' then
	call('DEL', KEYS[2])
	return answer('OK', '', term)
end
call('PEXPIRE', KEYS[2], ttl)
call('PUBLISH', KEYS[3], 'hb ' .. (m[1] or '0') .. ' ' .. (m[2] or '0') .. ' ' .. text(now_us()))
return answer('OK', '', term)
