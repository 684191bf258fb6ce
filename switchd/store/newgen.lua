-- A new generation: this store's history may lack what was committed before.
-- KEYS meta lease ev | ARGV owner term seen_gen seen_lineage floor_gen event evmax -> {code, detail, gen, seq}
local owner, term, seen, lineage_seen, floor, event, evmax = unpack(ARGV)
local m = call('HMGET', KEYS[1], 'gen', 'seq', 'lin', 'v')
local lease = call('GET', KEYS[2])
local lineage = replication()
local function no(code, detail) return {code, detail, m[1] or '0', m[2] or '0'} end
if not leads(lease, term, owner) then return no('NOTLEADER', lease or '') end
if (m[1] or '') ~= seen or lineage ~= lineage_seen then return no('STALE', lineage) end
-- The clock is a floor too: two forks, an old backup, an emptied store all end below it.
local gen = math.max(num(m[1]), num(floor)) + 1
gen = math.max(gen, math.floor(now_us() / 1000000))
if m[1] and not schema(m[4]) then return no('SCHEMA', m[4] or '') end
if gen >= 9007199254740992 then return no('BAD', 'generation') end
gen = text(gen)
call('XADD', KEYS[3], 'MAXLEN', '~', evmax, gen .. '-1', 's', '', 'e', event)
-- A store without a generation is new, whatever else may lie in it.
local v = m[1] and m[4] or text(SCHEMA)
call('HSET', KEYS[1], 'v', v, 'top', '0', 'gen', gen, 'seq', '1', 'lin', lineage)
return {'OK', '', gen, '1'}
