#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""evaluators.py [--build FOLDER] [--environments FOLDER] [--only NAMES] [--out FILE]: Penchant's own lists given to other evaluators.

A small data set is made here, Penchant trains a graph filter on it, judges itself, and its full lists go to each evaluator
(evaluator_calls.py, each in the environment that evaluators.sh made). Every number that comes back is compared with what FINDINGS expects:
Penchant's own value, or that of a formula computed here from the same lists (so that the reason for a difference is shown to be the
reason), or what was computed with a flag. Prints a table, writes FILE, and exits with 1 if an expectation is not met. docs/comparing.md is
written from FILE."""
import argparse
import datetime
import json
import math
import os
import pathlib
import platform
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
K = 10
NUM_USERS, NUM_ITEMS = 60, 120
NEW_ITEMS = set(range(110, 120))
FLOAT32 = 2e-7  # the relative error allowed of those that compute in float32; all others: 1e-9

# Of each evaluator: environment, tolerance, {label: (formula of FORMULAS, or "penchant NAME" where another metric of Penchant is meant, reason)}.
# Labels that are not named here must be equal to Penchant's value of the same name.
MAP_ALL = ("map by all", "divides by all held-out items, not by min(K, held-out items)")
EVALUATORS = {
    "pytrec_eval": ("lists", 1e-9, {"map@10": MAP_ALL}),
    "ir_measures": ("lists", 1e-9, {"map@10": MAP_ALL}),
    "ranx": ("lists", 1e-9, {"map@10": MAP_ALL}),
    "recbole": ("torch", 1e-9, {"auc (GAUC)": ("auc by positives", "users weigh as much as they have held-out items; ties count half")}),
    "implicit": ("lists", 1e-9, {
        "precision@10": ("precision pooled", "hits of all users over the sum of min(K, held-out items)"),
        "auc": ("auc in list", "ranks inside the list of K; training items count among the negatives")}),
    "rectools": ("rectools", 1e-9, {
        "ndcg@10": ("ndcg by K", "the ideal list has K hits, whatever the user has"),
        "ndcg@10, divide_by_achievable=True": ("penchant ndcg@10", ""),
        "map@10": MAP_ALL,
        "map@10, divide_by_k=True": ("map by K", "divides by K")}),
    "torchmetrics": ("torch", FLOAT32, {
        "map@10": ("map by hits", "divides by the hits in the list"),
        "ndcg@10, lists of 10 alone": ("ndcg of hits", "the ideal is made of the hits in the list; users without a hit are skipped"),
        "recall@10, lists of 10 alone": ("recall of hits", "held-out items outside the list do not exist; users without a hit are skipped"),
        "ndcg@10, without empty_target_action": ("penchant ndcg@10", "")}),
    "lenskit": ("torch", FLOAT32, {
        "ndcg@10": ("ndcg with equal first ranks", "ranks 1 and 2 weigh the same"),
        "ndcg@10, weight=LogRankWeight(offset=1)": ("penchant ndcg@10", ""),
        "recall@10": ("recall by min", "divides by min(K, held-out items)")}),
    "cornac": ("cornac", 1e-9, {
        "map": ("map of all ranks", "over the full ranking; a tie counts as lost"),
        "auc": ("auc without ties", "a tie counts as lost")}),
    "replay": ("replay", 1e-9, {"auc (RocAuc)": ("auc of hits in list", "ranks inside the list of K")}),
    "recommenders": ("recommenders", 1e-9, {
        "map@10 (map_at_k)": ("penchant map@10", ""),
        "map@10 (map)": MAP_ALL}),
}
# What becomes of users with a list but nothing held out, and of users with held-out items but no list: "left out", "zero", or else a note.
USERS = {
    "pytrec_eval": ("left out", "left out"), "ir_measures": ("left out", "zero"), "ranx": ("refused", "refused"),
    "recbole": ("left out", "asks for the scores itself"), "implicit": ("left out", "asks for the lists itself"),
    "rectools": ("left out", "zero"), "torchmetrics": ("left out", "left out"), "lenskit": ("zero", "left out"),
    "cornac": ("left out", "asks for the scores itself"), "replay": ("left out", "zero"), "recommenders": ("left out", "ndcg@10 zero, recall@10 left out"),
}


def write_data(folder):
    """Four tastes, a few items that everybody knows, ten that nobody has touched yet (their scores are tied); seven users of eight have 1 to
    14 held-out items. The same on every machine."""
    draw = random.Random(7)
    train, test = {}, {}
    popular = [1 / (1 + item % 40) for item in range(NUM_ITEMS)]
    for user in range(NUM_USERS):
        own = [item for item in range(NUM_ITEMS) if item % 4 == user % 4]

        def pick(share):
            return draw.choice(own) if draw.random() < share else draw.choices(range(NUM_ITEMS), popular)[0]
        history, held, wanted = set(), set(), draw.randint(6, 25)
        while len(history) < wanted:
            history |= {pick(0.7)} - NEW_ITEMS
        wanted = 0 if user % 8 == 7 else draw.choice([1, 1, 2, 3, 5, 8, 12, 14])
        while len(held) < wanted:
            item = pick(0.6)
            held |= {item} - history
            if len(history | held) == NUM_ITEMS:
                break
        train[str(user)] = [str(item) for item in sorted(history)]
        if held:
            test[str(user)] = [str(item) for item in sorted(held)]
    known = {item for rows in (train, test) for items in rows.values() for item in items}
    test["0"] += [str(item) for item in range(NUM_ITEMS) if str(item) not in known]  # the catalogue is complete
    for name, rows in (("train", train), ("test", test)):
        (folder / f"{name}.txt").write_text("".join(f"{user} {' '.join(items)}\n" for user, items in rows.items()))
    return train, test


def penchants_lists(penchant, folder):
    """Data for the evaluators, and Penchant's own metrics."""
    def ask(*arguments):
        child = subprocess.run([penchant, *map(str, arguments), "--quiet"], capture_output=True, text=True)
        if child.returncode != 0:
            sys.exit(f"evaluators: {child.stderr.strip()}")
        return child.stdout
    train, truth = write_data(folder)
    data, model = folder / "shop.data", folder / "shop.model"
    ask("ingest", "--format", "lightgcn", "--train", folder / "train.txt", "--test", folder / "test.txt", "--out", data,
        "--set", "data.split.validation_fraction=0")
    ask("train", data, "--out", model, "--device", "cpu", "--set", "model.kind=graph_filter")
    own = json.loads(ask("evaluate", data, model, "--ranking", "full", "--json", "--set", "evaluate.cutoffs=[10]"))
    lists, scores = {}, {}
    for user in train:
        found = json.loads(ask("recommend", data, model, "--ranking", "full", "--user", user, "--k", NUM_ITEMS, "--json"))["items"]
        lists[user] = [row["item"] for row in found]
        scores[user] = {row["item"]: row["score"] for row in found}
    # A user without a single hit would hide what becomes of users without a list.
    dropped = next(user for user in truth if set(lists[user][:K]) & set(truth[user]))
    return {"num_items": NUM_ITEMS, "lists": lists, "scores": scores, "truth": truth, "train": train, "dropped": dropped}, own


def formulas(data):
    """{name: mean over users}: the ways in which evaluators differ, in plain loops."""
    found, pooled_hits, pooled_wanted, weighted, positives = {}, 0, 0, 0.0, 0

    def add(name, value):
        found.setdefault(name, []).append(value)
    for user, held in data["truth"].items():
        held, items, scores = set(held), data["lists"][user], data["scores"][user]
        top, few = [item in held for item in items[:K]], min(K, len(held))
        discounted = sum(hit / math.log2(rank + 2) for rank, hit in enumerate(top))
        add("ndcg by K", discounted / sum(1 / math.log2(rank + 2) for rank in range(K)))
        if any(top):
            add("ndcg of hits", discounted / sum(1 / math.log2(rank + 2) for rank in range(sum(top))))
            add("recall of hits", 1.0)
        flat = [1 / max(1.0, math.log2(rank)) for rank in range(1, K + 1)]
        add("ndcg with equal first ranks", sum(hit * weight for hit, weight in zip(top, flat)) / sum(flat[:few]))
        add("recall by min", sum(top) / few)

        def precisions(marks):
            return sum(sum(marks[:rank + 1]) / (rank + 1) for rank, hit in enumerate(marks) if hit)
        add("map by all", precisions(top) / len(held))
        add("map by K", precisions(top) / K)
        add("map by hits", precisions(top) / sum(top) if any(top) else 0)
        of_held = [scores[item] for item in held]
        add("map of all ranks", sum(sum(other >= one for other in of_held) / sum(other >= one for other in scores.values())
                                    for one in of_held) / len(held))
        pooled_hits += sum(top)
        pooled_wanted += few

        negatives = [scores[item] for item in items if item not in held]

        def auc(tie):
            return sum(sum((scores[one] > other) + tie * (scores[one] == other) for other in negatives) for one in held) / (
                len(held) * len(negatives))
        add("auc without ties", auc(0))
        weighted += auc(0.5) * len(held)
        positives += len(held)
        add("auc of hits in list", list_auc(top))
        add("auc in list", auc_beyond_list(top, len(held), data["num_items"] - len(held)))
    result = {name: sum(values) / len(values) for name, values in found.items()}
    return result | {"precision pooled": pooled_hits / pooled_wanted, "auc by positives": weighted / positives}


def list_auc(marks):
    """The share of (hit, miss) pairs of a list that stand in that order; 0 without a hit, 1 without a miss."""
    hits, misses = sum(marks), len(marks) - sum(marks)
    if hits == 0:
        return 0.0
    if misses == 0:
        return 1.0
    below = sum(sum(1 for later in marks[rank + 1:] if not later) for rank, hit in enumerate(marks) if hit)
    return below / (hits * misses)


def auc_beyond_list(marks, positives, negatives):
    """implicit's: what the list tells, then a straight line to all positives and all negatives."""
    hits, misses, area = 0, 0, 0.0
    for hit in marks:
        if hit:
            hits += 1
        else:
            misses += 1
            area += hits
    return (area + (hits + positives) / 2 * (negatives - misses)) / (positives * negatives)


def close(one, other, tolerance):
    return abs(one - other) <= tolerance * max(1.0, abs(other))


def judge(name, answer, own, by_formula):
    """Rows of the table and what was not as expected."""
    _, tolerance, differences = EVALUATORS[name]
    rows, wrong = {}, []
    for label, value in answer["same"].items():
        formula, reason = differences.get(label, (f"penchant {label}", ""))
        expected = own[formula.removeprefix("penchant ")] if formula.startswith("penchant ") else by_formula[formula]
        metric = label.split(",")[0].split(" (")[0]
        rows[label] = {"value": value, "equal": metric in own and close(value, own[metric], tolerance), "reason": reason}
        if not close(value, expected, tolerance):
            wrong.append(f"{name}, {label}: {value!r}, expected {expected!r} ({formula})")
    missing = [label for label in differences if label not in rows]
    return rows, wrong + [f"{name}: no answer for {label}" for label in missing]


def users_treated(name, answer, data):
    """(users without truth, users without list), each "left out", "zero", "refused: ..." or "otherwise", by NDCG and recall."""
    tolerance = EVALUATORS[name][1]
    same = answer["same"]
    num_users = len(data["truth"])
    result = []
    for variant, share in (("lists without truth", num_users / len(data["lists"])), ("truth without list", None)):
        if "error" in answer[variant]:
            error = answer[variant]["error"]
            result.append(error.removeprefix("LookupError: ") if error.startswith("LookupError: asks") else f"refused: {error}")
            continue
        kinds = {}
        for metric in ("ndcg@10", "recall@10", "precision@10", "hit_rate@10", "mrr@10", "map@10"):
            label = next((one for one in answer[variant] if one == metric or one.startswith(f"{metric} (")), None)
            if label is None:
                continue
            value = answer[variant][label]
            if share is not None:
                left_out, zero = same[label], same[label] * share
            else:
                lost = answer["of dropped"][label]
                zero = same[label] - lost / num_users
                left_out = zero * num_users / (num_users - 1)
            kinds[metric] = ("left out" if close(value, left_out, tolerance) else "zero" if close(value, zero, tolerance) else "otherwise")
        values = set(kinds.values())
        result.append(values.pop() if len(values) == 1 else ", ".join(f"{metric} {kind}" for metric, kind in kinds.items()))
    return tuple(result)


def ask(name, environments, path):
    python = environments / EVALUATORS[name][0] / "bin/python"
    if not python.exists():
        return {"missing": f"no environment {EVALUATORS[name][0]}: run evaluators.sh"}
    child = subprocess.run([python, ROOT / "bench/peers/evaluator_calls.py", name, path], capture_output=True, text=True)
    if child.returncode != 0:
        return {"missing": (child.stderr.strip().splitlines() or ["no reason given"])[-1]}
    return json.loads(child.stdout.strip().splitlines()[-1])


def machine():
    with open("/proc/cpuinfo") as lines:
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    return {"cpu": cpu, "cores": os.cpu_count(), "system": platform.platform()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--environments", type=pathlib.Path, default=ROOT / "build/peers/evaluators")
    parser.add_argument("--only", help="evaluators, separated by commas; all without it")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results/evaluators.json")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(EVALUATORS)
    result, wrong = {}, []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        data, own = penchants_lists(options.build / "penchant", folder)
        by_formula = formulas(data)
        path = folder / "data.json"
        path.write_text(json.dumps(data))
        for name in names:
            answer = ask(name, options.environments, path)
            if "missing" in answer or "error" in answer["same"]:
                reason = answer.get("missing") or answer["same"]["error"]
                print(f"{name}: not measured: {reason}")
                wrong.append(f"{name}: {reason}")
                continue
            rows, unexpected = judge(name, answer, own["full"], by_formula)
            wrong += unexpected
            users = users_treated(name, answer, data)
            for found, expected in zip(users, USERS[name]):
                if not found.startswith(expected):
                    wrong.append(f"{name}, users: {found}, expected {expected}")
            result[name] = {"version": answer["version"], "rows": rows,
                            "users": {"list without held-out items": users[0], "held-out items without list": users[1]}}
            print(f"\n{name} {answer['version']}")
            for label, row in rows.items():
                verdict = "= Penchant" if row["equal"] else row["reason"]
                print(f"  {label:42} {row['value']:.9f}  {verdict}")
            print(f"  users with a list, nothing held out: {users[0]}; users with held-out items, no list: {users[1]}")
    print("\nPenchant  " + ", ".join(f"{name} {value:.9f}" for name, value in own["full"].items()))
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True)
    facts = {"bench": "evaluators", "date": datetime.date.today().isoformat(), "commit": commit.stdout.strip(), "machine": machine(),
             "users": NUM_USERS, "judged_users": own["num_users"], "items": NUM_ITEMS, "penchant": own["full"],
             "formulas": by_formula, "evaluators": result, "unexpected": wrong}
    if not options.only:
        options.out.write_text(json.dumps(facts, indent=2) + "\n")
    for line in wrong:
        print(f"evaluators: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
