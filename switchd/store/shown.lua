-- The public records of some services, with the shield where schema 1 does not tell it, and where the pushes are.
-- KEYS meta, then a s of each service -> {code, '', gen, top, {line or '' ...}}
local LONGEST = 512
local m, lines = call('HMGET', KEYS[1], 'gen', 'top'), {}
for i = 2, #KEYS, 2 do
	local line = call('GET', KEYS[i]) or ''
	if #line > LONGEST then line = 'too long' end
	local head, tail = string.match(line, '^sw1 (%d+ %d+ %a+) (%S+ %S+ %d+ %d+) ')
	if head then
		local s = call('HMGET', KEYS[i + 1], 'gen', 'epoch', 'shield')
		-- Of another version than the line: it is being written, or was written by another hand.
		local same = string.match(head, '^%d+ %d+') == (s[1] or '') .. ' ' .. (s[2] or '')
		local condemned = string.match(line, '(%S+) %S+$')
		line = same and 'sw2 ' .. head .. ' ' .. (s[3] or '') .. ' ' .. tail .. ' stamp ' .. condemned .. ' -' or 'torn'
	end
	lines[#lines + 1] = line
end
return {'OK', '', m[1] or '0', m[2] or '0', lines}
