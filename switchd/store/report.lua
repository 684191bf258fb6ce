-- An agent's word: how far it is, and what its proxies show.  Stamped with this clock, so that commit and
-- convergence are measured on one.  No lease: it decides nothing.
-- KEYS g ga | ARGV channel agent gen seq status digest version detail first, then service, JSON ('' = no more)... -> {code, detail, t_us}
local channel, agent, gen, seq, status, digest, version, detail, first = unpack(ARGV, 1, 9)
local FIRST_SERVICE, MAX_AGENTS, MAX_SERVICES, LONGEST, MESSAGE, AHEAD = 10, 20000, 16384, 4096, 49152, 300
detail = string.gsub(detail, '%c', ' ')
local t = now_us()
local known, n, m = call('HEXISTS', KEYS[1], agent), call('HLEN', KEYS[1]), call('HLEN', KEYS[2])
if not counter(gen) or not counter(seq) or #agent > 64 or #status > 16 or #digest > 32 or #version > 32 or #detail > 512 then
	return {'BADARG', '', '0'}
end
-- A poisoned generation must not become a floor.
if num(gen) > t / 1000000 + AHEAD then return {'BADARG', 'a generation of the future', '0'} end
if known == 0 and n >= MAX_AGENTS then return {'FULL', 'agents', '0'} end
if (first == '1' and 0 or m) + (#ARGV - FIRST_SERVICE + 1) / 2 > MAX_SERVICES then return {'FULL', 'services', '0'} end
for i = FIRST_SERVICE, #ARGV do if #ARGV[i] > LONGEST then return {'BADARG', 'too long', '0'} end end

local head = table.concat({gen, seq, text(t), status, digest, version, detail}, ' ')
call('HSET', KEYS[1], agent, head)
if first == '1' then call('DEL', KEYS[2]) end
local message, size = {'ak1 ' .. agent .. ' ' .. first .. ' ' .. head}, 0
for i = FIRST_SERVICE, #ARGV - 1, 2 do
	if ARGV[i + 1] == '' then
		call('HDEL', KEYS[2], ARGV[i])
	else
		call('HSET', KEYS[2], ARGV[i], text(t) .. ' ' .. ARGV[i + 1])
	end
	message[#message + 1] = ARGV[i] .. ' ' .. ARGV[i + 1]
	size = size + #message[#message]
end
call('EXPIRE', KEYS[2], 172800)
-- More than one message holds: whoever leads reads it.
if size > MESSAGE then message = {message[1], '*'} end
publish(channel, table.concat(message, '\n'))
return {'OK', '', text(t)}
