# SPDX-License-Identifier: Apache-2.0
"""What Penchant depends on, from the lists that install it: docs/dependencies.md (--markdown) and an SBOM (--sbom, SPDX 2.3 in JSON).

cmake/packages*.txt name Debian packages, cmake/requirements*.txt Python packages and cmake/locks/ their hashes; cmake/dependencies.json
has licences (SPDX expressions, of the packages' own metadata or copyright files) and what for. A list that names what that file does
not know, or the other way round, is an error.

usage: dependencies.py --markdown | --sbom [FILE]
"""
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What the packages of a list are for, and what they are to the program (SPDX 2.3, section 11.1).
LISTS = {
    "packages.txt": ("the program and its tests", "BUILD_DEPENDENCY_OF"),
    "packages_tests.txt": ("tests", "TEST_DEPENDENCY_OF"),
    "packages_wheel.txt": ("wheels of the Python package", "BUILD_DEPENDENCY_OF"),
    "requirements.txt": ("the program: Arrow's libraries, headers, the page's charts, the demo's data", "BUILD_DEPENDENCY_OF"),
    "requirements_build.txt": ("what builds the Python package", "BUILD_DEPENDENCY_OF"),
    "requirements_tests.txt": ("tests of the Python package", "TEST_DEPENDENCY_OF"),
    "requirements_stores.txt": ("tests of stores and indexes", "TEST_DEPENDENCY_OF"),
    "requirements_feast.txt": ("tests of Feast", "TEST_DEPENDENCY_OF"),
    "requirements_keras.txt": ("tests of Keras", "TEST_DEPENDENCY_OF"),
    "requirements_notebooks.txt": ("tests of the notebooks", "TEST_DEPENDENCY_OF"),
    "requirements_wheel.txt": ("wheels of the Python package", "BUILD_DEPENDENCY_OF"),
}


def normal(name):
    """As the index compares names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lines_of(path):
    return [line.strip() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


def debian_packages():
    """{name: lists}."""
    found = {}
    for path in sorted((ROOT / "cmake").glob("packages*.txt")):
        for name in lines_of(path):
            found.setdefault(name, []).append(path.name)
    return found


def python_packages():
    """{(name, version): lists}."""
    found = {}
    for path in sorted((ROOT / "cmake").glob("requirements*.txt")):
        for line in lines_of(path):
            name, version = line.split("==")
            found.setdefault((normal(name), version), []).append(path.name)
    return found


def locked(lock):
    """{(name, version): hashes} of a lock."""
    found = {}
    for line in lines_of(lock):
        if requirement := re.match(r"([\w.-]+)==([\w.+!-]+)", line):
            hashes = found[normal(requirement[1]), requirement[2]] = []
        hashes += re.findall(r"--hash=sha256:([0-9a-f]{64})", line)
    return found


def known():
    return json.loads((ROOT / "cmake" / "dependencies.json").read_text())


def check():
    """What the lists and what is known of them disagree in, one line each."""
    facts = known()
    for kind, names in (("debian", set(debian_packages())), ("pypi", {name for name, _ in python_packages()})):
        for name in sorted(names - set(facts[kind])):
            yield f"cmake/dependencies.json knows no {kind} package '{name}', which a list in cmake/ names"
        for name in sorted(set(facts[kind]) - names):
            yield f"cmake/dependencies.json has the {kind} package '{name}', which no list in cmake/ names"
    for name in sorted({path.name for pattern in ("packages*.txt", "requirements*.txt") for path in (ROOT / "cmake").glob(pattern)} - set(LISTS)):
        yield f"cmake/dependencies.py does not say what the packages of cmake/{name} are for"
    for path in sorted((ROOT / "cmake").glob("requirements*.txt")):
        lock = ROOT / "cmake" / "locks" / path.name
        wanted = {package for package, lists in python_packages().items() if path.name in lists}
        has = locked(lock) if lock.exists() else {}
        for name, version in sorted(wanted ^ set(has)):
            yield f"cmake/locks/{path.name} and cmake/{path.name} differ in {name}=={version}: run cmake/lock.sh"
        for (name, version), hashes in sorted(has.items()):
            if not hashes:
                yield f"cmake/locks/{path.name}: {name}=={version} has no hash"


def uses(lists):
    return "; ".join(dict.fromkeys(LISTS[name][0] for name in lists))


def markdown():
    facts = known()
    text = """# Dependencies

Made by `python3 cmake/dependencies.py --markdown` of the lists that `make` installs from; `tests/dependencies_test.py` sees that it is up to date.

The program is built from packages of Debian 12, in the versions that it has, which apt checks by Debian's signatures, and of a few Python packages for the libraries and headers in
them. Python packages are pinned: `cmake/requirements*.txt` say which and why, and `cmake/locks/`, made by `cmake/lock.sh`, has the SHA-256 of every file that the index has of that version,
without which `make` takes none (`pip install --require-hashes`). What `make bench` compares with (`bench/peers/`) is not pinned: peers are measured in the version of the day, which
results name. `make sbom` writes all of this as SPDX 2.3 into `build/penchant.spdx.json`. The CUDA module needs CUDA and cuDNN of NVIDIA, which are not installed by `make`.

## The same bytes

The same commit gives the same bytes wherever its folder lies: names of files in messages are relative to the source (`-ffile-prefix-map`), no file has the time in it, archives are made without times and owners,
and the program's build id is a hash of its content. The folder of the pyarrow wheel, which a program that is not installed has in its RUNPATH, is an input, as the compiler and Debian's libraries are.
`make reproducible` (`cmake/reproducible.sh [TARGET ...]`) builds HEAD twice without the compiler's cache in two folders with names of different lengths and compares every object, archive and the program; what was
[compared](../bench/results/reproducible.json) so far are the libraries of graphs and partitions, built so, and the program, linked twice from the same objects and archives in two folders.

## Debian

| package | licence | what for | of |
| --- | --- | --- | --- |
"""
    for name, lists in sorted(debian_packages().items()):
        text += f"| {name} | {facts['debian'][name]['licence']} | {facts['debian'][name]['for']} | {uses(lists)} |\n"
    text += "\n## Python\n\n| package | version | licence | of |\n| --- | --- | --- | --- |\n"
    for (name, version), lists in sorted(python_packages().items()):
        text += f"| {name} | {version} | {facts['pypi'][name]['licence']} | {uses(lists)} |\n"
    return text


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def sbom():
    """An SPDX 2.3 document: the program, and each dependency in its relation to it. The same commit gives the same document, but for
    the versions of Debian's packages, which are those installed here."""
    facts = known()
    version = re.search(r"project\(penchant VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    commit = output_of("git", "rev-parse", "HEAD") or "unknown"
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or output_of("git", "log", "-1", "--format=%ct") or 0)
    program = {"SPDXID": "SPDXRef-penchant", "name": "penchant", "versionInfo": version, "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
               "licenseConcluded": "Apache-2.0", "licenseDeclared": "Apache-2.0", "copyrightText": "NOASSERTION", "sourceInfo": f"git commit {commit}",
               "primaryPackagePurpose": "APPLICATION"}
    packages, relations = [program], [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-penchant")]

    def add(kind, name, version, licence, lists, hashes=()):
        identity = f"SPDXRef-{kind}-{re.sub(r'[^A-Za-z0-9.-]', '-', name)}" + (f"-{version}" if kind == "pypi" else "")
        identity = re.sub(r"[^A-Za-z0-9.-]", "-", identity)
        package = {"SPDXID": identity, "name": name, "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": licence,
                   "licenseDeclared": licence, "copyrightText": "NOASSERTION", "comment": uses(lists)}
        if version:
            package["versionInfo"] = version
        if hashes:
            package["checksums"] = [{"algorithm": "SHA256", "checksumValue": value} for value in hashes]
        at = f"@{version.replace(':', '%3A').replace('+', '%2B').replace('~', '%7E')}" if version else ""
        place = f"pkg:{'deb/debian' if kind == 'deb' else 'pypi'}/{name}{at}"
        package["externalRefs"] = [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": place}]
        packages.append(package)
        for relation in sorted({LISTS[each][1] for each in lists}):
            relations.append((identity, relation, "SPDXRef-penchant"))

    for name, lists in sorted(debian_packages().items()):
        add("deb", name, output_of("dpkg-query", "-W", "-f=${Version}", name), facts["debian"][name]["licence"], lists)
    for (name, version), lists in sorted(python_packages().items()):
        hashes = sorted({value for each in lists for value in locked(ROOT / "cmake" / "locks" / each).get((name, version), [])})
        add("pypi", name, version, facts["pypi"][name]["licence"], lists, hashes)
    identity = hashlib.sha256(json.dumps([packages, relations]).encode()).hexdigest()
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"penchant-{version}",
        "documentNamespace": f"urn:penchant:sbom:{version}:{identity}",
        "creationInfo": {"created": datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": ["Tool: penchant-cmake/dependencies.py"]},
        "packages": packages,
        "relationships": [{"spdxElementId": a, "relationshipType": relation, "relatedSpdxElement": b} for a, relation, b in relations],
    }


def main():
    problems = list(check())
    if problems:
        sys.exit("\n".join(problems))
    if sys.argv[1:] == ["--markdown"]:
        (ROOT / "docs" / "dependencies.md").write_text(markdown())
    elif sys.argv[1:2] == ["--sbom"] and len(sys.argv) <= 3:
        text = json.dumps(sbom(), indent=1) + "\n"
        if len(sys.argv) == 3:
            pathlib.Path(sys.argv[2]).write_text(text)
        else:
            sys.stdout.write(text)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
