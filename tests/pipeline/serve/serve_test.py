# SPDX-License-Identifier: Apache-2.0
"""penchant serve as its clients meet it: the answers are those of the command line bit for bit, events count at once and outlive
kill -9, a reload fails no request, and what is no good request gets the status that RFC 9110 has for it.

usage: serve_test.py PENCHANT
"""
import csv
import http.client
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

PENCHANT = sys.argv[1]
JSON = {"Content-Type": "application/json"}
QUICK = ["--set", "train.epochs=2", "--set", "model.embedding_dim=16"]
KINDS = {  # vectors that have learned nothing are sure to get a filter beside them
    "lightgcn": [*QUICK, "--set", "train.learning_rate=1e-6", "--set", "model.initializer=normal"],
    "interest": QUICK,
    "auto": ["--set", "model.embedding_dim=16", "--budget", "20s"],
}


def penchant(*arguments):
    child = subprocess.run([PENCHANT, *map(str, arguments), "--quiet"], capture_output=True, text=True)
    if child.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: {child.stderr}")
    return child.stdout


class Server:
    """A running server; the end of the block drains it and looks at its exit status."""

    def __init__(self, data, model, *options, before=None):
        self.process = subprocess.Popen([PENCHANT, "serve", str(data), str(model), "--port", "0", *map(str, options)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=before)
        line = self.process.stdout.readline()
        found = re.search(r":(\d+)$", line.strip())
        if not found:
            raise RuntimeError(f"no address in {line!r}: {self.process.communicate()[1]}")
        self.port = int(found[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.errors = self.process.communicate()[1]
        if self.process.returncode not in (0, -signal.SIGKILL):
            raise AssertionError(f"the server ended with {self.process.returncode}: {self.errors}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method, path, body=None, headers=JSON, connection=None):
        """(status, headers, body) of one request."""
        own = connection or self.connect()
        own.request(method, path, body if body is None or isinstance(body, (str, bytes)) else json.dumps(body), headers)
        answer = own.getresponse()
        text = answer.read()
        if connection is None:
            own.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text

    def post(self, path, body, **more):
        status, _, text = self.ask("POST", path, body, **more)
        return status, json.loads(text)

    def raw(self, request, shut=True):
        """What comes back for these bytes, up to the end of the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            try:
                connection.sendall(request)
                if shut:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it may have refused before all was sent
            received = b""
            while True:
                try:
                    piece = connection.recv(65536)
                except OSError:
                    return received
                if not piece:
                    return received
                received += piece


class ServeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = pathlib.Path(cls.folder.name)
        cls.data = cls.work / "shop.data"
        penchant("generate", "--out", cls.work, "--users", 300, "--items", 150, "--events", 6000, "--seed", 7)
        penchant("ingest", "--config", cls.work / "shop.toml")
        for kind, settings in KINDS.items():
            penchant("train", cls.data, "--out", cls.work / f"{kind}.model", "--set", f"model.kind={kind}", *settings)
        cls.model = cls.work / "interest.model"

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def items(self, answer):
        """As text, digits and all."""
        return json.dumps(answer["items"])

    def test_answers_are_those_of_the_command_line(self):
        users, items = ["u3", "u4", "u77"], ["i1", "i5", "i20", "i5"]
        for kind in KINDS:
            model = self.work / f"{kind}.model"
            with Server(self.data, model) as server, self.subTest(kind):
                def same(path, body, *flags):
                    status, answer = server.post(path, body)
                    self.assertEqual(status, 200, answer)
                    told = json.loads(penchant(path[1:], self.data, model, *flags, "--json"))
                    self.assertTrue(told["items"])
                    self.assertEqual(self.items(answer), self.items(told), (kind, body))
                for user in users:
                    same("/recommend", {"user": user}, "--user", user)
                    same("/recommend", {"user": user, "k": 7, "ranking": "full"}, "--user", user, "--k", 7, "--ranking", "full")
                    same("/recommend", {"user": user, "seen": "keep", "where": "price > 1", "at_most": ["brand=1"], "k": 5},
                         "--user", user, "--seen", "keep", "--where", "price > 1", "--at-most", "brand=1", "--k", 5)
                for ranking in ("vectors", "full"):
                    same("/recommend", {"history": items, "ranking": ranking}, "--history", ",".join(items), "--ranking", ranking)
                same("/recommend", {"history": items[:1], "k": 3}, "--history", items[0], "--k", 3)
                same("/similar", {"item": "i5", "k": 4}, "--item", "i5", "--k", 4)
                # Many at once: the same as alone.
                bodies = [{"history": items[k % 3:], "k": 5 + k % 4} for k in range(24)]
                alone = [self.items(server.post("/recommend", body)[1]) for body in bodies]
                found = [None] * len(bodies)
                def ask(k):
                    found[k] = self.items(server.post("/recommend", bodies[k])[1])
                threads = [threading.Thread(target=ask, args=(k,)) for k in range(len(bodies))]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                self.assertEqual(found, alone)
                # Pairs.
                pairs = [(user, item) for user in users for item in items[:3]]
                table, out = self.work / "pairs.csv", self.work / "scores.csv"
                table.write_text("user,item\n" + "".join(f"{user},{item}\n" for user, item in pairs))
                for ranking in ("vectors", "full"):
                    told = json.loads(penchant("score", self.data, model, "--pairs", table, "--out", out, "--ranking", ranking, "--json"))
                    status, answer = server.post("/score", {"pairs": [{"user": u, "item": i} for u, i in pairs], "ranking": ranking})
                    self.assertEqual((status, answer["score"]), (200, told["score"]))
                    written = [float(line.split(",")[-1]) for line in out.read_text().splitlines()[1:]]
                    self.assertEqual(len(written), len(pairs))
                    for got, want in zip(answer["scores"], written):
                        self.assertAlmostEqual(got, want, delta=1e-6 * max(1, abs(want)))
                # Vectors: their products are the scores of the list.
                best = server.post("/recommend", {"user": "u3", "k": 1, "ranking": "vectors"})[1]["items"][0]
                vectors = server.post("/vectors", {"users": ["u3"], "items": [best["item"]]})[1]
                product = sum(a * b for a, b in zip(vectors["users"][0]["vector"], vectors["items"][0]["vector"]))
                self.assertAlmostEqual(product, best["score"], places=4)

    def test_reasons_are_those_of_the_command_line(self):
        for kind in KINDS:
            model = self.work / f"{kind}.model"
            with Server(self.data, model, "--events", self.work / f"{kind}.why") as server, self.subTest(kind):
                def same(body, *flags):
                    status, answer = server.post("/explain", body)
                    self.assertEqual(status, 200, answer)
                    told = json.loads(penchant("explain", self.data, model, *flags, "--json"))
                    self.assertEqual(answer["sentence"], told["sentence"])
                    self.assertEqual([(had["item"], had["events"]) for had in answer.get("history", [])],
                                     [(had["item"], had["events"]) for had in told.get("history", [])])
                    self.assertAlmostEqual(answer["score"], told["score"], places=5)
                    return answer
                for ranking in ("vectors", "full"):
                    same({"user": "u3", "item": "i5", "ranking": ranking}, "--user", "u3", "--item", "i5", "--ranking", ranking)
                same({"history": ["i1", "i20", "i1"], "item": "i5", "top": 1}, "--history", "i1,i20,i1", "--item", "i5", "--top", 1)
                same({"item": "i5", "similar": "i20"}, "--item", "i5", "--similar", "i20")
                # A posted event has a share.
                before = server.post("/explain", {"user": "u3", "item": "i5", "top": 999})[1]
                new = next(f"i{k}" for k in range(100) if all(had["item"] != f"i{k}" for had in before["history"]))
                self.assertEqual(server.post("/events", {"events": [{"user": "u3", "item": new}]})[0], 200)
                after = server.post("/explain", {"user": "u3", "item": "i5", "top": 999})[1]
                self.assertIn(new, [had["item"] for had in after["history"]])
                self.assertEqual(after["user"], "u3")
                if kind == "lightgcn":
                    for body, expected in (({"user": "no", "item": "i5"}, (404, "unknown_user")), ({"user": "u3", "item": "no"}, (404, "unknown_item")),
                                           ({"item": "i5", "similar": "no"}, (404, "unknown_item")), ({"user": "u3"}, (400, "bad_request")),
                                           ({"item": "i5"}, (400, "bad_request")), ({"user": "u3", "item": "i5", "top": 0}, (400, "bad_request")),
                                           ({"item": "i5", "similar": "i5"}, (400, "bad_request")),
                                           ({"item": "i5", "similar": "i6", "ranking": "full"}, (400, "bad_request"))):
                        status, told = server.post("/explain", body)
                        self.assertEqual((status, told["error"]["code"]), expected, body)

    def test_events_count_at_once_and_outlive_a_crash(self):
        log = self.work / "log"
        events = [{"user": "someone, \"new\"\n", "item": "i7", "time": "2026-01-02T03:04:05.678Z", "event": "view"},
                  {"user": "u3", "item": "i9", "time": 1767323045}, {"user": "u3", "item": "no such item"}]
        with Server(self.data, self.model, "--events", log) as server:
            before = server.post("/recommend", {"user": "u3"})[1]
            self.assertEqual(server.post("/recommend", {"user": events[0]["user"]})[0], 404)
            vector = server.post("/vectors", {"users": ["u3"]})[1]["users"][0]["vector"]
            status, told = server.post("/events", {"events": events})
            self.assertEqual((status, told), (200, {"accepted": 3, "unknown_users": 1, "unknown_items": 1}))
            after = server.post("/recommend", {"user": "u3"})[1]
            self.assertNotEqual(self.items(before), self.items(after))
            self.assertNotEqual(vector, server.post("/vectors", {"users": ["u3"]})[1]["users"][0]["vector"])
            new = server.post("/recommend", {"user": events[0]["user"]})[1]
            # Someone new is whom a history describes.
            history = server.post("/recommend", {"history": [{"item": "i7", "time": 5e8, "event": "view"}]})[1]
            self.assertEqual(self.items(new), self.items(history))
            self.assertEqual(server.post("/score", {"pairs": [{"user": "u3", "item": "i1"}]})[0], 200)
            self.assertIn("penchant_events_total 3", server.ask("GET", "/metrics")[2].decode())
            status, wrong = server.post("/events", {"events": [{"user": "u3", "item": "i1", "event": "frobnicated"}]})
            self.assertEqual((status, wrong["error"]["code"]), (422, "unknown_event"))
            server.kill()
        file = log / "events-000001.csv"
        whole = file.read_bytes()
        self.assertTrue(whole.startswith(b'user,item,event,time\n"someone, ""new""\n",i7,view,2026-01-02T03:04:05.678Z\nu3,i9,view,'))
        file.write_bytes(whole + b'u4,"i1')  # what a crash leaves of a line
        with Server(self.data, self.model, "--events", log) as server:
            self.assertEqual(self.items(server.post("/recommend", {"user": "u3"})[1]), self.items(after))
            self.assertEqual(self.items(server.post("/recommend", {"user": events[0]["user"]})[1]), self.items(new))
            self.assertEqual(file.read_bytes(), whole)
            second = subprocess.run([PENCHANT, "serve", self.data, self.model, "--port", "0", "--events", log], capture_output=True, text=True)
            self.assertEqual(second.returncode, 2)
            self.assertIn("another process", second.stderr)
            self.assertEqual(server.post("/events", {"events": [{"user": "u5", "item": "i1", "time": 1767323045}]})[0], 200)
        self.assertIn("cut off", server.errors)
        self.assertEqual(file.read_bytes(), whole + b"u5,i1,view,2026-01-02T03:04:05.000Z\n")
        file.write_bytes(whole[:8])  # not even the header
        with Server(self.data, self.model, "--events", log) as server:
            self.assertEqual(file.read_bytes(), b"user,item,event,time\n")
        file.write_bytes(b"something else\n")
        damaged = subprocess.run([PENCHANT, "serve", self.data, self.model, "--port", "0", "--events", log], capture_output=True, text=True)
        self.assertEqual(damaged.returncode, 2)
        self.assertIn("events-000001.csv:1", damaged.stderr)
        with Server(self.data, self.model) as server:
            status, told = server.post("/events", {"events": events[:1]})
            self.assertEqual((status, told["error"]["code"]), (404, "no_event_log"))

    def test_events_that_the_data_set_has_count_once(self):
        with Server(self.data, self.model) as server:
            plain = server.post("/recommend", {"user": "u3"})[1]
        rows = [line.split(",") for line in (self.work / "events.csv").read_text().splitlines()[1:]]
        own = sorted((int(time), item) for user, item, _, time, _ in rows if user == "u3")
        items = [item for _, item in own]
        time, item = next((time, item) for time, item in own if items.count(item) == 1)  # early: surely a training row
        folder = self.work / "known"
        with Server(self.data, self.model, "--events", folder) as server:
            status, told = server.post("/events", {"events": [{"user": "u3", "item": item, "time": time}]})
            self.assertEqual(status, 200, told)
            self.assertIn("penchant_events_held 1\n", server.ask("GET", "/metrics")[2].decode())
            self.assertEqual(server.post("/reload", {})[0], 200)
            self.assertIn("penchant_events_held 0\n", server.ask("GET", "/metrics")[2].decode())
            self.assertEqual(self.items(server.post("/recommend", {"user": "u3"})[1]), self.items(plain))

    def test_what_was_answered_for_outlives_kill_and_is_appended_once(self):
        folder, data = self.work / "killed", self.work / "grown.data"
        penchant("ingest", "--config", self.work / "shop.toml", "--out", data, "--set", "data.repeats=keep_all")
        answered, serial, lock = set(), itertools.count(), threading.Lock()
        signs = ["", " ", ",", '"', "\n", "\r\n", "\t", "\u00e4", " x "]  # that CSV has to quote
        def post_on(server):
            connection = server.connect()
            while True:
                with lock:
                    number = next(serial)
                events = [{"user": f"u{1 + number % 9}", "item": f"new {number}.{k}{signs[number % len(signs)]}", "time": 1767323045000 + number}
                          | ({"event": "cart"} if number % 2 else {}) for k in range(1 + number % 4)]
                try:
                    status = server.ask("POST", "/events", {"events": events}, connection=connection)[0]
                except (OSError, http.client.HTTPException):
                    return
                self.assertEqual(status, 200)
                with lock:
                    answered.update((event["user"], event["item"]) for event in events)
        for _ in range(3):
            with Server(self.data, self.model, "--events", folder) as server:
                known = len(answered)
                threads = [threading.Thread(target=post_on, args=(server,)) for _ in range(4)]
                for thread in threads:
                    thread.start()
                while len(answered) < known + 40:
                    pass
                server.kill()
                for thread in threads:
                    thread.join()
            with open(folder / "events-000001.csv", "ab") as file:
                file.write(b'u4,"torn')
        with Server(self.data, self.model, "--events", folder):
            pass
        with open(folder / "events-000001.csv", encoding="utf-8", newline="") as file:
            written = [tuple(row[:2]) for row in csv.reader(file)][1:]
        self.assertEqual(len(written), len(set(written)))
        self.assertLessEqual(answered, set(written))
        for new in (len(written), 0):
            told = json.loads(penchant("append", data, "--events", folder, "--json"))
            self.assertEqual((told["rows"]["kept"], told["rows"]["rejected"], told["num_new_items"]), (new, [], new))

    def test_a_reload_fails_no_request(self):
        model = self.work / "changing.model"
        def link(kind):
            new = self.work / "changing.new"
            new.symlink_to(self.work / f"{kind}.model")
            new.rename(model)
        link("interest")
        with Server(self.data, model) as server:
            statuses, stop = [], threading.Event()
            def ask_on():
                connection = server.connect()
                while not stop.is_set():
                    statuses.append(server.ask("POST", "/recommend", {"user": "u3"}, connection=connection)[0])
                connection.close()
            threads = [threading.Thread(target=ask_on) for _ in range(3)]
            for thread in threads:
                thread.start()
            hashes = set()
            for kind in ("lightgcn", "interest", "lightgcn"):
                link(kind)
                status, told = server.post("/reload", {})
                self.assertEqual(status, 200, told)
                hashes.add(told["model_hash"])
                self.assertEqual(json.loads(server.ask("GET", "/health")[2])["model_hash"], told["model_hash"])
            (self.work / "changing.new").symlink_to(self.work / "nothing.model")
            (self.work / "changing.new").rename(model)
            status, told = server.post("/reload", {})
            self.assertEqual((status, told["error"]["code"]), (409, "reload_failed"))
            server.process.send_signal(signal.SIGHUP)
            while "penchant_reloads_total{result=\"failed\"} 2" not in server.ask("GET", "/metrics")[2].decode():
                pass
            link("interest")
            server.process.send_signal(signal.SIGHUP)
            while "penchant_reloads_total{result=\"ok\"} 4" not in server.ask("GET", "/metrics")[2].decode():
                pass
            stop.set()
            for thread in threads:
                thread.join()
            self.assertEqual(len(hashes), 2)
            self.assertGreater(len(statuses), 10)
            self.assertEqual(set(statuses), {200})

    def test_a_server_under_nohup_reloads_as_well(self):
        with Server(self.data, self.model, before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as server:
            server.process.send_signal(signal.SIGHUP)
            while "penchant_reloads_total{result=\"ok\"} 1" not in server.ask("GET", "/metrics")[2].decode():
                pass

    def test_refusals(self):
        with Server(self.data, self.model, "--max-body", 2048, "--max-history", 5, "--max-k", 50) as server:
            connection = server.connect()
            def refused(status, body, path="/recommend", code=None):
                got, told = server.post(path, body, connection=connection)
                self.assertEqual(got, status, (body, told))
                self.assertEqual(told["error"]["status"], status)
                if code:
                    self.assertEqual(told["error"]["code"], code)
                return told["error"]["message"]
            self.assertRegex(refused(404, {"user": "u0815"}, code="unknown_user"), r"^unknown user 'u0815': not in the data set's \d+ known ids$")
            refused(404, {"history": ["i1", "no"]}, code="unknown_item")
            refused(404, {"history": ["no"], "unknown": "skip"}, code="unknown_item")
            self.assertEqual(server.post("/recommend", {"history": ["i1", "no"], "unknown": "skip"})[0], 200)
            refused(404, {"item": "no"}, "/similar", "unknown_item")
            refused(404, {"pairs": [{"user": "no", "item": "i1"}]}, "/score", "unknown_user")
            self.assertEqual(server.post("/score", {"pairs": [{"user": "no", "item": "i1"}], "unknown": "zero"})[1]["scores"], [0.0])
            refused(404, {"users": ["no"]}, "/vectors", "unknown_user")
            refused(400, {"history": ["i1"] * 6}, code="too_many")
            refused(400, {"user": "u3", "k": 51}, code="too_many")
            for body in ("", "{", "[]", "null", "3", '"u3"', b"\xff\xfe", "[" * 1000, '{"user": "u3"} x', '{"user": "\\ud800"}',
                         {}, {"user": "u3", "history": ["i1"]}, {"user": ""}, {"user": 1.5}, {"user": ["u3"]}, {"user": "u3", "k": 0},
                         {"user": "u3", "k": "5"}, {"user": "u3", "k": 1e30}, {"user": "u3", "kk": 5}, {"history": []}, {"history": "i1"},
                         {"history": ["i1", {"item": "i1", "time": 5}]}, {"history": [{"item": "i1", "time": "yesterday"}]},
                         {"history": [{"time": 5}]}, {"user": "u3", "ranking": "best"}, {"user": "u3", "seen": 1},
                         {"user": "u3", "where": 1}, {"user": "u3", "at_most": "brand=1"}, {"user": "u3", "only_items": "i1"},
                         '{"user": "u3", "user": "u4"}', '{"user": "u3", "k": NaN}', '{"user": "u3", "k": 1e999}', {"history": [{"item": "i1", "event": ""}]}):
                refused(400, body)
            for filter in ({"where": "price >"}, {"where": "colour = red"}, {"at_most": ["brand"]}):
                refused(422, {"user": "u3"} | filter, code="filter")
            refused(404, {"user": "u3", "only_items": ["no"]}, code="unknown_item")
            refused(422, {"history": [{"item": "i1", "event": "frobnicated"}]}, code="unknown_event")
            self.assertEqual(server.post("/recommend", {"user": "u3", "where": "price < 0"})[1], {"user": "u3", "items": []})
            connection.close()
            ask = server.ask
            self.assertEqual(ask("GET", "/nothing")[0], 404)
            for method, path, allow in (("GET", "/recommend", "OPTIONS, POST"), ("POST", "/health", "GET, HEAD, OPTIONS"),
                                        ("DELETE", "/score", "OPTIONS, POST"), ("PUT", "/metrics", "GET, HEAD, OPTIONS")):
                status, headers, _ = ask(method, path)
                self.assertEqual((status, headers["allow"]), (405, allow))
            self.assertEqual(ask("OPTIONS", "/recommend")[1]["allow"], "OPTIONS, POST")
            self.assertEqual((ask("QUERY", "/recommend")[0], ask("FROB", "/recommend")[0]), (405, 501))
            self.assertEqual(ask("POST", "/recommend", "{}", {"Content-Type": "text/plain"})[0], 415)
            self.assertEqual(ask("POST", "/recommend", "{}", {})[0], 415)
            self.assertEqual(ask("POST", "/recommend", "{}", JSON | {"Content-Encoding": "gzip"})[0], 415)
            self.assertEqual(ask("POST", "/recommend", "{}", JSON | {"Expect": "tea"})[0], 417)
            self.assertEqual(ask("POST", "/recommend", " " * 2049)[0], 413)
            self.assertEqual(ask("POST", "/recommend", json.dumps({"user": "u3"}), {"Content-Type": "Application/JSON; charset=utf-8"})[0], 200)
            # GET and HEAD say the same.
            got, head = ask("GET", "/openapi.json"), ask("HEAD", "/openapi.json")
            self.assertEqual((head[0], head[2]), (200, b""))
            self.assertEqual(got[1] | {"date": ""}, head[1] | {"date": ""})
            described = json.loads(got[2])
            self.assertEqual(described["openapi"], "3.0.3")
            schemas = described["components"]["schemas"]
            self.assertIn("view", schemas["EventType"]["enum"])
            pattern = re.compile(schemas["AtMost"]["items"]["pattern"])
            for text, fits in (("brand=2", True), ("brand=0", False), ("price=2", False), ("colour=2", False), ("brand=", False)):
                self.assertEqual((bool(pattern.search(text)), server.post("/recommend", {"user": "u3", "k": 1, "at_most": [text]})[0]),
                                 (fits, 200 if fits else 422), text)
            # Connections by hand.
            host, typed = b"Host: x\r\n", b"Content-Type: application/json\r\n"
            body = b'{"user": "u3", "k": 1}'
            length = b"Content-Length: %d\r\n" % len(body)
            post = b"POST /recommend HTTP/1.1\r\n"
            def status_of(request):
                answer = server.raw(request)
                self.assertRegex(answer, rb"^HTTP/1.1 \d\d\d [^\r\n]*\r\n(?s:.*)Date: ")
                return int(answer[9:12])
            self.assertEqual(status_of(post + host + typed + b"\r\n"), 411)
            self.assertEqual(status_of(post + typed + length + b"\r\n" + body), 400)
            self.assertEqual(status_of(post + host * 2 + typed + length + b"\r\n" + body), 400)
            self.assertEqual(status_of(post + host + typed + length + length.replace(b"2", b"3") + b"\r\n" + body), 400)
            self.assertEqual(status_of(post + host + typed + length + b"Transfer-Encoding: chunked\r\n\r\n" + b"0\r\n\r\n"), 400)
            self.assertEqual(status_of(post + host + typed + b"Transfer-Encoding: gzip\r\n\r\n"), 501)
            self.assertEqual(status_of(post + host + typed + b"Content-Length: -1\r\n\r\n"), 400)
            self.assertEqual(status_of(post + host + typed + b"Content-Length: 1000000000\r\n\r\n" + b" " * 100000), 413)
            self.assertEqual(status_of(post + host + typed + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400)
            self.assertEqual(status_of(post + host + typed + b"Transfer-Encoding: chunked\r\n\r\n1000\r\n" + b" " * 4096 + b"\r\n0\r\n\r\n"), 413)
            self.assertEqual(status_of(b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n" + host + b"\r\n"), 414)
            self.assertEqual(status_of(b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n" + host + b"\r\n"), 414)
            self.assertEqual(status_of(b"GET /health HTTP/1.1\r\n" + host + b"X: " + b"x" * 100000 + b"\r\n\r\n"), 431)
            self.assertEqual(status_of(b"GET /health HTTP/3.7\r\n" + host + b"\r\n"), 505)
            for target in (b"health", b"/health%zz", b"/health%4", b"http:///health", b"http://a b/health", b"http://me@x/health", b"x:80"):
                self.assertEqual(status_of(b"GET " + target + b" HTTP/1.1\r\n" + host + b"\r\n"), 400, target)
            for target in (b"/%68ealth", b"/h%65alth?a=%zz", b"HTTP://X:80/health", b"https://[::1]/health"):
                self.assertEqual(status_of(b"GET " + target + b" HTTP/1.1\r\n" + host + b"\r\n"), 200, target)
            self.assertEqual(status_of(b"GET /health%2F HTTP/1.1\r\n" + host + b"\r\n"), 404)
            for name, status in ((b"", 200), (b"x:80", 200), (b"[::1]:8080", 200), (b"a_b.c~%41", 200), (b"x:", 200),
                                 (b"x:y", 400), (b"a b", 400), (b"a/b", 400), (b"[::1", 400), (b"me@x", 400), (b"%zz", 400), (b"a\xff", 400)):
                self.assertEqual(status_of(b"GET /health HTTP/1.1\r\nHost: " + name + b"\r\n\r\n"), status, name)
            self.assertEqual(status_of(post + host + typed * 2 + length + b"\r\n" + body), 400)
            self.assertEqual(status_of(b"GET /health HTTPS/1.1\r\n" + host + b"\r\n"), 400)
            self.assertEqual(status_of(b"GET /health\r\n\r\n"), 400)
            self.assertEqual(status_of(b"\r\n\r\nGET /health HTTP/1.1\r\n" + host + b"\r\n"), 200)
            self.assertEqual(status_of(b"GET /health HTTP/1.1\r\nX : y\r\n" + host + b"\r\n"), 400)
            self.assertEqual(status_of(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), 400)
            self.assertEqual(status_of(b"GET http://x/health?a=b HTTP/1.1\r\n" + host + b"\r\n"), 200)
            self.assertEqual(status_of(b"OPTIONS * HTTP/1.1\r\n" + host + b"\r\n"), 204)
            self.assertEqual(status_of(b"GET /health HTTP/1.0\r\n\r\n"), 200)
            # Several requests at once, in order; a chunked one; one that waits to be told to go on.
            chunked = b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + body[:5] + b"\r\n%x\r\n" % len(body[5:]) + body[5:] + b"\r\n0\r\n\r\n"
            answer = server.raw((post + host + typed + length + b"\r\n" + body) * 2 + post + host + typed + chunked +
                                b"GET /nothing HTTP/1.1\r\n" + host + b"\r\n" + b"GET /health HTTP/1.1\r\nConnection: close\r\n" + host + b"\r\n")
            self.assertEqual([int(status) for status in re.findall(rb"HTTP/1.1 (\d\d\d)", answer)], [200, 200, 200, 404, 200])
            answer = server.raw(post + host + typed + length + b"Expect: 100-continue\r\n\r\n", shut=True)
            self.assertTrue(answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\n"), answer)
            self.assertEqual(status_of(post.replace(b"1.1", b"1.0") + typed + length + b"Expect: 100-continue\r\n\r\n" + body), 200)

    def test_tokens_rates_and_connections(self):
        token = self.work / "token"
        token.write_text("correct-horse\n")
        with Server(self.data, self.model, "--token-file", token) as server:
            body = {"user": "u3"}
            for headers in (JSON, JSON | {"Authorization": "Bearer wrong-horse"}, JSON | {"Authorization": "Basic correct-horse"},
                            JSON | {"Authorization": "Bearer correct-hors"}, JSON | {"Authorization": "Bearer"}):
                status, answer, _ = server.ask("POST", "/recommend", body, headers)
                self.assertEqual((status, answer["www-authenticate"]), (401, 'Bearer realm="penchant"'))
            self.assertEqual(server.ask("POST", "/recommend", body, JSON | {"Authorization": "bearer correct-horse"})[0], 200)
            self.assertEqual(server.ask("GET", "/metrics")[0], 401)
            self.assertEqual(server.ask("POST", "/reload", "", {})[0], 401)
            self.assertEqual(server.ask("GET", "/health")[0], 200)
        with Server(self.data, self.model, "--token-file", token, "--rate", 0.001) as server:  # who guesses is slowed down too
            wrong = JSON | {"Authorization": "Bearer wrong-horse"}
            self.assertEqual([server.ask("GET", "/metrics", None, wrong)[0] for _ in range(2)], [401, 429])
        token.write_text("short")
        refused = subprocess.run([PENCHANT, "serve", self.data, self.model, "--token-file", token], capture_output=True, text=True)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("at least 8", refused.stderr)
        with Server(self.data, self.model, "--rate", 0.001, "--max-connections", 2) as server:
            self.assertEqual(server.ask("POST", "/recommend", body)[0], 200)
            status, headers, _ = server.ask("POST", "/recommend", body)
            self.assertEqual(status, 429)
            self.assertGreaterEqual(int(headers["retry-after"]), 1)
            self.assertEqual(server.ask("GET", "/health")[0], 200)
            self.assertEqual(server.ask("GET", "/metrics")[0], 429)
            kept = [server.connect(), server.connect()]
            for connection in kept:
                while server.ask("GET", "/health", connection=connection)[0] != 200:
                    connection.close()
            status, headers, _ = server.ask("GET", "/health")
            self.assertEqual((status, headers["retry-after"], headers["connection"]), (503, "1", "close"))
            for connection in kept:
                connection.close()

    def test_the_end_leaves_nothing_unanswered(self):
        with Server(self.data, self.model) as server:
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as idle, \
                    socket.create_connection(("127.0.0.1", server.port), timeout=60) as half:
                body = b'{"user": "u3", "k": 1}'
                half.sendall(b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
                self.assertTrue(half.recv(100).startswith(b"HTTP/1.1 100"))  # its header has been taken
                server.process.send_signal(signal.SIGTERM)
                self.assertEqual(idle.recv(100), b"")
                half.sendall(body)
                answer = b""
                while piece := half.recv(65536):
                    answer += piece
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"), answer)
                self.assertIn(b"Connection: close", answer)
            server.process.wait(timeout=60)
            self.assertEqual(server.process.returncode, 0)


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
