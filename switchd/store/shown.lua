-- The public records of some services, with the shield where schema 1 does not tell it, and where the pushes are.
-- KEYS g | ARGV meta, then a s of each service -> {code, '', gen, top, {line or '' ...}}
-- What is only read is no KEY: Redis takes every KEY of a script for one that is written, and an agent may write
-- none of these.  The one KEY says to a cluster where all of them are.
local LONGEST = 512
local m, lines = call('HMGET', ARGV[1], 'gen', 'top'), {}
for i = 2, #ARGV, 2 do
	local line = redis.pcall('GET', ARGV[i]) or '' -- what another hand made of one key keeps nobody from the others
	if type(line) == 'table' then line = 'of another type' end
	if #line > LONGEST then line = 'too long' end
	local head, tail = string.match(line, '^sw1 (%d+ %d+ %a+) (%S+ %S+ %d+ %d+) ')
	if head then
		local s = redis.pcall('HMGET', ARGV[i + 1], 'gen', 'epoch', 'shield')
		-- Of another version than the line: it is being written, or was written by another hand.
		local same = string.match(head, '^%d+ %d+') == (s[1] or '') .. ' ' .. (s[2] or '')
		local condemned = string.match(line, '(%S+) %S+$')
		line = same and 'sw2 ' .. head .. ' ' .. (s[3] or '') .. ' ' .. tail .. ' stamp ' .. condemned .. ' -' or 'torn'
	end
	lines[#lines + 1] = line
end
return {'OK', '', m[1] or '0', m[2] or '0', lines}
