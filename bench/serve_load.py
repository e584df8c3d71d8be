# SPDX-License-Identifier: Apache-2.0
"""serve_load.py: what `penchant serve` answers under load, asked by wrk (Debian's package) on the same cores, over the loopback.

  users      lists of 20 of users drawn at random
  histories  lists of 20 of posted histories of 20 items, by everything that the model knows
  mixed      users (95 %), neighbours of an item (4 %) and posted events (1 %) while models are reloaded, until so many requests are
             answered; the resident size after each reload
Called by compare.py serve; needs wrk and pyarrow."""
import contextlib
import http.client
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pyarrow.parquet as pq

# wrk's own summary rounds; the last line is JSON.
REQUESTS = """
local users, items = {}, {}
function init(arguments)
  for line in io.lines(arguments[1]) do users[#users + 1] = line end
  for line in io.lines(arguments[2]) do items[#items + 1] = line end
  math.randomseed(1)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end
local function any(list) return list[math.random(#list)] end
local kinds = {
  users = function() return "/recommend", '{"k": 20, "user": ' .. any(users) .. '}' end,
  histories = function()
    local history = {}
    for place = 1, 20 do history[place] = any(items) end
    return "/recommend", '{"k": 20, "history": [' .. table.concat(history, ", ") .. ']}'
  end,
  mixed = function()
    local drawn = math.random()
    if drawn < 0.01 then return "/events", '{"events": [{"user": ' .. any(users) .. ', "item": ' .. any(items) .. '}]}' end
    if drawn < 0.05 then return "/similar", '{"k": 20, "item": ' .. any(items) .. '}' end
    return "/recommend", '{"k": 20, "user": ' .. any(users) .. '}'
  end,
}
function request()
  local path, body = kinds["KIND"]()
  return wrk.format(nil, path, nil, body)
end
function done(summary, latency)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  print(string.format('{"requests": %d, "seconds": %.6f, "failed": %d, "p50_ms": %.3f, "p99_ms": %.3f, "longest_ms": %.3f}', summary.requests,
                      summary.duration / 1e6, failed, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
"""
PORT = re.compile(r"at http://127\.0\.0\.1:(\d+)")


class Load:
    """A server of one model, and wrk's questions to it."""

    def __init__(self, penchant, data, model, work, *options):
        self.work = work
        for name in ("users", "items"):
            ids = pq.read_table(data / f"{name}.parquet", columns=["raw_id"])["raw_id"].to_pylist()
            (work / f"{name}.json").write_text("".join(json.dumps(raw) + "\n" for raw in ids))
        self.said = work / "serve.log"
        with self.said.open("w") as log:
            self.server = subprocess.Popen([penchant, "serve", data, model, "--port", "0", *options], stdout=log, stderr=log)
        while not (found := PORT.search(self.said.read_text())):
            if self.server.poll() is not None:
                sys.exit(f"serve_load: the server ended: {self.said.read_text()}")
            time.sleep(0.05)
        self.port = int(found[1])

    def close(self):
        self.server.terminate()
        if self.server.wait() != 0:
            sys.exit(f"serve_load: the server ended with {self.server.returncode}: {self.said.read_text()}")

    def command(self, kind, connections, seconds):
        script = self.work / f"{kind}.lua"
        script.write_text(REQUESTS.replace("KIND", kind))
        return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(script), f"http://127.0.0.1:{self.port}", "--",
                str(self.work / "users.json"), str(self.work / "items.json")]

    def ask(self, kind, connections, seconds):
        return self.read(subprocess.run(self.command(kind, connections, seconds), capture_output=True, text=True, check=True).stdout, connections)

    @staticmethod
    def read(output, connections):
        measured = json.loads(output.strip().splitlines()[-1])
        return {"connections": connections, "per_second": measured["requests"] / measured["seconds"]} | measured

    def request(self, method, path):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.server.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def mixed(self, connections, requests, reloads, seconds):
        """Rounds of wrk of so many seconds, a reload in the middle of each, until there were as many as asked for."""
        totals = {"requests": 0, "failed": 0, "seconds": 0.0, "longest_ms": 0.0, "reloads": 0, "reloads_failed": 0, "resident_bytes": []}
        while totals["requests"] < requests or totals["reloads"] < reloads:
            asking = subprocess.Popen(self.command("mixed", connections, seconds), stdout=subprocess.PIPE, text=True)
            time.sleep(seconds / 2)
            if totals["reloads"] < reloads:
                totals["reloads"] += 1
                totals["reloads_failed"] += self.request("POST", "/reload")[0] != 200
            measured = self.read(asking.communicate()[0], connections)
            if asking.returncode != 0:
                sys.exit("serve_load: wrk failed")
            for name in ("requests", "failed", "seconds"):
                totals[name] += measured[name]
            totals["longest_ms"] = max(totals["longest_ms"], measured["longest_ms"])
            totals["resident_bytes"].append(self.resident_bytes())
        metrics = self.request("GET", "/metrics")[1]
        faults = re.findall(r'^penchant_requests_total\{.*status="5\d\d"\} (\d+)$', metrics, re.MULTILINE)
        return totals | {"connections": connections, "events": int(re.search(r"^penchant_events_total (\d+)$", metrics, re.MULTILINE)[1]),
                         "answered_5xx": sum(map(int, faults))}


def measure(penchant, gowalla, gowalla_model, beauty, beauty_model, work, requests, seconds=10):
    if shutil.which("wrk") is None:
        sys.exit("serve_load: wrk is missing (Debian's package wrk)")
    result = {"wrk": subprocess.run(["wrk", "-v"], capture_output=True, text=True).stdout.split("\n")[0].split(" Copyright")[0]}
    load = Load(penchant, gowalla, gowalla_model, work)
    load.ask("users", 8, 3)
    result["users"] = [load.ask("users", connections, seconds) for connections in (1, 8, 16, 24, 32)]
    load.close()
    load = Load(penchant, beauty, beauty_model, work)
    load.ask("histories", 4, 3)
    result["histories"] = [load.ask("histories", connections, seconds) for connections in (1, 2, 4, 6, 8, 16)]
    load.close()
    load = Load(penchant, gowalla, gowalla_model, work, "--events", work / "events")
    result["mixed"] = load.mixed(16, requests, 10, 6 * seconds)
    load.close()
    return result
