-- Loads a program, makes the calls asked for on stdin, one JSON object a line, and answers on descriptor 3.
-- It is trusted with nothing: an answer is whatever the candidate says it is, and no expected value is here.
-- Lua has no descriptors, so it is started with the answers as its stdout; what the program prints goes to stderr.
local answers = io.stdout
io.stdout = io.stderr
io.output(io.stderr)
local to_stderr, select_ = io.stderr, select
function print(...)
  local parts = {}
  for i = 1, select_("#", ...) do parts[i] = tostring((select_(i, ...))) end
  to_stderr:write(table.concat(parts, "\t"), "\n")
end
local char, format, concat, insert = string.char, string.format, table.concat, table.insert
local next, type, tostring, mtype, exit = next, type, tostring, math.type, os.exit
local unpack, pcall = table.unpack, pcall

-- JSON to values.

local function parse(text)
  local at = 1
  local value
  local escapes = { n = "\n", t = "\t", r = "\r", b = "\b", f = "\f" }
  local function blank() at = text:find("[^ \t\r\n]", at) or #text + 1 end
  local function quoted()
    local parts = {}
    at = at + 1
    while true do
      local stop = text:find('["\\]', at)
      insert(parts, text:sub(at, stop - 1))
      if text:sub(stop, stop) == '"' then
        at = stop + 1
        return concat(parts)
      end
      local sign = text:sub(stop + 1, stop + 1)
      at = stop + 2
      if sign == "u" then
        local code = tonumber(text:sub(at, at + 3), 16)
        at = at + 4
        if code >= 0xD800 and code < 0xDC00 and text:sub(at, at + 1) == "\\u" then
          code = 0x10000 + (code - 0xD800) * 1024 + tonumber(text:sub(at + 2, at + 5), 16) - 0xDC00
          at = at + 6
        end
        insert(parts, utf8.char(code))
      else
        insert(parts, escapes[sign] or sign)
      end
    end
  end
  local function many(close, each)
    local out = {}
    at = at + 1
    blank()
    while text:sub(at, at) ~= close do
      each(out)
      blank()
      if text:sub(at, at) == "," then at = at + 1 end
      blank()
    end
    at = at + 1
    return out
  end
  function value()
    blank()
    local sign = text:sub(at, at)
    if sign == '"' then return quoted() end
    if sign == "[" then
      local n = 0
      local list = many("]", function(out) n = n + 1; out[n] = value() end)
      return list, n
    end
    if sign == "{" then
      local out = many("}", function(out)
        local key = quoted()
        blank()
        at = at + 1
        out[key] = value()
      end)
      if out["$float"] then return ({ nan = 0 / 0, inf = 1 / 0, ["-inf"] = -1 / 0 })[out["$float"]] end
      return out
    end
    local word = text:match("^[%w%.%+%-]+", at)
    at = at + #word
    if word == "true" then return true end
    if word == "false" then return false end
    if word == "null" then return nil end
    return tonumber(word)
  end
  return value()
end

-- Values to JSON.

local function quoted(text)
  return '"' .. text:gsub('[%c"\\\127-\255]', function(sign)
    return format("\\u%04x", sign:byte())
  end) .. '"'
end

local function written(text)
  -- UTF-8 as its characters; bytes that are none, as a tag
  local fine = utf8.len(text)
  if not fine then
    local hex = text:gsub(".", function(sign) return format("%02x", sign:byte()) end)
    return '{"$bytes": "' .. hex .. '"}'
  end
  local parts = {}
  for _, code in utf8.codes(text) do
    if code >= 0x10000 then
      code = code - 0x10000
      insert(parts, format("\\u%04x\\u%04x", 0xD800 + (code >> 10), 0xDC00 + (code & 1023)))
    elseif code < 32 or code > 126 or code == 34 or code == 92 then
      insert(parts, format("\\u%04x", code))
    else
      insert(parts, char(code))
    end
  end
  return '"' .. concat(parts) .. '"'
end

local function encode(value, depth)
  depth = depth or 0
  if depth > 180 then error("nested too deeply, or it holds itself", 0) end
  local kind = type(value)
  if kind == "nil" then return "null" end
  if kind == "boolean" then return tostring(value) end
  if kind == "string" then return written(value) end
  if kind == "number" then
    if mtype(value) == "integer" then return format("%d", value) end
    if value ~= value then return '{"$float": "nan"}' end
    if value == 1 / 0 then return '{"$float": "inf"}' end
    if value == -1 / 0 then return '{"$float": "-inf"}' end
    local text = format("%.17g", value)
    return text:find("[%.e]") and text or text .. ".0"
  end
  if kind ~= "table" then error(kind .. " is no data", 0) end
  if next(value) == nil then return '{"$empty": 0}' end
  local n, listed = 0, true
  for key in next, value do
    n = n + 1
    if mtype(key) ~= "integer" or key < 1 then listed = false end
  end
  local parts = {}
  if listed and rawlen(value) == n then
    for i = 1, n do parts[i] = encode(rawget(value, i), depth + 1) end
    return "[" .. concat(parts, ", ") .. "]"
  end
  for key, inner in next, value do
    insert(parts, "[" .. encode(key, depth + 1) .. ", " .. encode(inner, depth + 1) .. "]")
  end
  return '{"$dict": [' .. concat(parts, ", ") .. "]}"
end

local function say(text)
  answers:write(text, "\n")
  answers:flush()
end

local function described(problem)
  return quoted((type(problem) == "string" and problem or type(problem)):sub(1, 500))
end

local function memory(problem) return tostring(problem == "not enough memory") end

local asked = {}
for line in io.lines() do insert(asked, parse(line)) end

local chunk, problem = loadfile("/box/main.lua", "t")
local fine, module = chunk ~= nil, problem
if chunk then fine, module = pcall(chunk) end
if not fine then
  say('{"load": ' .. described(module) .. ', "memory": ' .. memory(module) .. "}")
  exit(1)
end
say('{"loaded": true}')
for _, each in next, asked do
  local index = format('{"i": %d, ', each.i)
  local fine, value = pcall(function()
    local found = type(module) == "table" and module or _G
    local self
    for name in each.call:gmatch("[^.]+") do
      found = found[name] == nil and _G[name] or found[name]
      if found == nil then error("the program defines no " .. name, 0) end
    end
    if next(each.kwargs) then return found(unpack(each.args, 1, each.n), each.kwargs) end
    return found(unpack(each.args, 1, each.n))
  end)
  if not fine then
    say(index .. '"raised": ' .. described(value) .. ', "memory": ' .. memory(value) .. "}")
  else
    local good, text = pcall(encode, value)
    if good then say(index .. '"ok": ' .. text .. "}") else say(index .. '"strange": ' .. described(text) .. "}") end
  end
end
exit(0)
