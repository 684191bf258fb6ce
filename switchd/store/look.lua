-- What stands of one service, as far as it can be judged here: trouble ('' = none), and a mark of all of it; with trouble '', or
-- 'public-gone' where a new public record is all that it needs.
-- What is giant is not read, and what is of another type does not end the look.
local function poisoned(r) return type(r) == 'table' and r.err ~= nil end
local function look(key_s, key_a, key_x)
	local trouble, parts, gone = '', {}, false
	local s = redis.pcall('HMGET', key_s, 'gen', 'epoch', 'rev', 'cid', 'active', 'shield', 'phase', 'hold', 'blue', 'green')
	local long, a, n = redis.pcall('HSTRLEN', key_s, 'doc'), redis.pcall('GETRANGE', key_a, 0, 1024), redis.pcall('HLEN', key_x)
	local doc = (type(long) ~= 'number' or long <= 262144) and redis.pcall('HGET', key_s, 'doc') -- a user may not have HSTRLEN
	local x, size = {}, 0
	if poisoned(s) then
		trouble = 'the record is a key of another type'
	elseif poisoned(a) then
		trouble = 'the public record (a:) is a key of another type'
	elseif poisoned(n) then
		trouble = 'the list of condemned releases (x:) is a key of another type'
	elseif (type(long) == 'number' and long > 262144) or #(doc or '') > 262144 then
		trouble = 'the record is too long'
	elseif #a > 1024 then
		trouble = 'the public record (a:) is too long'
	elseif n > 256 then
		trouble = 'too many condemned releases (x:)'
	else
		x = call('HGETALL', key_x)
		for k = 1, #x do size = size + #x[k] end
		for k = 1, 10 do size = size + #(s[k] or '') end
		if size > 524288 then trouble = 'its fields are too long' end
	end
	if trouble == '' then
		for k = 1, 10 do parts[k] = s[k] or '' end
		parts[11] = doc or ''
		parts[12] = a
		parts[13] = table.concat(x, '\0')
		-- Each commit that writes a new version writes both.
		local gen, epoch, slot = string.match(a, '^sw%d+ (%S+) (%S+) (%S+) ')
		if s[5] and s[5] ~= 'none' and (gen ~= s[1] or epoch ~= s[2] or slot ~= s[5]) then
			gone = a == ''
			trouble = gone and 'the public record (a:) is gone' or 'the public record (a:) does not say what the record says'
		end
	end
	return trouble, trouble == '' and redis.sha1hex(table.concat(parts, '\1')) or gone and 'public-gone' or ''
end
