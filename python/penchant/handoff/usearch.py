# SPDX-License-Identifier: Apache-2.0
"""usearch: a file of one graph, of float32 or float16, never of its default number format, which is the machine's choice."""
import numpy

from . import _change, _given, _result, _target, _written
from .. import _core


def to_usearch(source, path, *, entity="items", score="inner product", dtype="float32", neighbours=32, ef_construction=200,
               ef_search=200, overwrite=False):
    """Writes `path`, an index of usearch with metric "ip"; keys are row numbers, raw ids in PATH.ids.jsonl.

    source, entity, score: as in to_faiss. dtype: float32 or float16; int8 divides each vector by its length and would rank by
    cosine, and is not offered.

    Returns a Handoff. Raises InputError where `path` is there, unless overwrite=True.
    """
    if dtype not in ("float32", "float16"):
        raise _core.InputError(f"dtype is {dtype!r}, expected float32 or float16")
    _target.library("usearch", "usearch")
    index_module = _target.library("usearch.index", "usearch")
    given = _given.take(source, entity, score)
    written = _written.Written(given, dtype=dtype)
    with _target.new_files("usearch", path, overwrite) as files:
        index = index_module.Index(ndim=written.width, metric="ip", dtype={"float32": "f32", "float16": "f16"}[dtype],
                                   connectivity=neighbours, expansion_add=ef_construction, expansion_search=ef_search)
        for start, ids, block in written.blocks():
            index.add(numpy.arange(start, start + len(ids), dtype=numpy.uint64), block)
        index.save(files.index)
        if len(index_module.Index.restore(files.index, view=True)) != len(written):
            raise OSError(f"{files.path}: what was written does not hold all rows: the disk may be full")
        query = (f"index = usearch.index.Index.restore({files.path!r}); index.expansion_search = {ef_search}\n"
                 "found = index.search(handoff.queries(user_vectors), k)    # exact=True: all rows; distance = 1 - inner product\n"
                 "found.keys, found.counts    # behind the counts key 0 fills up; of one query [k], without counts")
        handoff = _result.describe(written, f"usearch {_target.version('usearch')}", files.path, "ip", files.ids, query,
                                   f"expansion_search {ef_search}; more is more exact")
        files.finish(handoff, given.ids)
    return handoff


def apply_to_usearch(delta, path):
    """Brings a file that to_usearch wrote to what a delta leads to; `delta` is a Delta or its path.

    New rows get keys behind the largest; PATH.ids.jsonl has null for a row that was removed. The
    old file stays until the new one is complete. Returns an Applied. Raises InputError where the file is not at the rows that the delta was made since.
    """
    _target.library("usearch", "usearch")
    index_module = _target.library("usearch.index", "usearch")
    change, made, names = _change.of_file(delta, path)
    store = f"usearch {_target.version('usearch')}"
    rows = {text: row for row, text in enumerate(names) if text is not None}
    with _target.new_files("usearch", path, True) as files:
        index = index_module.Index.restore(files.path)
        removed = [text for text in change.removed if text in rows]
        change.require_base(store, files.path, count=len(index), removed_there=len(removed),
                            changed_there=sum(text in rows for text in change.ids))
        kept = [text for text in change.kept.ids if text in rows] if change.kept else []
        change.require_kept(store, files.path, {text: row for text, row in zip(kept, index.get(_keys(rows, kept)))} if kept else {},
                            dtype=made.dtype)
        gone = removed + [text for text in change.ids if text in rows]
        if gone:
            index.remove(_keys(rows, gone))
        for text in removed:
            names[rows.pop(text)] = None
        for text in change.ids:
            if text not in rows:
                rows[text] = len(names)
                names.append(text)
        for _, ids, block in change.written(change.changed, dtype=made.dtype).blocks() if change.changed else ():
            index.add(_keys(rows, ids), block)
        change.require_rows(len(index))
        index.save(files.index)
        if len(index_module.Index.restore(files.index, view=True)) != change.rows:
            raise OSError(f"{files.path}: what was written does not hold all rows: the disk may be full")
        files.finish(_change.said(made, change, index.get(_keys(rows, list(rows)))), names)
    return change.applied(store, files.path, len(removed))


def _keys(rows, ids):
    return numpy.array([rows[text] for text in ids], numpy.uint64)
