-- For wrk: every request signs another person up, under another key. The argument makes the
-- addresses of several wrk processes differ.

local prefix, count = "", 0

function init(args)
  prefix = args[1]
  wrk.method = "POST"
end

function request()
  count = count + 1
  local person = prefix .. "-" .. count
  local body = string.format(
    '{"email":"%s@example.com","password":"Correct-Horse-7-Battery","given_name":"Ada"}', person)
  return wrk.format(nil, "/signup", {
    ["content-type"] = "application/json",
    ["idempotency-key"] = "replicas-key-" .. person,
  }, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"us":%d,"rejected":%d,"failed":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
