-- One service as it stands, in one picture.  Sizes are judged here: what is too long never crosses the wire.
-- KEYS s x | ARGV longest doc, longest list -> {code, detail, {fields}, {release, JSON, ...}}
local s = call('HMGET', KEYS[1], 'gen', 'epoch', 'rev', 'cid', 'active', 'shield', 'phase', 'hold', 'blue', 'green', 'doc')
if call('HLEN', KEYS[2]) > 256 then return {'BAD', 'too many condemned releases'} end
local x, size, fields = call('HGETALL', KEYS[2]), 0, 0
for i = 1, #x do size = size + #x[i] end
for i = 1, 10 do fields = fields + #(s[i] or '') end
if #(s[11] or '') > num(ARGV[1]) or fields > 4096 then return {'BAD', 'the record is too long'} end
if size > num(ARGV[2]) then return {'BAD', 'the condemned releases are too long'} end
return {'OK', '', s, x}
