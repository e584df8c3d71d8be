# SPDX-License-Identifier: Apache-2.0
"""hnswlib: a file of one graph. It knows neither metric nor width, which the Handoff beside it does."""
import numpy

from . import _change, _given, _result, _target, _written


def to_hnswlib(source, path, *, entity="items", score="inner product", neighbours=32, ef_construction=200, ef_search=200,
               overwrite=False):
    """Writes `path`, to be loaded with space "ip"; row numbers, raw ids in PATH.ids.jsonl.

    source, entity, score: as in to_faiss. neighbours: links a row (M). ef_search is not in the file: the query sets it.

    Returns a Handoff. Raises InputError where `path` is there, unless overwrite=True.
    """
    hnswlib = _target.library("hnswlib", "hnswlib")
    given = _given.take(source, entity, score)
    written = _written.Written(given)
    with _target.new_files("hnswlib", path, overwrite) as files:
        index = hnswlib.Index(space="ip", dim=written.width)
        index.init_index(max_elements=len(written), M=neighbours, ef_construction=ef_construction)
        for start, ids, block in written.blocks():
            index.add_items(block, numpy.arange(start, start + len(ids)))
        index.save_index(files.index)
        _target.require_size(files.index, index.index_file_size())
        query = (f"index = hnswlib.Index(space='ip', dim={written.width})\n"
                 f"index.load_index({files.path!r}); index.set_ef(max(k, {ef_search}))\n"
                 "rows, distances = index.knn_query(handoff.queries(user_vectors), k)    # distance = 1 - inner product")
        handoff = _result.describe(written, f"hnswlib {_target.version('hnswlib')}", files.path, "ip", files.ids, query,
                                   f"ef {ef_search} is set after loading; more is more exact")
        files.finish(handoff, given.ids)
    return handoff


def apply_to_hnswlib(delta, path):
    """Brings a file that to_hnswlib wrote to what a delta leads to; `delta` is a Delta or its path.

    Moved rows get new links; a removed one is marked, stays in the file, and has null in PATH.ids.jsonl. The old
    file stays until the new one is complete. Returns an Applied. Raises InputError where the file is not at the rows that the delta was made since.
    """
    hnswlib = _target.library("hnswlib", "hnswlib")
    change, made, names = _change.of_file(delta, path)
    store = f"hnswlib {_target.version('hnswlib')}"
    rows = {text: row for row, text in enumerate(names) if text is not None}
    with _target.new_files("hnswlib", path, True) as files:
        index = hnswlib.Index(space="ip", dim=made.width)
        new = [text for text in change.ids if text not in rows]
        index.load_index(files.path, max_elements=len(names) + len(new))
        removed = [text for text in change.removed if text in rows]
        change.require_base(store, files.path, count=len(rows), removed_there=len(removed), changed_there=len(change.ids) - len(new))
        kept = [text for text in change.kept.ids if text in rows] if change.kept else []
        change.require_kept(store, files.path, dict(zip(kept, index.get_items([rows[text] for text in kept])) if kept else ()))
        for text in removed:
            index.mark_deleted(rows[text])
            names[rows.pop(text)] = None
        for text in new:
            rows[text] = len(names)
            names.append(text)
        for _, ids, block in change.written(change.changed).blocks() if change.changed else ():
            index.add_items(block, numpy.array([rows[text] for text in ids]))
        change.require_rows(len(rows))
        index.save_index(files.index)
        _target.require_size(files.index, index.index_file_size())
        files.finish(_change.said(made, change, index.get_items(list(rows.values()))), names)
    return change.applied(store, files.path, len(removed), f"{names.count(None)} of {len(names)} places are of removed rows")
