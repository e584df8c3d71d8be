#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Memory and time of the verbs that use interest, on a generated shop of a million items and a million users: writes bench/results/million.json.

  million.py [--only VERB ...] [--work FOLDER] [--out FILE]

Of each: seconds, peak anonymous bytes (what the process holds beside the files that it maps, looked at every 10 ms) and what it said
of memory and time before its work. `links` and `content` are what a data set with links between users, and one with vectors of
titles, take to be made; `ingest` is the same log without. Needs a release build and numpy."""
import argparse
import contextlib
import csv
import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from compare import ROOT, machine, run  # noqa: E402

ITEMS, USERS, EVENTS = 1_000_000, 1_000_000, 10_000_000
HIDDEN = 0.1  # of the categories, for tag to tell
LINKS = 5_000_000
TRAINING = {"model.kind": "lightgcn", "model.num_layers": 2, "model.initializer": "normal", "train.epochs": 1, "train.batch_size": 1_000_000,
            "train.validate_every": 0, "graph.attributes": '["brand"]'}


def watched(command):
    """Seconds, peak anonymous bytes and notes ("about ...") of one child."""
    start, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as log:
        child = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=log)
        while child.poll() is None:
            with contextlib.suppress(OSError):
                found = re.search(r"RssAnon:\s+(\d+) kB", pathlib.Path(f"/proc/{child.pid}/status").read_text())
                peak = max(peak, int(found[1]) * 1024 if found else 0)
            time.sleep(0.01)
        seconds = time.perf_counter() - start
        log.seek(0)
        said = log.read()
    if child.returncode != 0:
        sys.exit(f"million: failed: {' '.join(map(str, command))}\n{said}")
    notes = [line.strip() for line in said.replace("\r", "\n").splitlines() if "about" in line]
    return {"seconds": round(seconds, 1), "peak_anonymous_bytes": peak, "said_before": notes}


def shop(work, penchant):
    """shop.toml, with a tenth of the categories gone and names that do not tell them."""
    run([penchant, "generate", "--out", work, "--items", ITEMS, "--users", USERS, "--events", EVENTS, "--interests", 100, "--brands", 2000, "--quiet"])
    gone = np.random.default_rng(1).random(ITEMS) < HIDDEN
    with open(work / "items.csv", newline="") as table, open(work / "some.csv", "w", newline="") as out:
        reader, writer = csv.reader(table), csv.writer(out)
        header = next(reader)
        title, category = header.index("name"), header.index("category")
        writer.writerow(header)
        for row, hide in zip(reader, gone):
            row[title] = row[title].split(" of ")[0]
            row[category] = "" if hide else row[category]
            writer.writerow(row)
    (work / "some.csv").rename(work / "items.csv")
    draw = np.random.default_rng(2)
    with open(work / "events.csv", newline="") as log:
        reader = csv.reader(log)
        user = next(reader).index("user")
        users = sorted({row[user] for row in reader})
    (work / "seed.txt").write_text("\n".join(users[place] for place in draw.choice(len(users), 20_000, replace=False)) + "\n")
    ends = draw.integers(len(users), size=(LINKS, 2))
    with open(work / "links.csv", "w") as out:
        out.write("a,b\n")
        out.writelines(f"{users[a]},{users[b]}\n" for a, b in ends.tolist() if a != b)
    plain = (work / "shop.toml").read_text()
    (work / "links.toml").write_text(plain + f'\n[[data.relations]]\nname = "friend"\ntable = ["{work}/links.csv"]\nfrom = "a"\nto = "b"\n')
    (work / "content.toml").write_text(plain + '\n[[data.items.vectors]]\nname = "words"\ntext = ["name"]\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results/million.json")
    options = parser.parse_args()
    work = options.work or pathlib.Path(tempfile.mkdtemp(prefix="penchant-million-"))
    work.mkdir(parents=True, exist_ok=True)
    penchant, data, model = options.build / "penchant", work / "shop.data", work / "shop.model"
    if not (work / "content.toml").exists():
        shop(work, penchant)
    if not data.exists():
        run([penchant, "ingest", "--config", work / "shop.toml", "--out", data, "--quiet"])
    if not model.exists():
        run([penchant, "train", data, "--out", model, "--quiet", *(word for key, value in TRAINING.items() for word in ("--set", f"{key}={value}"))])
    import pyarrow.parquet as pq

    user, item = (pq.read_table(data / f"{name}.parquet", columns=["raw_id"])["raw_id"][7].as_py() for name in ("users", "items"))
    values = pq.read_table(data / "items.parquet", columns=["category"])["category"]
    category = next(value for value in values.to_pylist() if value)
    both = [data, model]
    verbs = {
        "ingest": ["ingest", "--config", work / "shop.toml", "--out", work / "again.data"],
        "content": ["ingest", "--config", work / "content.toml", "--out", work / "content.data"],
        "links": ["ingest", "--config", work / "links.toml", "--out", work / "links.data"],
        "recommend_user": ["recommend", *both, "--user", user],
        "audience_interest": ["audience", *both, "--interest", f'category = "{category}"', "--size", 10_000, "--out", work / "interest.parquet"],
        "audience_seed": ["audience", *both, "--seed", work / "seed.txt", "--size", 10_000, "--out", work / "seed.parquet"],
        "tag": ["tag", *both, "--attribute", "category", "--out", work / "tags.parquet"],
        "tag_suspicious": ["tag", *both, "--attribute", "category", "--suspicious", "--out", work / "odd.parquet"],
        "similar_user": ["similar", *both, "--user", user],
        "explain": ["explain", *both, "--user", user, "--item", item],
        "compress_int8": ["compress", *both, "--vectors", "int8", "--out", work / "int8.compressed"],
        "compress_pq": ["compress", *both, "--vectors", "pq", "--out", work / "pq.compressed"],
    }
    result = json.loads(options.out.read_text()) if options.out.exists() else {"verbs": {}}
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    facts = json.loads((data / "manifest.json").read_text())
    result |= {"bench": "million", "date": datetime.date.today().isoformat(), "commit": commit, "machine": machine(),
               "users": facts["num_users"], "items": facts["num_items"], "training_rows": facts["num_train"], "links": LINKS,
               "vectors_bytes": sum(path.stat().st_size for path in model.rglob("*") if "vectors" in path.parts)}
    for name, command in verbs.items():
        if options.only and name not in options.only:
            continue
        found = watched([penchant, *command])
        print(name, json.dumps(found), flush=True)
        result["verbs"][name] = found
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
