-- A person's word: the last good record over what cannot be taken, at a version above all that was seen.  Begins with look.lua.
-- KEYS meta lease s a x ev q
-- ARGV look|write owner term service
--   look  -> {'OK', what stands, highest gen, epoch, rev that can be read there, {condemned release, JSON, ...}}
--   write: meta_gen | what stood when it was looked at | epoch rev cid active shield phase hold blue green doc
--          | evmax event | 1 = the condemned releases are written anew | condemned release, JSON...
--         -> {code, detail, seq, t_us}
local op, owner, term, service = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local FIRST_CONDEMNED, MOST = 20, 4503599627370496
local m = call('HMGET', KEYS[1], 'gen', 'seq', 'lin', 'v')
local lease = call('GET', KEYS[2])
local trouble, mark = look(KEYS[3], KEYS[4], KEYS[5])
local stands = trouble .. mark
local function no(code, detail) return {code, detail or '', m[2] or '0', '0'} end
if not leads(lease, term, owner) then return no('NOTLEADER', lease or '') end

if op == 'look' then
	local top = {0, 0, 0}
	local function higher(list)
		for i = 1, 3 do
			if counter(list[i]) and num(list[i]) < MOST and num(list[i]) > top[i] then top[i] = num(list[i]) end
		end
	end
	local s, a = redis.pcall('HMGET', KEYS[3], 'gen', 'epoch', 'rev'), redis.pcall('GETRANGE', KEYS[4], 0, 256)
	local n, x, size = redis.pcall('HLEN', KEYS[5]), {}, 0
	if not poisoned(s) then higher(s) end
	local long = redis.pcall('HSTRLEN', KEYS[3], 'doc')
	local doc = type(long) == 'number' and long <= 262144 and redis.pcall('HGET', KEYS[3], 'doc')
	if type(doc) == 'string' then higher({'', '', string.match(doc, '"rev":(%d+)')}) end
	if type(a) == 'string' then higher({string.match(a, '^sw%d+ (%d+) (%d+) ')}) end
	if type(n) == 'number' and n <= 256 then x = call('HGETALL', KEYS[5]) end
	for i = 1, #x do size = size + #x[i] end
	if size > 524288 then x = {} end
	return {'OK', stands, text(top[1]), text(top[2]), text(top[3]), x}
end

local gen, expected, epoch, rev, cid, active, shield = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local phase, hold, blue, green, doc = ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16]
local evmax, event, anew = ARGV[17], ARGV[18], ARGV[19] == '1'
if m[1] ~= gen or not counter(m[2]) or m[3] ~= (replication()) then return no('NEWSTORE', m[1] or '') end
if not schema(m[4]) then return no('SCHEMA', m[4]) end
if stands ~= expected then return no('STALE', 'it changed since it was looked at') end
if call('GETRANGE', KEYS[7], 0, 0) ~= '' then return no('BADARG', 'the request id was used before') end
local t, seq = now_us(), text(num(m[2]) + 1)
call('XADD', KEYS[6], 'MAXLEN', '~', evmax, gen .. '-' .. seq, 's', service, 'e', event)
call('HSET', KEYS[1], 'seq', seq)
call('DEL', KEYS[3], KEYS[4])
call('HSET', KEYS[3], 'gen', gen, 'epoch', epoch, 'rev', rev, 'cid', cid, 'active', active, 'shield', shield,
     'phase', phase, 'hold', hold, 'blue', blue, 'green', green, 'doc', doc)
if anew then call('DEL', KEYS[5]) end
for i = FIRST_CONDEMNED, #ARGV - 1, 2 do
	if call('HEXISTS', KEYS[5], ARGV[i]) == 0 then call('HSET', KEYS[5], ARGV[i], ARGV[i + 1]) end
end
if active ~= 'none' then
	show({meta = KEYS[1], a = KEYS[4], ev = KEYS[6]}, m[4], {service = service, gen = gen, epoch = epoch, slot = active, shield = shield,
	     release = active == 'blue' and blue or green, cid = cid, seq = seq, us = text(t), mode = 'stamp'})
end
call('SET', KEYS[7], table.concat({service, gen, epoch, rev, seq, text(t)}, ' '), 'EX', 3600)
return {'OK', '', seq, text(t)}
