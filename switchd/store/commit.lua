-- The one script that changes a service's record.
-- KEYS meta lease s a x ev q
-- ARGV rid owner term mode service | gen epoch rev of the expected record ('' '' '' = none)
--      | epoch active shield phase hold blue green digest doc of the next one
--      | condemned release, digest, JSON ('' = none) | pardon ('' = none) | evmax | gen of the next one | event...
-- -> {code, detail, seq, t_us, {fields of the record as it stands}}
local rid, owner, term, mode, service = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local want = {ARGV[6], ARGV[7], ARGV[8]}
local epoch, active, shield, phase, hold, blue, green, digest, doc =
	ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16], ARGV[17]
local c_release, c_digest, c_json, pardon, evmax, next_gen = ARGV[18], ARGV[19], ARGV[20], ARGV[21], ARGV[22], ARGV[23]
local FIRST_EVENT, MAX_CONDEMNED = 24, 256

local done = call('GET', KEYS[7])
local m = call('HMGET', KEYS[1], 'gen', 'seq', 'lin', 'v')
local s = call('HMGET', KEYS[3], 'gen', 'epoch', 'rev', 'cid', 'active', 'shield', 'phase', 'hold', 'blue', 'green', 'doc')
local lease, _, n_condemned = call('GET', KEYS[2]), call('GET', KEYS[4]), call('HLEN', KEYS[5])
if #(s[11] or '') > 262144 then s[11] = 'too long' end -- sent back with a refusal: see load.lua
local function no(code, detail) return {code, detail or '', m[2] or '0', '0', s} end

if done then
	local for_service, gen, seq, t = string.match(done, '^(%S+) (%d+) %d+ %d+ (%d+) (%d+)$')
	if for_service ~= service then return no('BADARG', 'request id was used for ' .. (for_service or '?')) end
	return {'DUP', gen, seq, t, s}
end
local fresh = not s[1] and not s[11]
if not fresh and s[4] == rid and rid ~= '' then return {'DUP', '', '0', '0', s} end
local slots = {blue = blue, green = green, none = ''}
if slots[active] == nil or (shield ~= 'shield' and shield ~= 'plain') or not counter(epoch) or rid == '' or doc == '' then
	return no('BADARG', 'record')
end
if not m[1] then return no('NEWSTORE', '') end
if not counter(m[1]) or not counter(m[2]) then return no('BAD', 'meta') end
if not schema(m[4]) then return no('SCHEMA', m[4] or '') end
local lineage = replication()
if m[3] ~= lineage then return no('NEWSTORE', lineage) end
if not fresh then
	for i = 1, 3 do if not counter(s[i]) then return no('BAD', 'record') end end
	if slots[s[5]] == nil or (s[6] ~= 'shield' and s[6] ~= 'plain') or (s[8] ~= '0' and s[8] ~= '1') then return no('BAD', 'record') end
	if num(s[1]) < num(m[1]) then return no('RESTAMP', m[1]) end
	if num(s[1]) > num(m[1]) then return no('BAD', 'the record is of a later generation than the store') end
end
-- The document was made for one generation; in another it would contradict its own fields.
if next_gen ~= m[1] then return no('NEWSTORE', m[1]) end
if not leads(lease, term, owner) then return no('NOTLEADER', lease or '') end
if fresh then
	if want[1] ~= '' then return no('STALE', 'no record') end
elseif s[1] ~= want[1] or s[2] ~= want[2] or s[3] ~= want[3] then
	return no('STALE', '')
end
local was = fresh and 'none' or s[5]
local shows_other = active ~= was or shield ~= (fresh and 'plain' or s[6])
if fresh then
	if active ~= 'none' and num(epoch) < 1 then return no('BADARG', 'epoch') end
else
	-- By a person's word it grows without another value (a pin ended), and by one an event (decided while the store was away).
	local least = num(s[2]) + (shows_other and 1 or 0)
	local most = (mode == 'back' or mode == 'force') and num(s[2]) + #ARGV - FIRST_EVENT + 1 or least
	if num(epoch) < least or num(epoch) > most then return no('BADARG', 'epoch') end
end
local grows = fresh or num(epoch) > num(s[2])
if (mode == 'auto' or mode == 'forward') and not fresh and s[8] == '1' then return no('HELD', '') end

local release = slots[active]
if c_release ~= '' and (c_release == release or (c_digest ~= '' and c_digest == digest)) then
	return no('CONDEMNED', 'the release that stays or becomes active: ' .. c_release)
end
local evict = ''
if (active ~= was and mode ~= 'force') or (c_release ~= '' and n_condemned >= MAX_CONDEMNED) then
	local all, oldest = call('HGETALL', KEYS[5]), nil
	for i = 1, #all, 2 do
		local ok, c = pcall(cjson.decode, all[i + 1])
		if not ok or type(c) ~= 'table' then return no('BAD', 'condemned ' .. all[i]) end
		if active ~= was and mode ~= 'force' and all[i] ~= pardon and
		   (all[i] == release or (digest ~= '' and c.digest == digest)) then
			return no('CONDEMNED', all[i])
		end
		-- Full: the oldest that is in no slot gives way to the one that was just seen bad.
		if all[i] ~= blue and all[i] ~= green and (not oldest or tostring(c.since) < oldest) then
			oldest, evict = tostring(c.since), all[i]
		end
	end
	if n_condemned < MAX_CONDEMNED then evict = '' end
end

local t, seq, gen, rev = now_us(), num(m[2]), m[1], text(fresh and 1 or num(s[3]) + 1)
for i = FIRST_EVENT, #ARGV do
	seq = seq + 1
	call('XADD', KEYS[6], 'MAXLEN', '~', evmax, gen .. '-' .. text(seq), 's', service, 'e', ARGV[i])
end
call('HSET', KEYS[1], 'seq', text(seq))
call('HSET', KEYS[3], 'gen', gen, 'epoch', epoch, 'rev', rev, 'cid', rid, 'active', active, 'shield', shield,
     'phase', phase, 'hold', hold, 'blue', blue, 'green', green, 'doc', doc)
if evict ~= '' and c_release ~= '' then call('HDEL', KEYS[5], evict) end
if c_release ~= '' then call('HSET', KEYS[5], c_release, c_json) end
if pardon ~= '' then call('HDEL', KEYS[5], pardon) end
if (shows_other or grows) and active ~= 'none' then
	show({meta = KEYS[1], a = KEYS[4], ev = KEYS[6]}, m[4], {service = service, gen = gen, epoch = epoch, slot = active, shield = shield, release = release,
	     cid = rid, seq = text(seq), us = text(t), mode = mode, condemned = c_release})
end
call('SET', KEYS[7], table.concat({service, gen, epoch, rev, text(seq), text(t)}, ' '), 'EX', 3600)
return {'OK', evict, text(seq), text(t), false}
