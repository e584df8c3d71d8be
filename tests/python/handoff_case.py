# SPDX-License-Identifier: Apache-2.0
"""What every neighbour of penchant.handoff is held to: its own library reads back what was handed to it and ranks for users as the model
does, the same 20 items in the same order where the search is exact, a share of them where it is not. And what happens to bad ids, bad
targets, and in the middle."""
import contextlib
import functools
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest

import numpy
import penchant
import shop
from penchant import handoff

os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")  # Chroma
os.environ.setdefault("LANCEDB_LOG", "error")
K, USERS = 20, 200
REQUIRED = os.environ.get("PENCHANT_STORES") == "1"  # then no library may be missing
FOLDER = shop.FOLDER / "stores"


@functools.cache
def truth():
    """Users' vectors, and the model's own ids and scores for them [USERS x K]."""
    model = shop.wide_model()
    table = model.recommend(model.user_ids.to_pylist()[:USERS], K, seen="keep", ranking="vectors", progress=False)
    ids = numpy.array(table["item_id"].to_pylist()).reshape(USERS, K)
    return model.user_vectors[:USERS], ids, table["score"].to_numpy().reshape(USERS, K)


def odd(rows=40, width=5):
    """Ids of all kinds of text, and vectors of which two are zero and some products negative."""
    texts = ["0", "007", "7", " 7 ", "1095275", "a,b", 'quoted "id"', "it's", "a/b:c#d?e", "Ärmel", "手袋", "🧤", "-1", "NULL", "a\tb", "a\nb", "%s {x}",
             "x" * 300]
    ids = texts + [f"i{row}" for row in range(len(texts), rows)]
    vectors = numpy.random.default_rng(5).standard_normal((rows, width)).astype(numpy.float32)
    vectors *= numpy.geomspace(0.1, 10, rows, dtype=numpy.float32)[:, None]
    vectors[[3, 20]] = 0
    return ids, vectors


def rows_of(embeddings):
    """Raw ids and vectors of the items of an X.embeddings."""
    with open(f"{embeddings}/items.ids.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines], numpy.load(f"{embeddings}/items.npy")


@functools.cache
def half_of(old, new):
    """The share of their length by which half of the items moved by no more."""
    return shop.delta_of(old, new, 0)[0].movement()["share"].to_pylist()[3]


class Store(shop.Case):
    """Of a subclass: `libraries`; to(source, name, **options) hands off, ask(handoff, queries, k) gives ids [B x k]."""

    libraries = ()

    @classmethod
    def setUpClass(cls):
        for library in cls.libraries:
            if importlib.util.find_spec(library) is None:
                if REQUIRED:
                    raise AssertionError(f"{library} is not installed, but PENCHANT_STORES=1 says that all are")
                raise unittest.SkipTest(f"{library} is not installed")
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir()

    def check_exact(self, **options):
        users, ids, scores = truth()
        made = self.to(shop.wide_model(), "exact", **{"overwrite": True, **options})
        self.assertEqual(made, self.same(made))
        self.assertEqual(len(shop.wide_model().item_ids), made.rows)
        got = numpy.array(self.ask(made, made.queries(users), K))
        # What the model's scores hold apart by more than float32's rounding is in its order; neighbours closer than that may change
        # places, and at the end of a list with what comes behind it.
        tolerance = 8 * numpy.finfo(numpy.float32).eps * numpy.abs(scores).max() * (1 + made.added * 4)
        model = shop.wide_model()
        place = {text: row for row, text in enumerate(model.item_ids.to_pylist())}
        theirs = numpy.array([[model.item_vectors[place[text]].astype(float) @ user for text in row] for row, user in zip(got, users)])
        self.assertLessEqual(numpy.abs(theirs - scores).max(), tolerance)
        self.assertTrue(all(len(set(row)) == K for row in got))
        self.assertGreater((got == ids).mean(), 0.99)  # ties are few
        return made

    def check_recall(self, floor, **options):
        users, ids, _ = truth()
        made = self.to(shop.wide_model(), "near", **{"overwrite": True, **options})
        got = self.ask(made, made.queries(users), K)
        recall = numpy.mean([len(set(mine) & set(theirs)) / K for mine, theirs in zip(ids, got)])
        print(f"{made.store}, {made.dtype}, {made.note}: recall@{K} {recall:.4f}")
        self.assertGreaterEqual(recall, floor)
        return made

    def check_odd(self, k=10, **options):
        """All raw ids survive, and an item of zeros stands where its score 0 belongs."""
        ids, vectors = odd()
        made = self.to((ids, vectors), "odd", **{"overwrite": True, **options})
        self.assertEqual(2, made.zero_rows)
        self.assertIn("zero_rows 2 (score 0 with everything)", str(made))
        users = numpy.random.default_rng(6).standard_normal((8, vectors.shape[1])).astype(numpy.float32)
        got = self.ask(made, made.queries(users), k)
        want = [[ids[row] for row in numpy.argsort(-(vectors.astype(float) @ user), kind="stable")[:k]] for user in users]
        self.assertEqual(want, [list(row) for row in got])
        everything = self.ask(made, made.queries(users[:1]), len(ids))[0]
        self.assertEqual(sorted(ids), sorted(everything))
        return made

    def same(self, made):
        return handoff.load(made.target) if os.path.exists(f"{made.target}.json") else made

    def check_target(self, **options):
        """What is there stays, unless overwrite=True; a failure half way, and bad ids, leave it as it is."""
        ids, vectors = odd()
        some = (ids[:20], vectors[:20])
        first = self.to(some, "there", **options)
        with self.assertRaisesRegex(penchant.InputError, "is there already; overwrite=True replaces it"):
            self.to((ids, vectors), "there", **options)
        for bad, text in ((([*ids[:-1], ids[0]], vectors), "the id '0' is there twice, in rows 0 and 39"),
                          ((ids, numpy.where(vectors == vectors[7, 1], numpy.inf, vectors)), "has a number that is not finite")):
            with self.assertRaisesRegex(penchant.InputError, text):
                self.to(bad, "there", **options, overwrite=True)
        queries = first.queries(vectors[:3])
        before = self.ask(first, queries, 5)
        if self.keeps_old:
            with self.assertRaisesRegex(Exception, "the rows stop here"):
                with stopping():
                    self.to((ids, vectors), "there", **options, overwrite=True)
            self.assertEqual(numpy.asarray(before).tolist(), numpy.asarray(self.ask(first, queries, 5)).tolist())
        second = self.to((ids, vectors), "there", **options, overwrite=True)
        self.assertEqual(40, second.rows)
        self.assertEqual(sorted(ids), sorted(self.ask(second, queries[:1], 40)[0]))
        with self.assertRaisesRegex(Exception, "the rows stop here"):
            with stopping():
                self.to((ids, vectors), "new", **options)
        third = self.to((ids, vectors), "new", **options)  # nothing was left that would be in the way
        self.assertEqual(40, third.rows)

    keeps_old = True
    halfway = False  # of apply: a failure leaves some rows that are new

    def apply(self, delta, name):
        """Brings what to() wrote to what the delta leads to."""
        raise NotImplementedError

    def check_delta(self, floor=None, old=None, new=None, **options):
        """After a delta the store has the new rows, and ranks as they do; with every row that differs (of the plain form), and with half
        of them kept."""
        old, new = old or shop.wide_model(), new or shop.later_model()
        users = new.user_vectors[:USERS]
        for moved in ((half_of(old, new),) if options else (0, half_of(old, new))):
            delta, embeddings = shop.delta_of(old, new, moved)
            made = self.to(old, "delta", **options, overwrite=True)
            applied = self.apply(delta, "delta")
            counts = delta.items
            self.assertEqual((counts["new"] + counts["moved"], counts["removed"], counts["rows"]),
                             (applied.written, applied.removed, applied.rows))
            made = self.same(made)
            got = self.ask(made, made.queries(users), K)
            self.check_ranking(embeddings, users, got, floor, made.added)
            again = self.apply(delta, "delta")  # of a call that was not sure to have ended
            self.assertEqual((0, counts["rows"]), (again.removed, again.rows))
            self.check_ranking(embeddings, users[:20], self.ask(self.same(made), made.queries(users[:20]), K), floor, made.added)
        self.check_delta_refusals(delta, made, old, **options)

    def check_ranking(self, embeddings, users, got, floor, added):
        ids, vectors = rows_of(embeddings)
        scores = users.astype(float) @ vectors.astype(float).T
        best = numpy.argsort(-scores, axis=1, kind="stable")[:, :K]
        want = [[ids[row] for row in each] for each in best]
        recall = numpy.mean([len(set(mine) & set(theirs)) / K for mine, theirs in zip(want, got)])
        if floor is not None:
            return self.assertGreaterEqual(recall, floor)
        place = {text: row for row, text in enumerate(ids)}
        theirs = numpy.array([[scores[user, place[text]] for text in row] for user, row in enumerate(got)])
        tolerance = 8 * numpy.finfo(numpy.float32).eps * numpy.abs(scores).max() * (1 + added * 4)
        self.assertLessEqual(numpy.abs(theirs - numpy.take_along_axis(scores, best, 1)).max(), tolerance)
        self.assertGreater((numpy.array(got) == numpy.array(want)).mean(), 0.99)

    def check_delta_refusals(self, delta, made, old, **options):
        """Stores that are not where the delta begins stay as they are."""
        ids, vectors = rows_of(shop.embeddings_of(old))
        kept = delta.kept()["raw_id"].to_pylist()
        row = ids.index(kept[7])
        other = vectors.copy()
        other[row, 0] *= 1.25
        fewer = [place for place in range(len(ids)) if place != row]
        queries = made.queries(vectors[:3])
        for source, text in (((ids, other), "has another row for"),
                             (([ids[place] for place in fewer], vectors[fewer]), "of which the delta leaves as they")):
            there = self.to(source, "delta", **options, overwrite=True)
            before = self.ask(there, queries, 5)
            with self.assertRaisesRegex(penchant.InputError, text):
                self.apply(delta, "delta")
            self.assertEqual(numpy.asarray(before).tolist(), numpy.asarray(self.ask(there, queries, 5)).tolist())
        there = self.to((ids, vectors), "delta", **options, overwrite=True)
        before = self.ask(there, queries, 5)
        with self.assertRaisesRegex(Exception, "the rows stop here"):
            with stopping():
                self.apply(delta, "delta")
        if not self.halfway:
            self.assertEqual(numpy.asarray(before).tolist(), numpy.asarray(self.ask(there, queries, 5)).tolist())
        self.assertEqual(delta.items["rows"], self.apply(delta, "delta").rows)
        with self.assertRaises((penchant.InputError, FileNotFoundError)):
            self.apply(delta, "nowhere")

    def check_killed(self, function, target):
        """Killed with ten rows in: what is left is in nobody's way."""
        code = ("import os, signal, sys\nimport handoff_case\nfrom penchant import handoff\nfrom penchant.handoff._written import Written\n"
                "def blocks(self, size=0):\n    yield 0, self.given.ids[:10], self.block(0, 10)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
                f"Written.blocks = blocks\nhandoff.{function}(handoff_case.odd(), {str(target)!r}, 'killed')")
        child = subprocess.run([sys.executable, "-c", code], cwd=pathlib.Path(__file__).parent, capture_output=True, text=True)
        self.assertEqual(-signal.SIGKILL, child.returncode, child.stderr)
        made = getattr(handoff, function)(odd(), target, "killed")
        self.assertEqual((40, "killed"), (made.rows, made.target))


@contextlib.contextmanager
def stopping():
    """Rows that end with an error after ten."""
    from penchant.handoff._written import Written

    def blocks(self, size=65536):
        yield 0, self.given.ids[:10], self.block(0, 10)
        raise RuntimeError("the rows stop here")

    blocks_before, Written.blocks = Written.blocks, blocks
    try:
        yield
    finally:
        Written.blocks = blocks_before


class File(Store):
    """An index file: a full disk and a killed process leave no file of its name."""

    function = ""

    def to(self, source, name, **options):
        return getattr(handoff, self.function)(source, FOLDER / name, **options)

    def apply(self, delta, name):
        return getattr(handoff, f"apply_{self.function}")(delta, FOLDER / name)

    def ids(self, made, rows):
        names = made.read_ids()
        return [[names[row] for row in each] for each in rows]

    def check_disk(self, **options):
        code = (f"import signal, resource, numpy, penchant\nfrom penchant import handoff\n"
                f"rng = numpy.random.default_rng(1)\nrows = ([str(i) for i in range(3000)], rng.standard_normal((3000, 64)).astype('float32'))\n"
                "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\nimport sys\n"
                f"try: handoff.{self.function}(rows, {str(FOLDER / 'full')!r}, **{options!r})\n"
                "except (OSError, handoff.StoreError) as error: print('refused'); sys.exit(7)")
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        self.assertEqual((7, "refused\n"), (child.returncode, child.stdout), child.stderr)
        self.assertEqual([], [path.name for path in FOLDER.iterdir() if "full" in path.name])

    def check_kill(self, **options):
        """Killed with all rows in and the file not yet there."""
        code = ("import os, signal, numpy\nfrom penchant import handoff\nfrom penchant.handoff import _target\n"
                "_target.NewFiles.finish = lambda *rest: os.kill(os.getpid(), signal.SIGKILL)\n"
                f"handoff.{self.function}((['a', 'b', 'c'] + [str(i) for i in range(300)], numpy.ones((303, 8), 'float32')), "
                f"{str(FOLDER / 'killed')!r}, **{options!r})")
        self.assertEqual(-signal.SIGKILL, subprocess.run([sys.executable, "-c", code]).returncode)
        self.assertFalse((FOLDER / "killed").exists())
        self.assertFalse((FOLDER / "killed.json").exists())

    def check_file(self, **options):
        """What holds for every file, whatever its search is."""
        self.check_odd(**options)
        self.check_target(**options)
        self.check_disk(**options)
        self.check_kill(**options)
