# SPDX-License-Identifier: Apache-2.0
"""Every dependency is known with its licence, pinned with hashes where it is a Python package, and in docs/dependencies.md; the SBOM has
the fields that SPDX 2.3 asks for; no other file installs Python packages past the locks.

usage: dependencies_test.py ROOT
"""
import importlib.util
import pathlib
import re
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv.pop(1)).resolve()
spec = importlib.util.spec_from_file_location("dependencies", ROOT / "cmake" / "dependencies.py")
dependencies = importlib.util.module_from_spec(spec)
spec.loader.exec_module(dependencies)

# Licences that go with Apache 2.0 in what is linked (the program and the wheel); others are for tools and tests alone.
LINKABLE = {"Apache-2.0", "ISC", "MIT", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "Zlib", "PSF-2.0"}
TOOLS = {"build-essential", "ccache"}  # work on the source, and are no part of what they make


class Dependencies(unittest.TestCase):
    def test_lists_locks_and_what_is_known_agree(self):
        self.assertEqual(list(dependencies.check()), [])

    def test_the_page_is_up_to_date(self):
        page = (ROOT / "docs" / "dependencies.md").read_text()
        self.assertEqual(page, dependencies.markdown(), "run: python3 cmake/dependencies.py --markdown")

    def test_what_is_linked_has_a_licence_that_goes_with_ours(self):
        facts = dependencies.known()
        for name, lists in dependencies.debian_packages().items():
            if "packages.txt" in lists and name not in TOOLS:
                self.assertIn(facts["debian"][name]["licence"], LINKABLE, name)
        for (name, _), lists in dependencies.python_packages().items():
            if "requirements.txt" in lists:
                self.assertIn(facts["pypi"][name]["licence"], LINKABLE, name)

    def test_pip_is_called_with_hashes(self):
        for line in (ROOT / "cmake" / "setup.sh").read_text().splitlines():
            if " -m pip install" in line:
                self.assertIn("--require-hashes", line)

    def test_what_builds_the_package_is_pinned_as_in_the_lock(self):
        wanted = re.search(r"^requires = \[(.*)\]", (ROOT / "pyproject.toml").read_text(), re.M)[1]
        pinned = {tuple(each.split("==")) for each in re.findall(r'"([^"]+)"', wanted)}
        lock = dependencies.locked(ROOT / "cmake" / "locks" / "requirements_build.txt")
        for name, version in pinned:
            self.assertIn((dependencies.normal(name), version), lock)

    def test_a_change_is_seen(self):
        """The checks can fail: a list with a package more, and a lock without a hash."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "cmake").mkdir()
            for path in (ROOT / "cmake").glob("*"):
                if path.is_file():
                    (root / "cmake" / path.name).write_bytes(path.read_bytes())
            (root / "cmake" / "locks").mkdir()
            for path in (ROOT / "cmake" / "locks").iterdir():
                (root / "cmake" / "locks" / path.name).write_text(path.read_text())
            (root / "cmake" / "packages.txt").write_text("libnew-dev\n" + (root / "cmake" / "packages.txt").read_text())
            lock = root / "cmake" / "locks" / "requirements.txt"
            lock.write_text(re.sub(r" \\\n +--hash=sha256:\w+", "", lock.read_text(), flags=re.M))
            original = dependencies.ROOT
            dependencies.ROOT = root
            try:
                problems = "\n".join(dependencies.check())
            finally:
                dependencies.ROOT = original
        self.assertIn("libnew-dev", problems)
        self.assertIn("has no hash", problems)

    def test_the_sbom_has_what_spdx_asks_for(self):
        """SPDX 2.3: clauses 6 (document), 7 (packages) and 11 (relationships)."""
        sbom = dependencies.sbom()
        self.assertEqual((sbom["spdxVersion"], sbom["dataLicense"], sbom["SPDXID"]), ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT"))
        self.assertRegex(sbom["documentNamespace"], r"^[a-z]+:[^#\s]+$")
        self.assertRegex(sbom["creationInfo"]["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertTrue(all(re.match(r"(Tool|Organization|Person): ", creator) for creator in sbom["creationInfo"]["creators"]))
        identities = [package["SPDXID"] for package in sbom["packages"]]
        self.assertEqual(len(identities), len(set(identities)))
        for package in sbom["packages"]:
            self.assertRegex(package["SPDXID"], r"^SPDXRef-[A-Za-z0-9.-]+$")
            for field in ("name", "downloadLocation", "licenseConcluded", "licenseDeclared", "copyrightText"):
                self.assertTrue(package[field], package)
            self.assertIs(package["filesAnalyzed"], False)
            for checksum in package.get("checksums", []):
                self.assertEqual(checksum["algorithm"], "SHA256")
                self.assertRegex(checksum["checksumValue"], r"^[0-9a-f]{64}$")
            for reference in package.get("externalRefs", []):
                self.assertEqual((reference["referenceCategory"], reference["referenceType"]), ("PACKAGE-MANAGER", "purl"))
                self.assertRegex(reference["referenceLocator"], r"^pkg:(deb/debian|pypi)/[a-z0-9.+-]+(@\S+)?$")
        self.assertEqual(len(sbom["packages"]), 1 + len(dependencies.debian_packages()) + len(dependencies.python_packages()))
        for relation in sbom["relationships"]:
            self.assertIn(relation["relationshipType"], ("DESCRIBES", "BUILD_DEPENDENCY_OF", "TEST_DEPENDENCY_OF"))
            self.assertIn(relation["relatedSpdxElement"], identities)
            self.assertIn(relation["spdxElementId"], identities + ["SPDXRef-DOCUMENT"])
        self.assertTrue(all(package.get("checksums") for package in sbom["packages"] if package["SPDXID"].startswith("SPDXRef-pypi")))

    def test_the_sbom_is_the_same_twice(self):
        self.assertEqual(dependencies.sbom(), dependencies.sbom())


unittest.main()
