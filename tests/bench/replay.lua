-- For wrk: replays a list of requests (one a line: path, then header lines, parted by tabs).
-- Arguments: the list, where in it to begin (0 to 1), the longest pause before a request in ms (0: none).
local requests, at = {}, 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local headers = { Host = "localhost" }
    for name, value in line:gmatch("\t([^:\t]+): ([^\t]+)") do headers[name] = value end
    requests[#requests + 1] = wrk.format("GET", line:match("^[^\t]+"), headers)
  end
  at = math.floor(#requests * tonumber(arguments[2]))
  local pause = tonumber(arguments[3])
  if pause > 0 then function delay() return math.random(1, pause) end end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format('\nRESULT {"requests": %d, "seconds": %.6f, "bytes": %d, "failures": %d,' ..
    ' "p50_ms": %.3f, "p99_ms": %.3f, "longest_ms": %.3f}\n', summary.requests, summary.duration / 1e6,
    summary.bytes, failed.status + failed.connect + failed.read + failed.write + failed.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
