# SPDX-License-Identifier: Apache-2.0
"""hnswlib: a file of one graph. It knows neither metric nor width, which the Handoff beside it does."""
import numpy

from . import _given, _result, _target, _written


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
