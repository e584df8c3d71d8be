# SPDX-License-Identifier: Apache-2.0
"""What is in a folder, and whether that is an ending that the program promises (docs/robustness.md)."""
import hashlib
import json
import os
import re

# What differs from run to run and is no result: when, how long, how much memory, and hashes over those.
VOLATILE = {"created", "seconds", "peak_bytes", "manifest_hash", "since", "when", "process", "stages", "memory", "manifest"}
RESUME = re.compile(r"(^|/)(checkpoint|best|best_head[012])\.safetensors$")  # only an unfinished training needs them
INNER = ("graph", "partition", "graph.unfinished", "partition.unfinished")  # artefacts of their own inside X.data
TEMPORARY = re.compile(r"\.[a-z2-7]{12}\.partial$")


def _normal(value, files=False):
    if isinstance(value, dict):
        return {key: _normal(inner, key == "files") for key, inner in value.items()
                if key not in VOLATILE and not key.endswith("seconds") and not (files and key.endswith((".json", ".jsonl")))}
    return [_normal(inner) for inner in value] if isinstance(value, list) else value


def digest(path):
    """Of the bytes; of a JSON file of what is left without the volatile."""
    with open(path, "rb") as file:
        content = file.read()
    if path.endswith(".json"):
        try:
            content = json.dumps(_normal(json.loads(content)), sort_keys=True).encode()
        except ValueError:
            pass
    if path.endswith(".html"):  # the page says when it was made
        content = re.sub(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?Z?", b"", content)
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def tree(folder):
    """{path: digest} of all files."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            found[os.path.relpath(path, folder)] = digest(path)
    return found


def units(files):
    """{artefact: {path in it: digest}}: first parts of paths, and graph and partition of data sets apart."""
    result = {}
    for path, value in files.items():
        parts = path.split("/")
        depth = 2 if len(parts) > 2 and parts[1] in INNER else 1
        result.setdefault("/".join(parts[:depth]), {})["/".join(parts[depth:])] = value
    return result


def is_temporary(path):
    return TEMPORARY.search(path) is not None


def without_temporaries(files):
    return {path: value for path, value in files.items() if not is_temporary(path)}


def without_replaced(files):
    """Without what was replaced and could not be removed or kept, X.unfinished with its marker: the next writer does, and nobody
    takes it for anything; and without what only an unfinished training needs."""
    marked = {path[:-len("/unfinished")] for path in files if path.endswith(".unfinished/unfinished")}
    return {path: value for path, value in files.items() if not any(path.startswith(folder + "/") for folder in marked)
            and not RESUME.search(path)
            and not (path.endswith("/unfinished") and path.replace("/unfinished", "/manifest.json") in files)}


def unwhole(after, before, right):
    """Artefacts that are neither what stood before, nor what is right, nor absent, nor marked as unfinished."""
    bad = []
    old, new = units(before), units(right)
    for name, files in units(without_temporaries(after)).items():
        marked = "unfinished" in files and "manifest.json" not in files
        settled = {path: value for path, value in files.items() if path != "unfinished" and not RESUME.search(path)}
        if settled in (old.get(name), new.get(name)) or marked or not settled:
            continue
        if any(part.endswith(".unfinished") for part in name.split("/")):
            continue  # what grows beside an artefact; nobody takes it for one
        if name.split(".")[0] in ("new", "shop") and name.count(".") == 0:
            # A folder of several results (generate, ablate, run): each of its files, or inner artefacts.
            inner_before, inner_right = old.get(name, {}), new.get(name, {})
            wrong = [path for path, value in settled.items()
                     if not RESUME.search(path) and value not in (inner_before.get(path), inner_right.get(path)) and not _in_unfinished(path, settled)]
            if not wrong:
                continue
            bad.append(f"{name}: {wrong[:3]}")
            continue
        best = min((old.get(name, {}), new.get(name, {})), key=lambda known: len(_differing(settled, known)))
        bad.append(f"{name}: {_differing(settled, best)[:4]}")
    for name, files in old.items():  # unharmed: what the run was not to replace, or what it replaces in the end
        now = units(after).get(name)
        if now is None and name in new:
            bad.append(f"{name} is gone")
    return bad


def _differing(a, b):
    return sorted(path for path in a.keys() | b.keys() if a.get(path) != b.get(path))


def _in_unfinished(path, files):
    parts = path.split("/")
    return any("/".join([*parts[:depth], "unfinished"]) in files and "/".join([*parts[:depth], "manifest.json"]) not in files
               or parts[depth - 1].endswith(".unfinished") for depth in range(1, len(parts)))
