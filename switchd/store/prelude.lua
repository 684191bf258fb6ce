-- Shared by all scripts.  Redis never rolls a script back, so each one keeps three rules:
--   1. every key is read before the first write (a wrong type errors there, nothing is written);
--   2. the first write is XADD with the explicit id gen-seq: it fails on a wrong type, on an id
--      that is not greater, without memory, without replicas; nothing is written then either;
--   3. what follows writes only to keys that were read, and cannot fail.
-- No shebang: Redis 5 and later and Valkey run it as it is.
local call = redis.call
local function num(x) return tonumber(x) or 0 end
local function text(x) return string.format('%.0f', x) end
-- A counter as we write it: what another hand left there ("1e9", "-1", "NaN") is not one.
local function counter(x) return type(x) == 'string' and #x <= 16 and string.match(x, '^%d+$') ~= nil end
local function now_us() local t = call('TIME'); return num(t[1]) * 1000000 + num(t[2]) end
local function replication()
	local info = call('INFO', 'replication')
	return string.match(info, 'master_replid:(%x+)') or '', string.match(info, 'connected_slaves:(%d+)') or '0'
end
local function leads(lease, term, owner) return lease and string.match(lease, '^(%d+ %S+)') == term .. ' ' .. owner end
