-- Shared by all scripts.  Redis never rolls a script back, so each one keeps three rules:
--   1. every key is read before the first write (a wrong type errors there, nothing is written);
--   2. the first write is XADD with the explicit id gen-seq: it fails on a wrong type, on an id
--      that is not greater, without memory, without replicas; nothing is written then either;
--   3. what follows writes only to keys that were read, and cannot fail.
-- No shebang: Redis 5 and later and Valkey run it as it is (without memory see scripts.h).
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
-- What this version writes.  A store of schema 1 is written as one, so that the version before this one can be
-- started again, until somebody says `switchctl state upgrade`; of a later one nothing is known, and nothing written.
local SCHEMA = 2
local function schema(v) return (not v or v == '1') and 1 or v == '2' and 2 or nil end
-- What is published is a hint, and what was written before it stands: a user without the right to publish must not leave
-- a script half done.  Why it was not published, '' = it was.
local function publish(channel, message)
	local r = redis.pcall('PUBLISH', channel, message)
	return type(r) == 'table' and r.err or ''
end
-- The public record (core/shown.h), and its push.  meta's `top` is what heartbeats compare with.
local function show(keys, v, w)
	local release, condemned = w.release == '' and '-' or w.release, (w.condemned or '') == '' and '-' or w.condemned
	local line
	if schema(v) == 1 then
		line = {'sw1', w.gen, w.epoch, w.slot, release, w.cid, w.seq, w.us, condemned, '-'}
	else
		line = {'sw2', w.gen, w.epoch, w.slot, w.shield, release, w.cid, w.seq, w.us, w.mode, condemned, '-'}
	end
	line = table.concat(line, ' ')
	call('HSET', keys.meta, 'top', w.seq)
	call('SET', keys.a, line)
	publish(keys.ev, 'push ' .. w.service .. ' ' .. line)
end
local function leads(lease, term, owner) return lease and string.match(lease, '^(%d+ %S+)') == term .. ' ' .. owner end
