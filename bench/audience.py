# SPDX-License-Identifier: Apache-2.0
"""audience.py: of the households that buy from a category for the first time in the test period, how many are in the best 5 %.

usage: audience.py [--build build/release] [--data DATA] [--seeds 1,2,3] [--budget 60s] [--out bench/results/audience.json]

Complete Journey's sample. The 20 categories with the most first-time buyers in the validation part, of those that at least 500
households have not bought from before it. Whoever has no row of a category before the test part is eligible. Each baseline's
setting (bench/peers/audiences.py) is chosen on the validation part: on a data set whose log ends where the test part begins and
whose test part is that validation part. Then everything is looked at once on the test part. `penchant audience` has no setting.
Needs numpy, pyarrow, scipy and scikit-learn."""
import argparse
import csv
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from compare import machine  # noqa: E402
from peers.audiences import DAY_MS, History, Rows, grid  # noqa: E402

SHARE, NUM_CATEGORIES, FEWEST_OPEN = 0.05, 20, 500
ROOT = pathlib.Path(__file__).resolve().parent.parent


def read_rows(data, part, category, department):
    user, item, time = (np.load(data / part / f"{name}.npy") for name in ("user", "item", "time_ms"))
    return Rows(user, category[item], department[item], time)


class Case:
    """One data set: its history, the categories asked about, and what happened in its test part."""

    def __init__(self, data):
        self.data = data
        items = pq.read_table(data / "items.parquet", columns=["product_category", "department"])
        self.users = pq.read_table(data / "users.parquet", columns=["raw_id"])["raw_id"].to_pylist()
        codes = {}
        for name in ("product_category", "department"):
            values = items[name].to_pylist()
            known = sorted({value for value in values if value is not None})
            place = {value: number for number, value in enumerate(known)}
            codes[name] = known, np.array([-1 if value is None else place[value] for value in values])
        self.names, category = codes["product_category"]
        departments, department = codes["department"]
        department_of = np.zeros(len(self.names), int)
        for number in range(len(self.names)):
            department_of[number] = np.bincount(department[(category == number) & (department >= 0)]).argmax()
        train, validation, self.test = (read_rows(data, part, category, department) for part in ("train", "validation", "test"))
        self.history = History(len(self.users), len(self.names), len(departments), department_of, train, validation,
                               int(self.test.time_ms.min()))
        before = self.history.counts(train) > 0
        first = (self.history.counts(validation) > 0) & ~before
        order = np.argsort(-first.sum(0), kind="stable")
        self.categories = np.array([c for c in order if (~before[:, c]).sum() >= FEWEST_OPEN][:NUM_CATEGORIES])
        self.eligible = self.history.counts(self.history.known)[:, self.categories] == 0
        self.bought = (self.history.counts(self.test)[:, self.categories] > 0) & self.eligible

    def judge(self, scores):
        """Means over the categories at 5 %: recall of first-time buyers, precision, lift over random. Ties: the lower user."""
        recalls, precisions, lifts = [], [], []
        for place in range(len(self.categories)):
            people = np.flatnonzero(self.eligible[:, place])
            size = int(np.ceil(SHARE * len(people)))
            best = people[np.argsort(-scores[people, place], kind="stable")[:size]]
            hits, buyers = self.bought[best, place].sum(), self.bought[:, place].sum()
            recalls.append(hits / buyers)
            precisions.append(hits / size)
            lifts.append(hits / size / (buyers / len(people)))
        return {"recall": float(np.mean(recalls)), "precision": float(np.mean(precisions)), "lift": float(np.mean(lifts)),
                "recall_by_category": [round(float(recall), 4) for recall in recalls]}


def ingest(build, work, name, log, test_fraction):
    data = work / f"{name}.data"
    subprocess.run([build / "penchant", "ingest", "--config", ROOT / "examples/completejourney.toml", "--out", data, "--log", log,
                    "--set", f"data.split.test_fraction={test_fraction}", "--quiet"], check=True,
                   env={**os.environ, "PENCHANT_OUT": str(work)})
    return data


def log_before(log, case, to):
    """The lines of the log before the test part begins."""
    cut = datetime.datetime.fromtimestamp(case.history.cut_ms / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    with open(log) as source, open(to, "w", newline="") as target:
        reader = csv.reader(source)
        writer = csv.writer(target)
        header = next(reader)
        writer.writerow(header)
        time = header.index("transaction_timestamp")
        writer.writerows(row for row in reader if row[time] < cut)


def penchant_scores(build, work, case, seed, budget):
    """[U x categories] probabilities, and the period that they are of."""
    model = work / f"{case.data.stem}-{seed}.model"
    if not model.exists():
        subprocess.run([build / "penchant", "train", case.data, "--out", model, "--budget", budget, "--seed", str(seed), "--quiet"],
                       check=True)
    scores = np.full((len(case.users), len(case.categories)), np.nan)
    place_of = {user: place for place, user in enumerate(case.users)}
    said = {}
    for place, category in enumerate(case.categories):
        out = work / "audience.parquet"
        name = case.names[category].replace('"', '""')
        run = subprocess.run([build / "penchant", "audience", case.data, model, "--interest", f'product_category = "{name}"',
                              "--share", "100%", "--out", out, "--quiet", "--json"], check=True, capture_output=True, text=True)
        said = json.loads(run.stdout)
        table = pq.read_table(out)
        people = [place_of[user] for user in table["user_id"].to_pylist()]
        assert sorted(people) == np.flatnonzero(case.eligible[:, place]).tolist(), "who is eligible differs"
        scores[people, place] = table["probability"].to_numpy()
    return scores, said


def calibration(case, scores, period_days):
    """Probabilities beside what happened within the period that they are of: ten bins of as many pairs."""
    rows = case.test[case.test.time_ms <= case.history.cut_ms + period_days * DAY_MS]
    bought = (case.history.counts(rows)[:, case.categories] > 0) & case.eligible
    probability, label = scores[case.eligible], bought[case.eligible]
    bins = np.array_split(np.argsort(probability, kind="stable"), 10)
    table = [{"mean_probability": float(probability[pairs].mean()), "bought": float(label[pairs].mean())} for pairs in bins]
    return {"period_days": period_days, "pairs": int(label.size), "expected": float(probability.sum()), "bought": int(label.sum()),
            "expected_calibration_error": float(np.mean([abs(row["mean_probability"] - row["bought"]) for row in table])),
            "bins": table}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("PENCHANT_DATA", ROOT.parent / "shared/data"))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--choose-only", action="store_true", help="look at the validation part alone")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results/audience.json")
    options = parser.parse_args()
    work = options.work or pathlib.Path(tempfile.mkdtemp(prefix="penchant-audience-"))
    log = pathlib.Path(options.data) / "completejourney/transactions_sample.csv"
    test = Case(ingest(options.build, work, "test", log, 0.2))
    log_before(log, test, work / "before.csv")
    choice = Case(ingest(options.build, work, "choice", work / "before.csv", 0.1))

    chosen, on_validation = {}, {}
    for name, (method, settings) in grid.items():
        judged = [(choice.judge(method(choice.history, choice.categories, **setting))["recall"], setting) for setting in settings]
        on_validation[name], chosen[name] = max(judged, key=lambda pair: pair[0])
        print(f"validation: {name} {chosen[name]} {on_validation[name]:.4f}", flush=True)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    mine = [choice.judge(penchant_scores(options.build, work, choice, seed, options.budget)[0])["recall"] for seed in seeds]
    on_validation["penchant"] = mine
    print(f"validation: penchant {mine}", flush=True)
    if options.choose_only:
        return
    baselines = {name: test.judge(method(test.history, test.categories, **chosen[name])) for name, (method, _) in grid.items()}
    runs = []
    for seed in seeds:
        scores, said = penchant_scores(options.build, work, test, seed, options.budget)
        runs.append({"seed": seed, **test.judge(scores), "calibration": calibration(test, scores, said["period_days"])})
    best = max(baselines, key=lambda name: baselines[name]["recall"])
    recall = float(np.mean([run["recall"] for run in runs]))
    info = subprocess.run([options.build / "penchant", "info", "--json"], check=True, capture_output=True, text=True)
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True)
    import sklearn

    results = {
        "bench": "audience", "date": datetime.date.today().isoformat(), "commit": commit.stdout.strip(), "machine": machine(),
        "penchant": json.loads(info.stdout), "peers": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
        "unit": "share of first-time buyers of the test part among the best 5 % of eligible households, mean over 20 categories",
        "budget": options.budget, "categories": [test.names[category] for category in test.categories],
        "first_time_buyers": test.bought.sum(0).tolist(), "eligible": test.eligible.sum(0).tolist(),
        "validation": on_validation, "chosen": chosen, "baselines": baselines, "runs": runs,
        "recall": recall, "best_baseline": best, "ratio": recall / baselines[best]["recall"]}
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps({name: value["recall"] for name, value in baselines.items()}, indent=2))
    print(f"penchant {recall:.4f}, {results['ratio']:.3f} x {best}")


if __name__ == "__main__":
    main()
