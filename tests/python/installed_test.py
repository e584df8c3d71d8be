# SPDX-License-Identifier: Apache-2.0
"""The package as pip puts it: in the site-packages of an environment of its own, without the build folder; alone, and in one
process with other libraries, each imported first in turn.

What is built is installed as the wheel's part of it (`make test`); PENCHANT_WHEEL names a wheel instead, which pip installs for the
Python that runs this (`make test-wheel`). Libraries in the folders of PYTHONPATH are tried with either.
"""
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).parents[2]
WHEEL = os.environ.get("PENCHANT_WHEEL")
NEEDED = ("numpy", "pyarrow", "tqdm")
# Imported by these names. PyTorch and JAX are tried where they are installed.
LIBRARIES = ("pyarrow", "pyarrow.parquet", "numpy", "pandas", "polars", "duckdb", "scipy.linalg", "sklearn", "torch", "jax")
BROUGHT = ("pandas", "polars", "duckdb", "scipy", "scikit-learn")  # for a wheel
# Libraries that a wheel may leave to the system: those of them, as manylinux lists them, that anything here uses.
SYSTEM = {"ld-linux-x86-64.so.2", "libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "librt.so.1", "libstdc++.so.6",
          "libz.so.1", "linux-vdso.so.1"}
CACHES = [SOURCE / f"build/{folder}/CMakeCache.txt" for folder in ("release", "python")]
_folder = tempfile.TemporaryDirectory(prefix="penchant_python_test_")
FOLDER = pathlib.Path(_folder.name)

WORK = """
import os, random, tempfile
place = tempfile.TemporaryDirectory()
draw = random.Random(1)
rows = [(f"u{u}", f"i{i}") for u in range(60) for i in draw.sample(range(u % 2 * 15, u % 2 * 15 + 15), 6)]
log = {"user": [u for u, _ in rows], "item": [i for _, i in rows]}
path = lambda name: os.path.join(place.name, name)
data = penchant.ingest(log, path("x.data"), user_column="user", item_column="item", progress=False)
model = penchant.train(data, path("x.model"), threads=2, progress=False, **{"model.kind": "lightgcn", "train.epochs": 2, "model.embedding_dim": 8})
assert model.embed(path("x.emb"), format="parquet", progress=False), "embed"
best = model.recommend("u3", 3, progress=False).to_pylist()[0]
user, item = model.user_ids.to_pylist().index("u3"), model.item_rows(best["item_id"])[0]
assert abs(float(model.item_vectors[item] @ model.user_vectors[user]) - best["score"]) < 1e-5, "score"
assert os.path.getsize(model.report(path("x.html"), progress=False)) > 10000, "report"
import numpy as np
assert np.isfinite(np.linalg.svd(np.random.default_rng(1).random((50, 50)))[1]).all(), "svd"
import pyarrow.parquet
table = pyarrow.parquet.read_table(path("x.emb/items.parquet"))
pyarrow.parquet.write_table(table, path("y.parquet"))
assert pyarrow.parquet.read_table(path("y.parquet")).equals(table) and table.num_rows == model.num_items, "parquet"
"""


def _link(folder, names, places):
    """Beside the package, by links, what lies in `places` and the folders of PYTHONPATH."""
    for place in {*places, *filter(os.path.isdir, os.environ.get("PYTHONPATH", "").split(":"))}:
        for entry in pathlib.Path(place).iterdir():
            part = entry.name.split(".")[0].split("-")[0].lower()
            if (names is None or part in names) and part != "penchant" and not (folder / entry.name).exists():
                (folder / entry.name).symlink_to(entry)


def environment(name, names, brought):
    """Python of a fresh environment with the package and `names` (None: all that is there) beside it."""
    place = FOLDER / name
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(command):
        child = subprocess.run(command, capture_output=True, text=True, env=variables)
        assert child.returncode == 0, f"{command}: {child.stderr}"
        return child.stdout

    run([sys.executable, "-m", "venv", place, *([] if WHEEL else ["--without-pip"])])
    python = place / "bin/python"
    site = pathlib.Path(run([python, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))"]).strip())
    if WHEEL:
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", WHEEL, *brought])
        if names is None:
            _link(site, names, ())
        return python
    run(["cmake", "--install", os.environ["PENCHANT_BUILD"], "--component", "python", "--prefix", site])
    shutil.copytree(SOURCE / "python/penchant", site / "penchant", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    _link(site, names, (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    return python


alone = functools.cache(lambda: environment("alone", NEEDED, ()))
among_others = functools.cache(lambda: environment("others", None, BROUGHT))


def run(python, code):
    """Without what the shell has set, in another folder."""
    variables = {name: os.environ[name] for name in ("HOME", "OMP_WAIT_POLICY", "PATH", "TMPDIR") if name in os.environ}
    return subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=FOLDER, env=variables)


def package(python):
    said = run(python, "import penchant; print(penchant.__file__)")
    assert said.returncode == 0, said.stderr
    return pathlib.Path(said.stdout.strip()).parent


class Installed(unittest.TestCase):
    maxDiff = None

    def test_with_its_dependencies_alone(self):
        child = run(alone(), "import penchant" + WORK)
        self.assertEqual("", child.stderr)
        self.assertEqual(0, child.returncode)

    def test_it_is_the_one_of_the_environment(self):
        self.assertTrue(package(alone()).is_relative_to(FOLDER / "alone"))

    def test_all_files_are_there(self):
        installed = package(alone())
        for path in (SOURCE / "python/penchant").rglob("*"):
            if path.suffix == ".py" or path.name == "py.typed":
                self.assertTrue((installed / path.relative_to(SOURCE / "python/penchant")).is_file(), path)
        for name in ("_core.pyi", "share/report.html", "share/plotly.min.js"):
            self.assertTrue((installed / name).is_file(), name)

    def test_libraries_are_looked_for_beside_it_only(self):
        (extension,) = package(alone()).glob("_core*.so")
        listed = subprocess.run(["readelf", "-d", extension], capture_output=True, text=True, check=True).stdout
        (paths,) = [line.split("[")[1].rstrip("]") for line in listed.splitlines() if "(RUNPATH)" in line or "(RPATH)" in line]
        self.assertIn("$ORIGIN/../pyarrow", paths.split(":"))
        self.assertEqual([], [path for path in paths.split(":") if not path.startswith("$ORIGIN")])

    @unittest.skipUnless(WHEEL, "what is built uses this machine's libraries")
    def test_what_it_needs_is_in_it(self):
        self.assertIn("-manylinux_", pathlib.Path(WHEEL).name)
        installed = package(alone())
        place = installed.parent
        (extension,) = installed.glob("_core*.so")
        missing = []
        for library in [extension, *place.glob("penchant.libs/*")]:
            listed = subprocess.run(["ldd", library], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}).stdout
            for name, _, found in (line.strip().partition(" => ") for line in listed.splitlines()):
                if os.path.basename(name.split(" (")[0]) not in SYSTEM and not pathlib.Path(found.split(" (")[0]).is_relative_to(place):
                    missing.append(f"{library.name}: {name} => {found}")
        self.assertEqual([], missing)

    @unittest.skipUnless(WHEEL and all(cache.exists() for cache in CACHES), "no build folders")
    def test_its_compiler_is_the_programs(self):
        self.assertEqual(1, len({line for cache in CACHES for line in cache.read_text().splitlines() if line.startswith("CMAKE_CXX_COMPILER:")}))

    def test_one_arrow_in_the_process(self):
        child = run(alone(), "import penchant, pyarrow.parquet\n"
                             "print(len({line.split()[-1] for line in open('/proc/self/maps') if 'libarrow.so' in line}))")
        self.assertEqual(("1\n", ""), (child.stdout, child.stderr))

    def test_with_each_library_first_and_last(self):
        found = run(among_others(), "import importlib.util as util\n"
                                    f"print(*(name for name in {LIBRARIES} if util.find_spec(name.split('.')[0])))").stdout.split()
        print("tried with", *found)
        self.assertGreaterEqual(set(found), set(LIBRARIES) - {"torch", "jax"})
        for order in [*(f"{library}, penchant" for library in found), ", ".join(["penchant", *found])]:
            with self.subTest(order):
                child = run(among_others(), f"import {order}{WORK}")
                self.assertEqual("", child.stderr)
                self.assertEqual(0, child.returncode)

    @unittest.skipUnless(WHEEL and "PENCHANT_PROGRAM" in os.environ, "the build folder's package has these tests of its own")
    def test_the_packages_tests(self):
        variables = {name: os.environ[name] for name in ("HOME", "PATH", "PENCHANT_PROGRAM")}
        for part in ("adapters", "device", "frames", "layers", "package", "progress", "recommender", "verbs"):
            with self.subTest(part):
                child = subprocess.run([among_others(), SOURCE / f"tests/python/{part}_test.py"], capture_output=True, text=True, cwd=FOLDER,
                                       env=variables)
                # 5, from Python 3.12 on: all are skipped, as where a peer is not installed.
                expected = (0, 5) if child.stderr.rstrip().splitlines()[-1].startswith("NO TESTS RAN (skipped=") else (0,)
                self.assertIn(child.returncode, expected, child.stdout + child.stderr)
                print(f"{part}: {child.stderr.splitlines()[-1]}, {child.stderr.splitlines()[-3]}")


if __name__ == "__main__":
    unittest.main()
