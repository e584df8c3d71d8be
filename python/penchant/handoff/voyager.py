# SPDX-License-Identifier: Apache-2.0
"""Voyager: a file of one graph; it adds a column of its own for the inner product."""
import numpy

from . import _given, _result, _target, _written
from .. import _core


def to_voyager(source, path, *, entity="items", score="inner product", neighbours=32, ef_construction=200, ef_search=200,
               overwrite=False):
    """Writes `path`, an index of Voyager with Space.InnerProduct and float32; ids are row numbers, raw ids in PATH.ids.jsonl.

    source, entity, score: as in to_faiss. (Voyager's 8-bit floats hold numbers to 1 only, and are not offered.)

    Returns a Handoff. Raises InputError where `path` is there, unless overwrite=True.
    """
    voyager = _target.library("voyager", "voyager")
    given = _given.take(source, entity, score)
    written = _written.Written(given)
    with _target.new_files("Voyager", path, overwrite) as files:
        index = voyager.Index(voyager.Space.InnerProduct, num_dimensions=written.width, M=neighbours,
                              ef_construction=ef_construction, max_elements=len(written),
                              storage_data_type=voyager.StorageDataType.Float32)
        for start, ids, block in written.blocks():
            index.add_items(block, list(range(start, start + len(ids))))
        index.save(files.index)
        query = (f"index = voyager.Index.load({files.path!r})\n"
                 f"rows, distances = index.query(handoff.queries(user_vectors), k, query_ef=max(k, {ef_search}))"
                 "    # smaller is better")
        handoff = _result.describe(written, f"Voyager {_target.version('voyager')}", files.path, "Space.InnerProduct", files.ids, query,
                                   f"query_ef {ef_search}; more is more exact")
        files.finish(handoff, given.ids)
    return handoff


def apply_to_voyager(delta, path):
    """Raises InputError: a row that Voyager marks as removed stays in its file, and what that does to its answers is not tried, so that
    it is written anew with to_voyager."""
    raise _core.InputError(f"{path}: Voyager keeps rows that are removed in its file, so that it cannot take a delta; write it anew with "
                           "to_voyager(..., overwrite=True)")
