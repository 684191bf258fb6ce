-- From schema 1 to 2: what stands is written in the newer form, at the same version.  Done twice it is done once.
-- KEYS meta lease ev s a
-- ARGV schema|service owner term write|look service | gen (write)
--      schema:  evmax event -> {code, detail, schema before}
--      service: -> {code, detail, '1' = rewritten, or would be}
local op, owner, term, write, service, gen = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == 'write', ARGV[5], ARGV[6]
local m = call('HMGET', KEYS[1], 'gen', 'seq', 'lin', 'v')
local lease = call('GET', KEYS[2])
local function no(code, detail) return {code, detail or '', '0'} end
if not leads(lease, term, owner) then return no('NOTLEADER', lease or '') end
if m[1] ~= gen or not counter(m[2]) or m[3] ~= (replication()) then return no('NEWSTORE', m[1] or '') end
local v = schema(m[4])
if not v then return no('SCHEMA', m[4]) end

if op == 'schema' then
	if v < SCHEMA and write then
		local seq = text(num(m[2]) + 1)
		call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], gen .. '-' .. seq, 's', '', 'e', ARGV[8])
		call('HSET', KEYS[1], 'v', text(SCHEMA), 'seq', seq)
		return {'OK', seq, text(v)}
	end
	return {'OK', '', text(v)}
end

local a, shield = call('GETRANGE', KEYS[5], 0, 1024), call('HGET', KEYS[4], 'shield')
local epoch, slot, release, cid, seq, us, condemned = string.match(a, '^sw1 ' .. gen .. ' (%d+) (%l+) (%S+) (%S+) (%d+) (%d+) (%S+) %S+$')
-- What is no record of schema 1 is not touched: it is one of 2 already, there is none, or it is refused elsewhere.
if not epoch or (shield ~= 'shield' and shield ~= 'plain') then return {'OK', '', '0'} end
if write then
	call('SET', KEYS[5], table.concat({'sw2', gen, epoch, slot, shield, release, cid, seq, us, 'stamp', condemned, '-'}, ' '))
end
return {'OK', '', '1'}
