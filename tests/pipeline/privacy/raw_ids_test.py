# SPDX-License-Identifier: Apache-2.0
"""No raw id of a log that is pseudonymised reaches a file or a message: a whole pipeline is run, with rows that are rejected, strict
mode, ids that are not known and bad tables, and every byte that it has written or printed is searched, packed files unpacked.

usage: raw_ids_test.py PENCHANT
"""
import base64
import csv
import gzip
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import zlib

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

# Each raw id holds one of these, and nothing else does.
MARKS = {"user": "kundin", "item": "artikel", "session": "besuch"}
QUICK = ["--set", "train.epochs=2", "--set", "model.embedding_dim=16"]


class Pipeline:
    def __init__(self, program, folder, pseudonymise):
        self.program, self.folder = program, folder
        self.inputs = folder / "inputs"  # the only place where raw ids may be
        self.inputs.mkdir(parents=True)
        self.out = folder / "out"
        self.out.mkdir()
        self.said = []
        self.key = self.inputs / "secret.key"
        self.pseudonymise = pseudonymise

    def run(self, *arguments, code=0):
        child = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, cwd=self.out)
        self.said.append((arguments[0], child.stdout + child.stderr))
        if child.returncode != code:
            sys.exit(f"{' '.join(map(str, arguments))}: exit code {child.returncode}, expected {code}\n{child.stderr}")
        return child.stdout

    def write_inputs(self):
        """A generated shop whose ids carry marks, with rows of every kind that is rejected."""
        self.run("generate", "--out", self.inputs, "--users", 120, "--items", 80, "--events", 4000, "--seed", 3, "--quiet")
        rows = list(csv.DictReader(open(self.inputs / "events.csv")))
        items = list(csv.DictReader(open(self.inputs / "items.csv")))
        named = lambda entity, raw: f"{MARKS[entity]}-{raw}@x"
        for row in rows:
            for entity in MARKS:
                row[entity] = named(entity, row[entity])
        for row in items:
            row["item"] = named("item", row["item"])
        self.users = sorted({row["user"] for row in rows})
        self.items = sorted({row["item"] for row in rows})
        columns = list(rows[0])

        def write(path, part, more=()):
            opened = gzip.open(path, "wt") if path.suffix == ".gz" else open(path, "w")
            with opened as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(part)
                file.writelines(line + "\n" for line in more)

        user, item, visit = self.users[0], self.items[0], named("session", 1)
        bad = [f"{user},{item},view,{user},{visit}", f"{user},{item},{item},2020-01-01 00:00:00,{visit}", f"{user}", f",{item},view,,{visit}",
               f"{user},,view,,{visit}", f"\"{user},{item},view", f"{user},{item},view,1,{visit},{user}"]
        last = len(rows) - 400
        write(self.inputs / "first.csv", rows[:last], bad)
        write(self.inputs / "later.csv.gz", rows[last:], bad[:2])
        write(self.inputs / "strict.csv", rows[-3:], bad[:1])
        with open(self.inputs / "no_header.csv", "w") as file:
            file.writelines(",".join(row.values()) + "\n" for row in rows[:9])
        with open(self.inputs / "items.csv", "w") as file:
            writer = csv.DictWriter(file, list(items[0]))
            writer.writeheader()
            writer.writerows(items + items[:1])
        (self.inputs / "same.csv").write_text(f"account,person\n{self.users[5]},{self.users[6]}\n")
        (self.inputs / "circle.csv").write_text(f"account,person\n{self.users[5]},{self.users[6]}\n{self.users[6]},{self.users[5]}\n")
        (self.inputs / "friends.csv").write_text("a,b\n" + "".join(f"{a},{b}\n" for a, b in zip(self.users, self.users[1:])) + f"{user}\n")
        config = (self.inputs / "shop.toml").read_text()
        config = config.replace('repeats = "sum"\n', '')
        config = re.sub(r'log = .*', f'log = "{self.inputs}/first.csv"', config)
        hidden = f'pseudonymise = ["user", "item", "session"]\npseudonym_key = "{self.key}"\n' if self.pseudonymise else ""
        config = config.replace("[data]\n", f'[data]\n{hidden}same_user = "{self.inputs}/same.csv"\ntime_resolution = "hour"\nmin_value_users = 3\n', 1)
        config += f'\n[[data.relations]]\nname = "friends"\ntable = "{self.inputs}/friends.csv"\nfrom = "a"\nto = "b"\n'
        for name in ("data", "model", "embeddings"):
            config = re.sub(rf'out = "shop\.{name}"', f'out = "{self.out}/shop.{name}"', config)
        self.config = self.inputs / "hidden.toml"
        self.config.write_text(config)

    def run_all(self):
        if self.pseudonymise:
            self.run("pseudonym", "--new-key", self.key)
        key = ["--key", self.key] if self.pseudonymise else []
        users, items = self.users, self.items
        data, model = self.out / "shop.data", self.out / "shop.model"
        self.run("ingest", "--config", self.config)
        self.run("ingest", "--config", self.config, "--log", self.inputs / "strict.csv", "--strict", "--out", "never.data", code=2)
        self.run("ingest", "--config", self.config, "--log", self.inputs / "no_header.csv", "--out", "never.data", code=2)
        self.run("ingest", "--config", self.config, "--set", f"data.same_user={self.inputs}/circle.csv", "--out", "never.data", code=2)
        self.run("graph", data)
        self.run("partition", data, "--parts", 2)
        self.run("train", data, "--out", model, *QUICK)
        self.run("train", data, "--out", self.out / "auto.model", "--set", "model.kind=auto", "--budget", "20s", "--set", "model.embedding_dim=16")
        self.run("evaluate", data, model)
        self.run("embed", data, model, "--out", self.out / "shop.embeddings", "--set", 'embeddings.formats=["npy","parquet","arrow","csv","jsonl","safetensors"]')
        some = self.inputs / "some.txt"
        some.write_text("".join(f"{user}\n" for user in users[10:60]))
        one_user = self.run("pseudonym", *key, users[0]).strip() if key else users[0]
        one_item = self.run("pseudonym", *key, "--kind", "item", items[0]).strip() if key else items[0]
        self.run("recommend", data, model, "--user", users[0], *key)
        self.run("recommend", data, model, "--user", one_user, "--json")
        self.run("recommend", data, model, "--history", ",".join(items[:3]), *key)
        self.run("recommend", data, model, "--all-users", "--out", self.out / "all.parquet")
        for name in ("some.csv", "some.jsonl", "some.arrow"):
            self.run("recommend", data, model, "--users", some, "--out", self.out / name, *key)
        self.run("similar", data, model, "--item", items[0], *key)
        self.run("similar", data, model, "--user", users[0], *key)
        self.run("explain", data, model, "--user", users[0], "--item", items[1], *key)
        self.run("explain", data, model, "--item", items[0], "--similar", items[1], "--json", *key)
        self.run("audience", data, model, "--seed", some, "--size", 10, "--min-size", 5, "--out", self.out / "audience.csv", *key)
        pairs = self.out / "pairs.csv"
        pairs.write_text(f"user,item\n{one_user},{one_item}\n")
        self.run("score", data, model, "--pairs", pairs, "--out", self.out / "scores.csv")
        self.run("report", model, "--data", data, "--out", self.out / "shop.html")
        if self.pseudonymise:  # raw ids without the key are not known, and not repeated
            self.run("recommend", data, model, "--user", users[0], code=2)
            self.run("recommend", data, model, "--users", some, "--out", self.out / "never.csv", code=2)
            self.run("similar", data, model, "--item", items[0] + "z", code=2)
            self.run("explain", data, model, "--user", users[0], "--item", items[0], code=2)
            self.run("audience", data, model, "--seed", some, "--size", 10, "--out", self.out / "never.csv", code=2)
            self.run("forget", data, "--users", some, code=2)
            raw = self.inputs / "raw_pairs.csv"
            raw.write_text(f"user,item\n{users[0]},{items[0]}\n")
            self.run("score", data, model, "--pairs", raw, "--out", self.out / "never.csv", code=2)
        if self.pseudonymise:
            self.serve(data, model, one_user, one_item)
            self.refuse_bad_settings()
        self.run("update", data, model, "--log", self.inputs / "later.csv.gz")
        gone = self.inputs / "gone.txt"
        gone.write_text(f"{users[1]}\n")
        self.run("append", data, "--log", self.inputs / "strict.csv", "--strict", "--out", self.out / "never.data", code=2)
        self.run("forget", data, "--users", gone, "--out", self.out / "less.data", *key)
        self.run("run", self.config, "--set", f"data.out={self.out}/run.data", "--set", f"model.out={self.out}/run.model", *QUICK,
                 "--set", f"embeddings.out={self.out}/run.embeddings")

    def refused(self, setting, *words):
        """`ingest` ends with 2 for a setting, says why, and writes nothing."""
        self.run("ingest", "--config", self.config, "--set", setting, "--out", "never.data", code=2)
        said = self.said[-1][1]
        assert all(word in said for word in words), f"{setting}: {said}"
        assert not (self.out / "never.data" / "manifest.json").exists(), setting

    def refuse_bad_settings(self):
        self.refused('data.pseudonymise=["people"]', "data.pseudonymise", "people", "user, item, session")
        self.refused("data.time_resolution=month", "data.time_resolution", "month", "week")
        self.refused(f"data.pseudonym_key={self.inputs}/no.key", "no.key", "no such key file")
        short, open_ = self.inputs / "short.key", self.inputs / "open.key"
        short.write_text("0123456789")
        short.chmod(0o600)
        open_.write_text("0123456789" * 4)
        open_.chmod(0o644)
        self.refused(f"data.pseudonym_key={short}", "short.key", "10 bytes, expected 32")
        self.refused(f"data.pseudonym_key={open_}", "open.key", "0644", "open to others")
        self.refused("data.pseudonymise=[]", "data.pseudonym_key", "has no effect")
        self.refused(f"data.same_user={self.inputs}/circle.csv", "circle.csv:2", "lines 2, 3")
        self.run("pseudonym", "--key", open_, "x", code=2)
        self.run("pseudonym", "--new-key", self.key, code=2)
        self.run("recommend", self.out / "shop.data", self.out / "shop.model", "--user", "x", "--key", self.other_key(), code=2)

    def other_key(self):
        path = self.inputs / "other.key"
        self.run("pseudonym", "--new-key", path)
        return path

    def serve(self, data, model, user, item):
        """A server with a log of events: raw ids are not known, not repeated and not written."""
        process = subprocess.Popen([self.program, "serve", str(data), str(model), "--port", "0", "--events", str(self.out / "events")],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        port = int(re.search(r":(\d+)$", process.stdout.readline().strip())[1])

        def post(path, body):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
            self.said.append((f"serve {path}", text))
            return answer.status, json.loads(text)

        raw = self.users[0], self.items[0]
        assert post("/recommend", {"user": raw[0]})[0] == 404
        assert post("/similar", {"item": raw[1]})[0] == 404
        for event in ({"user": raw[0], "item": item}, {"user": user, "item": raw[1]}):
            status, told = post("/events", {"events": [event]})
            assert (status, told["error"]["code"]) == (422, "raw_id"), told
        assert post("/events", {"events": [{"user": user, "item": item, "event": "view"}]})[0] == 200
        assert post("/recommend", {"user": user})[0] == 200
        process.send_signal(signal.SIGTERM)
        self.said.append(("serve", "".join(process.communicate())))
        assert process.returncode == 0, process.returncode
        users_before = json.loads((data / "manifest.json").read_text())["num_users"]
        self.run("append", data, "--events", self.out / "events", "--out", self.out / "events.data")
        assert json.loads((self.out / "events.data" / "manifest.json").read_text())["num_users"] == users_before, "an event's user is another"

    def unpacked(self, path):
        """The bytes of a file and of what is packed in it."""
        raw = path.read_bytes()
        yield raw
        if raw[:2] == b"\x1f\x8b":
            yield gzip.decompress(raw)
        if path.suffix == ".parquet":
            table = pa.parquet.read_table(path)
            yield repr((table.schema, table.to_pydict())).encode()
        if path.suffix in (".arrow", ".feather"):
            table = pa.ipc.open_file(path).read_all()
            yield repr((table.schema, table.to_pydict())).encode()
        for text in re.findall(rb"[A-Za-z0-9+/]{64,}={0,2}", raw) if path.suffix in (".html", ".json") else ():
            packed = base64.b64decode(text[:len(text) // 4 * 4])
            yield packed
            for bits in (15, -15, 31):
                try:
                    yield zlib.decompressobj(bits).decompress(packed)
                except zlib.error:
                    pass

    def places_of_raw_ids(self):
        marks = [mark.encode() for mark in MARKS.values()]
        for path in sorted(self.out.rglob("*")):
            if path.is_file() and any(mark in part for part in self.unpacked(path) for mark in marks):
                yield str(path.relative_to(self.out))
        for verb, text in self.said:
            if any(mark in text for mark in MARKS.values()):
                yield f"output of {verb}: {next(line for line in text.splitlines() if any(mark in line for mark in MARKS.values()))}"

    def key_is_nowhere(self):
        secret = self.key.read_bytes().strip()
        return not any(secret in path.read_bytes() for path in self.out.rglob("*") if path.is_file()) and \
            not any(secret.decode() in text for _, text in self.said)


def main():
    with tempfile.TemporaryDirectory() as folder:
        hidden = Pipeline(sys.argv[1], pathlib.Path(folder) / "hidden", pseudonymise=True)
        open_ = Pipeline(sys.argv[1], pathlib.Path(folder) / "open", pseudonymise=False)
        for pipeline in (open_, hidden):
            pipeline.write_inputs()
            pipeline.run_all()
        found = list(open_.places_of_raw_ids())
        # The search sees them where they are not hidden: text, Parquet, Arrow, the page, messages.
        for place in ("shop.data/users.parquet", "some.csv", "some.jsonl", "some.arrow", "all.parquet", "shop.html", "audience.csv", "output of ingest"):
            assert any(name.startswith(place) for name in found), f"the search misses raw ids in {place}: {found}"
        leaks = list(hidden.places_of_raw_ids())
        if leaks:
            sys.exit("raw ids found in:\n  " + "\n  ".join(leaks))
        assert hidden.key_is_nowhere(), "the key is in a file or a message"
        files = sum(1 for path in hidden.out.rglob("*") if path.is_file())
        print(f"{len(hidden.said)} runs, {files} files: no raw id ({len(found)} places of the same runs without pseudonyms have some)")
        if name := os.environ.get("PENCHANT_RESULT"):
            pathlib.Path(name).write_text(json.dumps({"runs": len(hidden.said), "files": files, "places_with_raw_ids": 0, "places_without_pseudonyms": len(found)}) + "\n")


main()
