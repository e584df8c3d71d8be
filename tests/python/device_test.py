# SPDX-License-Identifier: Apache-2.0
"""Which CUDA module the package finds, and what it says where there is none or no device (docs/decisions/0018-cuda-module.md)."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import penchant
import shop

# Libraries that are none, and of another build (tests/kernels/); the module where it is built.
BUILD = pathlib.Path(os.environ.get("PENCHANT_BUILD", "nowhere"))
FOREIGN, OTHER = BUILD / "tests/libforeign_library.so", BUILD / "tests/libother_build.so"
MODULE = os.environ.get("PENCHANT_BUILT_MODULE")


def info(folder=None, **environment):
    """What penchant.info() says in a process of its own, of the package in `folder`."""
    variables = {name: value for name, value in os.environ.items() if name != "PENCHANT_CUDA_MODULE"}
    variables.update({name: str(value) for name, value in environment.items()})
    if folder is not None:
        variables["PYTHONPATH"] = f"{folder}:{variables.get('PYTHONPATH', '')}"
    code = "import json, penchant; print(json.dumps(penchant.info(progress=False)))"
    child = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, cwd="/")
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)


class Info(shop.Case):
    def test_it_is_the_programs(self):
        mine, programs = penchant.info(progress=False), shop.as_json("info")
        for of_this_file in (mine, programs):
            of_this_file.pop("cuda")  # where it looked
        self.assertEqual(programs, mine)

    def test_threads_and_device(self):
        self.assertRegex(penchant.info(device="cpu", threads=2, progress=False)["device"], "^CPU, .*, 2 threads$")

    def test_a_gpu_that_is_not_there(self):
        if penchant.info(progress=False)["gpus"]:
            self.skipTest("this machine has a GPU")
        with self.assertRaisesRegex(penchant.DeviceError, "device 'cuda' was asked for: "):
            penchant.info(device="cuda")
        with self.assertRaisesRegex(penchant.DeviceError, "device 'cuda' was asked for: "):
            penchant.train(shop.dataset(), shop.FOLDER / "gpu.model", device="cuda", progress=False, **shop.QUICK)


class Named(unittest.TestCase):
    def test_a_file_that_does_not_exist(self):
        said = info(PENCHANT_CUDA_MODULE="/nowhere/module.so")
        self.assertEqual("PENCHANT_CUDA_MODULE names /nowhere/module.so, which does not exist", said["cuda"])
        self.assertEqual([], said["gpus"])

    @unittest.skipUnless(FOREIGN.exists(), "no build folder")
    def test_a_library_of_another_kind(self):
        self.assertRegex(info(PENCHANT_CUDA_MODULE=FOREIGN)["cuda"], "is not a CUDA module of Penchant")

    @unittest.skipUnless(OTHER.exists(), "no build folder")
    def test_a_module_of_another_build(self):
        self.assertRegex(info(PENCHANT_CUDA_MODULE=OTHER)["cuda"], "is of another build")

    @unittest.skipUnless(MODULE, "the CUDA module is not built")
    def test_the_real_module(self):
        said = info(PENCHANT_CUDA_MODULE=MODULE)
        self.assertEqual(said["cuda"] == "available", bool(said["gpus"]), said)
        if not os.path.exists("/proc/driver/nvidia"):
            self.assertIn("no NVIDIA driver", said["cuda"])


class Beside(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="penchant_python_test_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.package = self.folder / "penchant"
        shutil.copytree(pathlib.Path(penchant.__file__).parent, self.package,
                        ignore=shutil.ignore_patterns("libpenchant_cuda.so", "share"))
        libraries = pathlib.Path(penchant.__file__).parents[1] / "penchant.libs"  # of a wheel
        if libraries.exists():
            (self.folder / libraries.name).symlink_to(libraries)

    def test_there_is_none(self):
        self.assertRegex(info(self.folder)["cuda"], rf"no libpenchant_cuda\.so beside _core\.\S+ \({self.package}\)$")

    @unittest.skipUnless(OTHER.exists(), "no build folder")
    def test_it_is_found_beside_the_package(self):
        (self.package / "libpenchant_cuda.so").symlink_to(OTHER)
        if not os.path.exists("/proc/driver/nvidia"):  # not opened without a driver
            self.assertEqual("no NVIDIA driver: libcuda.so.1 was not found", info(self.folder)["cuda"])
        (self.folder / "libcuda.so.1").symlink_to(FOREIGN)
        said = info(self.folder, LD_LIBRARY_PATH=self.folder)["cuda"]
        self.assertRegex(said, f"^{self.package}/libpenchant_cuda.so is of another build: its interface is ")

    @unittest.skipUnless(OTHER.exists(), "no build folder")
    def test_none_beside_pythons_program(self):
        """As the program's rule would have it: who may write there is nobody to trust for the package."""
        (self.folder / "bin").mkdir()
        for place in (self.folder, self.folder / "bin"):
            (place / "libpenchant_cuda.so").symlink_to(OTHER)
        self.assertRegex(info(self.folder)["cuda"], "no libpenchant_cuda.so beside _core")


if __name__ == "__main__":
    unittest.main()
