# SPDX-License-Identifier: Apache-2.0
"""Faiss: index files of exact search (flat), of a graph (HNSW) and of codes in lists (IVF-PQ), all by inner product."""
import numpy

from . import _change, _given, _result, _target, _written
from .. import _core

INDEXES = ("flat", "hnsw", "ivfpq")


def to_faiss(source, path, index="flat", *, entity="items", score="inner product", dtype="float32", neighbours=32,
             ef_construction=200, ef_search=200, lists=None, probes=None, numbers_per_byte=2, overwrite=False):
    """Writes `path`, an index of faiss.read_index that is asked with inner products; row numbers, raw ids in PATH.ids.jsonl.

    source: a Model, the path of X.model or X.embeddings, or (ids, vectors). entity: items or users. score: "inner product", as
    recommend ranks, or "cosine" of the embeddings proper, as similar does.
    index: "flat" is exact. "hnsw": `neighbours` links a row; the file holds `ef_search`. "ivfpq": `lists` (4 sqrt(rows), but 39
    rows each) of which `probes` (a quarter) are searched, and a byte for each `numbers_per_byte` numbers (where there are fewer
    than 1,024 rows, fewer bits); the width is padded to a multiple of them.
    dtype: float16 for flat and hnsw halves the file.

    Returns a Handoff. Raises InputError for what Faiss cannot hold or where `path` is there, unless overwrite=True.
    """
    if index not in INDEXES:
        raise _core.InputError(f"index is {index!r}, expected one of {', '.join(INDEXES)}")
    if dtype not in ("float32", "float16") or (dtype == "float16" and index == "ivfpq"):
        raise _core.InputError(f"dtype is {dtype!r}, expected float32, or float16 for flat and hnsw")
    faiss = _target.library("faiss", "faiss")
    given = _given.take(source, entity, score)
    written = _written.Written(given, multiple=numbers_per_byte if index == "ivfpq" else 1, dtype=dtype)
    with _target.new_files("Faiss", path, overwrite) as files:
        built, note = _empty(faiss, index, written, neighbours, ef_construction, ef_search, lists, probes, numbers_per_byte)
        if not built.is_trained:
            built.train(written.block(0, len(written)))
        for _, _, block in written.blocks():
            built.add(block.astype("float32", copy=False))
        faiss.write_index(built, files.index)
        query = (f"index = faiss.read_index({files.path!r})\n"
                 "products, rows = index.search(handoff.queries(user_vectors), k)    # larger is better; row -1 fills up")
        handoff = _result.describe(written, f"Faiss {faiss.__version__} {type(built).__name__}", files.path, "METRIC_INNER_PRODUCT",
                                   files.ids, query, note)
        files.finish(handoff, given.ids)
    return handoff


def _empty(faiss, index, written, neighbours, ef_construction, ef_search, lists, probes, numbers_per_byte):
    """An index without rows, and what is to be said of it."""
    width, half = written.width, written.dtype.name == "float16"
    if index == "flat":
        kind = faiss.ScalarQuantizer.QT_fp16
        return (faiss.IndexScalarQuantizer(width, kind, faiss.METRIC_INNER_PRODUCT) if half else faiss.IndexFlatIP(width)), "exact"
    if index == "hnsw":
        built = (faiss.IndexHNSWSQ(width, faiss.ScalarQuantizer.QT_fp16, neighbours, faiss.METRIC_INNER_PRODUCT) if half
                 else faiss.IndexHNSWFlat(width, neighbours, faiss.METRIC_INNER_PRODUCT))
        built.hnsw.efConstruction, built.hnsw.efSearch = ef_construction, ef_search
        return built, f"efSearch {ef_search}; more is more exact: index.hnsw.efSearch"
    rows = len(written)
    bits = min(8, rows.bit_length() - 3)  # at least four rows a centroid
    if bits < 4:
        raise _core.InputError(f"ivfpq learns its codes from the rows and needs 64, there are {rows}; use flat")
    lists = lists or max(1, min(int(4 * rows ** 0.5), rows // 39))
    if lists > rows:
        raise _core.InputError(f"{lists} lists for {rows} rows, expected at most as many")
    built = faiss.IndexIVFPQ(faiss.IndexFlatIP(width), width, lists, width // numbers_per_byte, bits, faiss.METRIC_INNER_PRODUCT)
    built.cp.min_points_per_centroid = built.pq.cp.min_points_per_centroid = 1  # no warning: small shops are meant
    built.nprobe = probes or max(1, lists // 4)
    return built, f"nprobe {built.nprobe} of {lists} lists; more is more exact: index.nprobe"


def apply_to_faiss(delta, path):
    """Brings a file that to_faiss wrote to what a delta leads to; `delta` is a Delta or its path.

    Only "flat": a graph cannot forget rows, and codes were learnt of the old ones. The row numbers are those of the new
    PATH.ids.jsonl. The old file stays until the new one is complete. Returns an Applied. Raises InputError where the file
    is not at the rows that the delta was made since.
    """
    faiss = _target.library("faiss", "faiss")
    change, made, names = _change.of_file(delta, path)
    with _target.new_files("Faiss", path, True) as files:
        index = faiss.read_index(files.path)
        half = isinstance(index, faiss.IndexScalarQuantizer)
        if not half and not isinstance(index, faiss.IndexFlat):
            raise _core.InputError(f"{files.path}: {type(index).__name__} cannot take a delta: its rows cannot be removed or its codes were "
                                   "learnt of them; write it anew with to_faiss(..., overwrite=True)")
        store = f"Faiss {faiss.__version__} {type(index).__name__}"
        rows = {text: row for row, text in enumerate(names)}
        removed = [text for text in change.removed if text in rows]
        change.require_base(store, files.path, count=index.ntotal, removed_there=len(removed),
                            changed_there=sum(text in rows for text in change.ids))
        vectors = index.reconstruct_n(0, index.ntotal)
        kept = [text for text in change.kept.ids if text in rows] if change.kept else []
        change.require_kept(store, files.path, {text: vectors[rows[text]].astype(made.dtype) for text in kept}, dtype=made.dtype)
        gone = set(removed)
        stay = [row for row, text in enumerate(names) if text not in gone]
        names, vectors = [names[row] for row in stay], vectors[stay]
        rows = {text: row for row, text in enumerate(names)}
        more = []
        for _, ids, block in change.written(change.changed, dtype=made.dtype).blocks() if change.changed else ():
            here = [(rows[text], place) for place, text in enumerate(ids) if text in rows]
            vectors[[row for row, _ in here]] = block[[place for _, place in here]]
            new = [place for place, text in enumerate(ids) if text not in rows]
            names += [ids[place] for place in new]
            more.append(block[new].astype(numpy.float32))
        vectors = numpy.concatenate([vectors, *more])
        index.reset()
        index.add(vectors)
        change.require_rows(index.ntotal)
        faiss.write_index(index, files.index)
        files.finish(_change.said(made, change, vectors), names)
    return change.applied(store, files.path, len(removed))
