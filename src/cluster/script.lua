-- The only thing that changes the stream: compares, and appends. Runs in Redis and Valkey from 6.2 on.
--
-- KEYS: the stream, `meta`, `runs`. ARGV: the operation, the log's id, and what the operation needs, all as texts; a `seq` may have more
-- digits than a number of Lua holds. Returns texts: first what was the case, then what belongs to it. Writes nothing unless it is certain
-- that all of it will be written: a server without room refuses the first write, and the script ends there.
--
-- meta: log seq base baseh num run redis open minted salt; see README.md.
-- runs: "MARK AFTER" of each run, oldest first; it may append behind the `seq` AFTER.

local stream, meta, runs = KEYS[1], KEYS[2], KEYS[3]
local operation, log = ARGV[1], ARGV[2]
local RUNS_MAX = 1024

local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whether the number in text a is above that in text b.
local function above(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end

local function run_of(chain)
  return tonumber(string.match(chain, '^(%d+)%.'))
end

local function read_meta()
  local fields, read = redis.call('HGETALL', meta), {}
  for i = 1, #fields, 2 do read[fields[i]] = fields[i + 1] end
  return read
end

local function entry_chain(entry)
  local fields = entry[2]
  for i = 1, #fields, 2 do
    if fields[i] == 'h' then return fields[i + 1] end
  end
  return ''
end

local function last_chain(m)
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  return last and entry_chain(last) or m.baseh
end

-- Begins a stream behind the line (base, baseh), under a new run.
local function begin(num, mark, base, baseh, identity, open, salt)
  redis.call('HSET', meta, 'log', log, 'seq', base, 'base', base, 'baseh', baseh, 'num', num, 'run', mark, 'redis', identity,
    'open', milliseconds() + open, 'minted', '0', 'salt', salt)
  redis.call('DEL', stream, runs)
  -- An empty stream is a key, too, so that a missing one is noticed.
  redis.call('XADD', stream, '0-1', 'l', '')
  redis.call('XDEL', stream, '0-1')
  redis.call('RPUSH', runs, mark .. ' ' .. base)
end

local exist = redis.call('EXISTS', stream, meta, runs)
if exist ~= 0 and exist ~= 3 then return {'broken', exist .. ' of 3 keys are there'} end
local m = exist == 3 and read_meta() or nil
if m and not (m.log and m.seq and m.base and m.baseh and m.num and m.run and m.redis and m.open and m.minted and m.salt) then
  return {'broken', 'meta lacks a field'}
end

if operation == 'attach' then
  local identity, mark, own_seq, own_run, base, baseh, highest, open, salt = unpack(ARGV, 3)
  local function begin_own()
    begin(math.max(tonumber(own_run), tonumber(highest)) + 1, mark, base, baseh, identity, open, salt)
    m = read_meta()
  end
  if not m then
    begin_own()
  elseif m.log ~= log then
    if own_seq == '0' then return {'adopt', m.log} end
    if m.seq ~= '0' then return {'other log', m.log} end
    begin_own()
  elseif m.redis ~= identity then
    local num = math.max(tonumber(m.num), tonumber(own_run), tonumber(highest)) + 1
    redis.call('HSET', meta, 'num', num, 'run', mark, 'redis', identity, 'open', milliseconds() + open, 'minted', '0')
    redis.call('RPUSH', runs, mark .. ' ' .. m.seq)
    redis.call('LTRIM', runs, -RUNS_MAX, -1)
    m = read_meta()
  end
  local last = last_chain(m)
  local rank, own_rank = run_of(last), tonumber(own_run)
  if m.minted == '0' and (own_rank > rank or (own_rank == rank and above(own_seq, m.seq))) then
    redis.call('HSET', meta, 'open', milliseconds() + open)
  end
  local low = above(own_seq, m.seq) and m.seq or own_seq
  local entry = redis.call('XRANGE', stream, low .. '-0', low .. '-0')[1]
  return {'attached', m.seq, m.run, low, entry and entry_chain(entry) or '', m.base, m.baseh, m.minted, m.num, last,
    tostring(milliseconds()), m.salt, redis.call('LRANGE', runs, 0, -1)}
end

if operation == 'take' then
  local run, mark, base, baseh, seq, own_run, highest, open, identity = unpack(ARGV, 3)
  if not m or m.log ~= log or m.run ~= run or m.minted ~= '0' or m.seq ~= seq then return {'again'} end
  local num = math.max(tonumber(m.num), tonumber(own_run), tonumber(highest)) + 1
  begin(num, mark, base, baseh, identity, open, m.salt)
  return {'again'}
end

if operation == 'append' then
  local run, seq, chain, heal, keep, open = unpack(ARGV, 3, 8)
  local first = 9
  if not m or m.log ~= log or m.run ~= run then return {'attach'} end
  if m.seq ~= seq then return {'behind', m.seq} end
  if last_chain(m) ~= chain then return {'attach'} end
  heal = heal == '1'
  if heal and m.minted ~= '0' then return {'attach'} end
  if not heal then
    local left = tonumber(m.open) - milliseconds()
    if left > tonumber(open) then
      -- The clock was set back meanwhile.
      redis.call('HSET', meta, 'open', milliseconds() + open)
      left = tonumber(open)
    end
    if left > 0 then return {'wait', tostring(left)} end
    for i = first, #ARGV, 3 do
      if run_of(ARGV[i + 1]) ~= tonumber(m.num) then return {'attach'} end
    end
  end
  local num = tonumber(m.num)
  for i = first, #ARGV, 3 do
    redis.call('XADD', stream, 'MAXLEN', '~', keep, ARGV[i] .. '-0', 'l', ARGV[i + 2], 'h', ARGV[i + 1], 'r', run)
    m.seq = ARGV[i]
    num = math.max(num, run_of(ARGV[i + 1]) + 1)
  end
  if heal then
    redis.call('HSET', meta, 'seq', m.seq, 'num', num, 'open', milliseconds() + open)
  else
    redis.call('HSET', meta, 'seq', m.seq, 'minted', '1')
  end
  return {'ok', m.seq}
end

return redis.error_reply('unknown operation')
