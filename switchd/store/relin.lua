-- The same history under a new lineage (a server restarted, alone, and lost nothing): adopt it.
-- KEYS meta lease | ARGV owner term gen seq lineage -> {code, detail, gen, seq}
local owner, term, gen, seq, lineage_seen = unpack(ARGV)
local m = call('HMGET', KEYS[1], 'gen', 'seq')
local lease = call('GET', KEYS[2])
local lineage = replication()
local function answer(code, detail) return {code, detail, m[1] or '0', m[2] or '0'} end
if not leads(lease, term, owner) then return answer('NOTLEADER', lease or '') end
if m[1] ~= gen or m[2] ~= seq or lineage ~= lineage_seen then return answer('STALE', lineage) end
call('HSET', KEYS[1], 'lin', lineage)
return answer('OK', '')
