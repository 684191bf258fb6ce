-- One service into the store's generation: its own record, or what journal and data plane know better.
-- KEYS meta lease s a x ev
-- ARGV owner term service meta_gen | gen epoch rev of the record found ('' '' '' = none)
--      | epoch rev cid active shield phase hold blue green doc of the record to be
--      | evmax | event | condemned release, JSON...
-- -> {code, detail, seq, t_us}
local owner, term, service, gen = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local want = {ARGV[5], ARGV[6], ARGV[7]}
local epoch, rev, cid, active, shield, phase, hold, blue, green, doc =
	ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16], ARGV[17]
local evmax, event = ARGV[18], ARGV[19]
local FIRST_CONDEMNED, MAX_CONDEMNED = 20, 256

local m = call('HMGET', KEYS[1], 'gen', 'seq', 'lin', 'v')
local s = call('HMGET', KEYS[3], 'gen', 'epoch', 'rev', 'doc')
local lease, _, n_condemned = call('GET', KEYS[2]), call('GET', KEYS[4]), call('HLEN', KEYS[5])
local function no(code, detail) return {code, detail or '', m[2] or '0', '0'} end

if not leads(lease, term, owner) then return no('NOTLEADER', lease or '') end
if m[1] ~= gen or not counter(m[2]) or m[3] ~= (replication()) then return no('NEWSTORE', m[1] or '') end
if not schema(m[4]) then return no('SCHEMA', m[4] or '') end
local fresh = not s[1] and not s[4]
if fresh then
	if want[1] ~= '' then return no('STALE', '') end
else
	if s[1] ~= want[1] or s[2] ~= want[2] or s[3] ~= want[3] then return no('STALE', '') end
	-- Within one generation a version is never written twice.
	if num(s[1]) > num(gen) or (s[1] == gen and num(epoch) <= num(s[2])) then return no('STALE', 'generation') end
end
local t, seq = now_us(), text(num(m[2]) + 1)
call('XADD', KEYS[6], 'MAXLEN', '~', evmax, gen .. '-' .. seq, 's', service, 'e', event)
call('HSET', KEYS[1], 'seq', seq)
call('HSET', KEYS[3], 'gen', gen, 'epoch', epoch, 'rev', rev, 'cid', cid, 'active', active, 'shield', shield,
     'phase', phase, 'hold', hold, 'blue', blue, 'green', green, 'doc', doc)
for i = FIRST_CONDEMNED, #ARGV - 1, 2 do
	if n_condemned < MAX_CONDEMNED and call('HEXISTS', KEYS[5], ARGV[i]) == 0 then
		call('HSET', KEYS[5], ARGV[i], ARGV[i + 1])
		n_condemned = n_condemned + 1
	end
end
if active ~= 'none' then
	show({meta = KEYS[1], a = KEYS[4], ev = KEYS[6]}, m[4], {service = service, gen = gen, epoch = epoch, slot = active, shield = shield,
	     release = active == 'blue' and blue or green, cid = cid, seq = seq, us = text(t), mode = 'stamp'})
end
return {'OK', '', seq, text(t)}
