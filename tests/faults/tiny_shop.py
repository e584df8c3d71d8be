# SPDX-License-Identifier: Apache-2.0
"""A tiny generated shop and, for every verb, what to run on it.

A scenario is a command line in a folder that holds copies of what it needs. All run on one thread: then the n-th call is
the same call each time.
"""
import dataclasses
import os
import re
import shutil
import subprocess

SMALL = ["--set", "model.embedding_dim=8"]
SHORT = ["--set", "train.epochs=2", "--set", "train.batch_size=64"]
LIGHTGCN = ["--set", "model.kind=lightgcn", *SMALL, *SHORT]
INTEREST = ["--set", "model.kind=interest", "--set", "model.hidden_dim=8", "--set", "model.sequence=lstm", *SMALL, *SHORT]
AUTO = ["--set", "model.kind=auto", "--set", "filter.rank=8", *SMALL]


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    arguments: tuple
    needs: tuple
    resume: tuple = ()  # words that a repeated run takes where there is a checkpoint
    output_may_differ: bool = False  # it says what it had to do
    scratch: str = ""  # folder for what is on the way, emptied in the end


def environment(**more):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PENCHANT_", "OMP_", "LD_PRELOAD"))}
    return {**kept, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", **more}


def scenarios():
    def scenario(name, arguments, needs, resume=()):
        return Scenario(name, (*arguments.split(), "--threads", "1", "--quiet"), tuple(needs.split()), resume)

    def train(name, settings, needs="d.data"):
        return Scenario(name, ("train", "d.data", "--out", "new.model", *settings, "--threads", "1", "--quiet"),
                        tuple(needs.split()), ("--resume",))

    return [
        scenario("generate", "generate --out new --events 300 --users 30 --items 20 --truth", ""),
        scenario("ingest", "ingest --config shop/shop.toml --log shop/old.csv --out new.data", "shop"),
        scenario("ingest over", "ingest --config shop/shop.toml --log shop/old.csv --out d.data", "shop d.data"),
        scenario("append", "append d.data --log shop/new.csv --out new.data", "shop d.data"),
        scenario("append in place", "append d.data --log shop/new.csv", "shop d.data"),
        Scenario("forget", ("forget", "d.data", "--users", "some.txt", "--threads", "1", "--quiet"), ("d.data", "some.txt"),
                 output_may_differ=True),  # also which folders it could not look into
        scenario("graph", "graph d.data", "d.data"),
        scenario("partition", "partition d.data --parts 2", "d.data"),
        train("train lightgcn", LIGHTGCN),
        train("train interest", INTEREST),
        train("train filter", ["--set", "model.kind=graph_filter", "--set", "filter.rank=8"]),
        train("train auto", AUTO),
        Scenario("train over", ("train", "d.data", "--out", "l.model", *LIGHTGCN, "--seed", "3", "--threads", "1", "--quiet"),
                 ("d.data", "l.model"), ("--resume",)),
        scenario("update", "update d.data a.model --log shop/new.csv", "shop d.data a.model"),
        scenario("evaluate", "evaluate d.data a.model", "d.data a.model"),
        scenario("embed", "embed d.data l.model --out new.embeddings --format both", "d.data l.model"),
        scenario("embed delta", "embed d.data l2.model --out new.delta --since e.embeddings", "d.data l2.model e.embeddings"),
        scenario("apply", "apply e.embeddings e.delta --out new.embeddings", "e.embeddings e.delta"),
        scenario("recommend", "recommend d.data a.model --all-users --out new.csv", "d.data a.model"),
        scenario("recommend one", "recommend d.data i.model --user u1 --json", "d.data i.model"),
        scenario("similar", "similar d.data a.model --all-items --out new.parquet", "d.data a.model"),
        scenario("audience", "audience d.data a.model --seed seed.txt --size 5 --min-size 2 --out new.csv",
                 "d.data a.model seed.txt"),
        scenario("tag", "tag d.data l.model --attribute category --all-items --out new.csv", "d.data l.model"),
        scenario("compress", "compress d.data l.model --vectors int8 --out new.compressed", "d.data l.model"),
        scenario("score", "score d.data a.model --pairs shop/old.csv --out new.csv", "shop d.data a.model"),
        scenario("explain", "explain d.data l.model --user u1 --item i1", "d.data l.model"),
        Scenario("upgrade", ("upgrade", "d.data", "a.model", "--threads", "1", "--quiet"), ("d.data", "a.model"),
                 output_may_differ=True),
        scenario("report", "report a.model --data d.data --out new.html --users 0 --map-items 20", "d.data a.model"),
        scenario("pseudonym", "pseudonym --key k.key u1 u2", "k.key"),
        scenario("info", "info", ""),
        Scenario("ablate", ("ablate", "d.data", "--out", "new", "--only", "sequence_only", *SMALL, *SHORT, "--threads", "1",
                            "--quiet"), ("d.data",)),
        Scenario("replay", ("replay", "shop/shop.toml", "--work", "new", "--no-retraining", "--periods", "2", "--every", "60days",
                            "--set", "model.kind=graph_filter", "--set", "filter.rank=8", "--threads", "1", "--quiet"),
                 ("shop",), scratch="new"),
        Scenario("run", ("run", "shop/shop.toml", *LIGHTGCN, "--threads", "1", "--quiet"), ("shop",)),
    ]


def check_verbs(source):
    """Every verb of all_verbs has a scenario, or a reason for none."""
    without = {"serve": "never ends by itself"}
    with open(f"{source}/pipeline/config/setting_uses.cc") as file:
        listed = re.findall(r'^      \{"(\w+)",', file.read().split("all_verbs() {")[1], re.MULTILINE)
    missing = set(listed) - {scenario.arguments[0] for scenario in scenarios()} - without.keys()
    if missing or len(listed) < 20:
        raise SystemExit(f"faults: no scenario for {sorted(missing)} of {len(listed)} verbs")


def build(program, folder):
    """What scenarios need, in `folder`, which is new."""
    def run(*arguments):
        result = subprocess.run([program, *arguments, "--threads", "1", "--quiet"], cwd=folder, env=environment(),
                                capture_output=True, text=True)
        if result.returncode != 0:
            raise SystemExit(f"faults: the tiny shop: {' '.join(arguments)}: {result.stderr}")

    os.makedirs(folder)
    run("generate", "--out", "shop", "--events", "900", "--users", "80", "--items", "40")
    with open(f"{folder}/shop/events.csv") as file:
        lines = file.readlines()
    with open(f"{folder}/shop/old.csv", "w") as file:
        file.writelines(lines[:700])
    with open(f"{folder}/shop/new.csv", "w") as file:
        file.writelines(lines[:1] + lines[700:])
    with open(f"{folder}/shop/shop.toml") as file:
        settings = file.read()
    with open(f"{folder}/shop/shop.toml", "w") as file:
        file.write(settings.replace('repeats = "sum"', 'repeats = "keep_all"'))
    users = sorted({line.split(",")[0] for line in lines[1:700]})
    for name, count in (("seed.txt", 25), ("some.txt", 3)):
        with open(f"{folder}/{name}", "w") as file:
            file.write("".join(f"{user}\n" for user in users[:count]))
    run("pseudonym", "--new-key", "k.key")
    run("ingest", "--config", "shop/shop.toml", "--log", "shop/old.csv", "--out", "d.data")
    run("train", "d.data", "--out", "l.model", *LIGHTGCN)
    run("train", "d.data", "--out", "l2.model", *LIGHTGCN, "--seed", "9")
    run("train", "d.data", "--out", "i.model", *INTEREST)
    run("train", "d.data", "--out", "a.model", *AUTO)
    run("embed", "d.data", "l.model", "--out", "e.embeddings")
    run("embed", "d.data", "l2.model", "--out", "e.delta", "--since", "e.embeddings")


def lay_out(base, scenario, folder):
    """A folder with copies of what the scenario needs."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name in scenario.needs:
        if os.path.isdir(f"{base}/{name}"):
            shutil.copytree(f"{base}/{name}", f"{folder}/{name}")
        else:
            shutil.copy2(f"{base}/{name}", f"{folder}/{name}")
