# SPDX-License-Identifier: Apache-2.0
"""Annoy: a file of trees that is mapped into memory; it adds a column of its own for the inner product."""
from . import _given, _result, _target, _written
from .. import _core


def to_annoy(source, path, *, entity="items", score="inner product", trees=50, seed=1, overwrite=False):
    """Writes `path`, an index of Annoy with metric "dot"; items are row numbers, raw ids in PATH.ids.jsonl.

    source, entity, score: as in to_faiss. More trees: a larger file and more exact.

    Returns a Handoff. Raises InputError where `path` is there, unless overwrite=True.
    """
    annoy = _target.library("annoy", "annoy")
    given = _given.take(source, entity, score)
    written = _written.Written(given)
    with _target.new_files("Annoy", path, overwrite) as files:
        index = annoy.AnnoyIndex(written.width, "dot")
        index.set_seed(seed)
        for start, _, block in written.blocks():
            for row, vector in enumerate(block.tolist(), start):
                index.add_item(row, vector)
        index.build(trees)
        index.save(files.index)
        query = (f"index = annoy.AnnoyIndex({written.width}, 'dot'); index.load({files.path!r})\n"
                 f"rows, products = index.get_nns_by_vector(handoff.queries(user_vector)[0], k, search_k={trees} * 200, "
                 "include_distances=True)    # larger is better")
        handoff = _result.describe(written, f"Annoy {_target.version('annoy')}", files.path, "dot", files.ids, query,
                                   "search_k: how many rows are looked at; more is more exact")
        files.finish(handoff, given.ids)
    return handoff


def apply_to_annoy(delta, path):
    """Raises InputError: an index of Annoy cannot be changed once it is built, so that it is written anew with to_annoy."""
    raise _core.InputError(f"{path}: an index of Annoy cannot be changed once it is built; write it anew with to_annoy(..., overwrite=True)")
