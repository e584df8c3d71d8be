# SPDX-License-Identifier: Apache-2.0
"""Bars, warnings, other threads, and Ctrl-C: KeyboardInterrupt once a checkpoint is written, from which training goes on."""
import contextlib
import io
import pathlib
import subprocess
import sys
import threading
import unittest

import penchant
import shop

LONG = {**shop.QUICK, "train.epochs": 100000, "train.validate_every": 0}


class Sink:
    def __init__(self, on_update=None):
        self.calls, self.on_update = [], on_update

    def begin(self, stage):
        self.calls.append(("begin", stage))

    def update(self, done, total, detail):
        self.calls.append(("update", done))
        if self.on_update:
            self.on_update()

    def end(self, summary):
        self.calls.append(("end", summary))

    def warn(self, message):
        self.calls.append(("warn", message))

    def note(self, message):
        self.calls.append(("note", message))


class Progress(shop.Case):
    def test_stages_are_told(self):
        sink = Sink()
        penchant.train(shop.dataset(), shop.FOLDER / "told.model", progress=sink, **shop.QUICK)
        self.assertIn(("begin", "train"), sink.calls)
        self.assertIn("end", [call[0] for call in sink.calls])

    def test_a_bar_is_drawn_and_warnings_are_warnings(self):
        out = io.StringIO()
        with contextlib.redirect_stderr(out):
            penchant.train(shop.dataset(), shop.FOLDER / "bar.model", **shop.QUICK)
        self.assertIn("train", out.getvalue())
        with self.assertWarnsRegex(penchant.PenchantWarning, "rows rejected: missing user"):
            import pyarrow as pa

            rows = pa.table({"u": ["a", "b", None, "a", "b"], "i": ["x", "y", "x", "y", "x"]})
            penchant.ingest(rows, shop.FOLDER / "warned.data", user_column="u", item_column="i")

    def test_what_a_sink_raises_comes_back(self):
        class Broken(Exception):
            pass

        def fail():
            raise Broken("no more")

        with self.assertRaisesRegex(Broken, "no more"):
            penchant.train(shop.dataset(), shop.FOLDER / "broken.model", progress=Sink(fail), **LONG)

    def test_other_threads_run_meanwhile(self):
        ran = threading.Event()
        stop = threading.Event()

        def count():
            while not stop.is_set():
                ran.set()
                stop.wait(0.001)

        def leave():
            if ran.is_set():
                raise StopIteration

        ran.clear()
        thread = threading.Thread(target=count)
        thread.start()
        try:
            with self.assertRaises(StopIteration):
                penchant.train(shop.dataset(), shop.FOLDER / "threads.model", progress=Sink(leave), **LONG)
        finally:
            stop.set()
            thread.join()

    def test_interrupt_writes_a_checkpoint(self):
        out = shop.FOLDER / "stopped.model"
        program = f"""
import os, signal, penchant
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where a shell started this in the background
class Sink:
    def begin(self, stage): self.stage = stage
    def update(self, done, total, detail):
        if self.stage == "train" and done > 0: os.kill(os.getpid(), signal.SIGINT)
    def end(self, summary): pass
    def warn(self, message): pass
    def note(self, message): pass
try:
    penchant.train({shop.dataset().path!r}, {str(out)!r}, progress=Sink(), **{LONG!r})
except KeyboardInterrupt:
    print("interrupted")
"""
        child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
        self.assertEqual("interrupted\n", child.stdout, child.stderr)
        self.assertTrue(list(pathlib.Path(out).rglob("checkpoint.safetensors")))
        with self.assertRaisesRegex(penchant.InputError, "stopped.model"):
            penchant.Model(out, shop.dataset())


if __name__ == "__main__":
    unittest.main()
