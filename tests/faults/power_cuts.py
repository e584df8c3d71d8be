# SPDX-License-Identifier: Apache-2.0
"""Power cuts: what a run did to files is recorded, replayed up to a point, and what was not flushed is lost.

Three file systems, each harsher than most that exist:
  names    every change of names before the cut is kept, but of files only what was flushed; the rest is zeros, or nothing
  journal  changes of names are kept up to some point between the last flush and the cut; files as above
  folders  a change of names is kept only if its folder was flushed behind it; files as above
What is left has to be old or new, or refused by the program, and a repeated run has to give the same bits.
"""
import collections
import os
import random
import shutil
import time

import judge
import process
import tiny_shop

KINDS = ("names", "journal", "folders")


class Node:
    """A file: what a reader sees, and what was flushed."""
    def __init__(self, content=b""):
        self.live, self.flushed = bytearray(content), bytes(content)


def parse(record):
    """[(word, arguments, bytes)] of PENCHANT_FAULT_RECORD."""
    operations = []
    place = 0
    while place < len(record):
        end = record.index(b"\n", place)
        word, _, rest = record[place:end].partition(b" ")
        place = end + 1
        content = b""
        if word == b"write":
            count = int(rest.split()[2])
            content = record[place:place + count]
            place += count
        operations.append((word.decode(), rest.decode(errors="surrogateescape"), content))
    return operations


def replay(operations, root, before):
    """Applies the operations below `root`: (files by path, folders, log of changes of names, number of the last flush)."""
    nodes = {}      # by inode number, of what is open
    names = dict(before)
    changes = []    # (folders that hold it, function on {path: Node or None (a folder)})
    last_flush = 0
    flushed = {}    # folder -> how many changes were there when it was flushed
    for word, rest, content in operations:
        if word in ("open", "trunc"):
            number, _, path = rest.partition(" ")
            if not path.startswith(root):
                nodes.pop(number, None)
                continue
            if path not in names:
                names[path] = Node()
                names[path].flushed = None
                changes.append(((os.path.dirname(path),), ("create", path, names[path])))
            nodes[number] = names[path]
            if word == "trunc":
                nodes[number].live = bytearray()
        elif word == "write":
            number, offset, count = rest.split()
            if number in nodes:
                live = nodes[number].live
                end = int(offset) + int(count)
                live.extend(bytes(max(0, end - len(live))))
                live[int(offset):end] = content
        elif word == "size":
            number, size = rest.split()
            if number in nodes:
                live = nodes[number].live
                del live[int(size):]
                live.extend(bytes(int(size) - len(live)))
        elif word == "flush":
            number, _, path = rest.partition(" ")
            if not path.startswith(root):
                continue
            if path in names and names[path] is not None:
                names[path].flushed = bytes(names[path].live)
            elif path not in names or names[path] is None:
                flushed[path] = len(changes)
            last_flush = len(changes)
        elif word in ("mkdir", "unlink"):
            if rest.startswith(root):
                if word == "mkdir":
                    names[rest] = None
                else:
                    names.pop(rest, None)
                changes.append(((os.path.dirname(rest),), (word, rest, None)))
        elif word in ("rename", "exchange"):
            old, new = rest.split("\t")
            if new.startswith(root):
                _move(names, word, old, new)
                changes.append(((os.path.dirname(old), os.path.dirname(new)), (word, old, new)))
    return changes, last_flush, flushed


def _move(names, word, old, new):
    def taken(prefix):
        return {path: names.pop(path) for path in list(names) if path == prefix or path.startswith(prefix + "/")}
    first = taken(old)
    second = taken(new)
    names.update({new + path[len(old):]: node for path, node in first.items()})
    if word == "exchange":
        names.update({old + path[len(new):]: node for path, node in second.items()})


def _apply(names, change):
    word, first, second = change
    if word == "create":
        names[first] = second
    elif word == "mkdir":
        names[first] = None
    elif word == "unlink":
        names.pop(first, None)
    else:
        _move(names, word, first, second)


def lost(node, rng):
    """What is left of a file: what was flushed, and of the rest zeros, a part, or nothing."""
    kept = node.flushed if node.flushed is not None else b""
    if bytes(node.live) == kept:
        return kept
    way = rng.randrange(3)
    if way == 0:
        return kept
    if way == 1:
        return kept + bytes(max(0, len(node.live) - len(kept)))
    return bytes(node.live)[:max(len(kept), rng.randrange(len(node.live) + 1))]


def cut(operations, root, before, kind, rng):
    """{path: bytes or None} of what is left when power goes behind the last of the operations."""
    changes, last_flush, flushed = replay(operations, root, before)
    names = dict(before)
    if kind == "names":
        kept = changes
    elif kind == "journal":
        kept = changes[:rng.randint(last_flush, len(changes))]
    else:
        # A flush of a folder keeps the changes in it; one that moves between folders needs the second one.
        kept = [change for place, change in enumerate(changes) if flushed.get(change[0][-1], 0) > place]
    for _, change in kept:
        _apply(names, change)
    return {path: None if node is None else lost(node, rng) for path, node in names.items()}


def lay_down(left, folder):
    """Files whose folder is lost are lost."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for path in sorted(left):
        if left[path] is None and os.path.isdir(os.path.dirname(path)):
            os.makedirs(path, exist_ok=True)
    for path, content in left.items():
        if content is not None and os.path.isdir(os.path.dirname(path)):
            with open(path, "wb") as file:
                file.write(content)


def contents(folder):
    """{path: Node or None} of a folder as it stands."""
    found = {}
    for where, folders, files in os.walk(folder):
        for name in folders:
            found[os.path.join(where, name)] = None
        for name in files:
            with open(os.path.join(where, name), "rb") as file:
                found[os.path.join(where, name)] = Node(file.read())
    return found


# How each kind of artefact is asked whether it is whole.
READERS = {".data": ("graph", "{}"), ".model": ("recommend", "d.data", "{}", "--user", "u1"),
           ".embeddings": ("embed", "d.data", "l.model", "--verify", "{}")}


def wrong_remains(args, scenario, folder, known):
    """What stands there that is neither old nor new has to be refused, by who reads it."""
    after = judge.tree(folder)
    for entry in judge.unwhole(after, known.before, known.right):
        name = entry.split(":")[0]
        if entry.endswith(" is gone"):
            return entry
        path = f"{folder}/{name}"
        if not os.path.isdir(path):
            return f"{name} is neither old nor new"
        if not os.path.exists(f"{path}/manifest.json"):
            continue  # every reader refuses it
        ends = [end for end in READERS if name.endswith(end)]
        if name.endswith(("/graph", "/partition")) or not ends or name in judge.units(known.before):
            return f"{name} is neither old nor new: {entry}"
        copy = f"{folder}.copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        for extra in ("d.data", "l.model"):
            if not os.path.exists(f"{copy}/{extra}"):
                shutil.copytree(f"{args.base}/{extra}", f"{copy}/{extra}")
        reader = tiny_shop.Scenario("reader", tuple(word.format(name) for word in READERS[ends[0]]), ())
        end = process.run(args.program, reader, copy)
        if end.code != 2:
            return f"{name} is damaged, and {reader.arguments[0]} ends with {end.code}: {end.err.strip()[-200:]}"
    return ""


def run_power_cuts(args, base, work):
    from faults import chosen
    args.base = base
    rng = random.Random(args.seed)
    recordings = []
    folder = f"{work}/power"
    for scenario in chosen(args):
        known = process.reference(args.program, args.library, base, scenario, f"{work}/reference")
        tiny_shop.lay_out(base, scenario, folder)
        before = contents(folder)
        process.run(args.program, scenario, folder, args.library, record=f"{work}/record")
        with open(f"{work}/record", "rb") as file:
            operations = [operation for operation in parse(file.read()) if folder in operation[1] or operation[0] in ("write", "size")]
        if any(word != "write" for word, _, _ in operations):
            recordings.append((scenario, known, before, operations))
    deadline = time.monotonic() + 60 * args.minutes
    counts, bad = collections.Counter(), []
    while time.monotonic() < deadline:
        scenario, known, before, operations = rng.choice(recordings)
        kind, end = rng.choice(KINDS), rng.randint(1, len(operations))
        seed = rng.randrange(1 << 30)
        # Nodes are changed by a replay.
        fresh = {path: None if node is None else Node(bytes(node.live)) for path, node in before.items()}
        lay_down(cut(operations[:end], folder, fresh, kind, random.Random(seed)), folder)
        wrong = wrong_remains(args, scenario, folder, known) or wrong_again(args, scenario, folder, known)
        counts[kind] += 1
        if wrong:
            bad.append({"scenario": scenario.name, "kind": kind, "operation": end, "of": len(operations), "wrong": wrong})
            print(f"WRONG {scenario.name}: {kind}, cut behind operation {end} of {len(operations)} "
                  f"({operations[end - 1][0]} {operations[end - 1][1][-80:]}): {wrong}", flush=True)
    print(f"faults: {sum(counts.values())} power cuts (seed {args.seed}): {dict(counts)}; {len(bad)} wrong")
    return {"what": "power cuts", "cuts": sum(counts.values()), "by_kind": dict(counts), "wrong": len(bad), "wrong_ones": bad[:50]}


def wrong_again(args, scenario, folder, known):
    """A repeated run gives the right bits, or says which stage is to be run again."""
    words = scenario.resume if process.has_checkpoint(folder) else ()
    end = process.run(args.program, scenario, folder, words=words)
    if end.code == 2 and words:  # a checkpoint that is damaged: from the start
        end = process.run(args.program, scenario, folder)
    right = known.right
    final = judge.without_replaced(judge.without_temporaries(judge.tree(folder)))
    if end.code == 2 and ("damaged" in end.err or "none of its 3 ids" in end.err):
        return ""
    if end.code != 0:
        return f"a repeated run ends with {end.code}: {end.err.strip()[-300:]}"
    if scenario.name in ("append in place", "update", "forget"):
        return ""  # what was done already is not done twice: the numbers of versions differ
    differing = sorted(path for path in final.keys() | right.keys() if final.get(path) != right.get(path))
    return f"a repeated run differs in {differing[:4]}" if differing else ""
