-- Are the keys of these services as they were?  Only while it is our history, our lease and a primary: else nothing is to be
-- learned of another hand from what stands here.  Begins with look.lua.
-- KEYS meta lease, then s a x of each service | ARGV owner ('' = who follows looks) term -> {'OK', {trouble, mark, ...}} or {code, detail}
local owner, term = ARGV[1], ARGV[2]
local out = {}
if owner ~= '' then
	local m = call('HMGET', KEYS[1], 'gen', 'lin')
	local lease = call('GET', KEYS[2])
	if string.match(call('INFO', 'replication'), 'role:(%w+)') ~= 'master' then return {'REPLICA', ''} end
	if not m[1] or m[2] ~= (replication()) then return {'NEWSTORE', m[1] or ''} end
	if not leads(lease, term, owner) then return {'NOTLEADER', lease or ''} end
end
for i = 3, #KEYS, 3 do
	out[#out + 1], out[#out + 2] = look(KEYS[i], KEYS[i + 1], KEYS[i + 2])
end
return {'OK', out}
