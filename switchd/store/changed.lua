-- Which services were committed upon after an entry of the stream: for who stands by.
-- KEYS meta ev | ARGV last ('' = only where the stream ends) max -> {code, '' or more, gen, last, {service...}}
local last, most = ARGV[1], num(ARGV[2])
local m = call('HMGET', KEYS[1], 'gen', 'seq')
local top = (m[1] or '0') .. '-' .. (m[2] or '0')
if last == '' then return {'OK', '', m[1] or '0', top, {}} end
local page, seen, names = call('XRANGE', KEYS[2], '(' .. last, '+', 'COUNT', most), {}, {}
if #page >= most then return {'OK', 'more', m[1] or '0', top, {}} end -- any of them may have been
for _, entry in ipairs(page) do
	local f = entry[2]
	for i = 1, #f, 2 do
		if f[i] == 's' and not seen[f[i + 1]] then
			seen[f[i + 1]] = true
			names[#names + 1] = f[i + 1]
		end
	end
	last = entry[1]
end
return {'OK', '', m[1] or '0', last, names}
