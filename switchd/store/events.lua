-- A page of one service's events, or ('') of all; the stream holds those of all.
-- KEYS ev | ARGV service edge (exclusive, '' = from the end) direction (back|forth) scan max
-- -> {'OK', last id looked at ('' = nothing is left), {id, event, ...}}
local service, edge, back, scan, most = ARGV[1], ARGV[2], ARGV[3] == 'back', num(ARGV[4]), num(ARGV[5])
local LONGEST, PAGE = 65536, 524288
local from = edge ~= '' and '(' .. edge or (back and '+' or '-')
local page = call(back and 'XREVRANGE' or 'XRANGE', KEYS[1], from, back and '-' or '+', 'COUNT', scan)
local found, size, last = {}, 0, ''
for _, entry in ipairs(page) do
	local f, s, e = entry[2], nil, nil
	for i = 1, #f, 2 do
		if f[i] == 's' then s = f[i + 1] elseif f[i] == 'e' then e = f[i + 1] end
	end
	if (s == service or service == '') and e and #e <= LONGEST then
		if #found / 2 >= most or size + #e > PAGE then return {'OK', last, found} end
		found[#found + 1] = entry[1]
		found[#found + 1] = e
		size = size + #e
	end
	last = entry[1]
end
return {'OK', #page < scan and '' or last, found}
