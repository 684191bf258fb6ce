-- Are the keys of these services as they were?  Begins with look.lua.
-- KEYS s a x of each service -> {'OK', {trouble, mark, ...}}
local out = {}
for i = 1, #KEYS, 3 do
	out[#out + 1], out[#out + 2] = look(KEYS[i], KEYS[i + 1], KEYS[i + 2])
end
return {'OK', out}
