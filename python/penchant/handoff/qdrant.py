# SPDX-License-Identifier: Apache-2.0
"""Qdrant: a collection whose points are row numbers, since it takes no other ids than whole numbers and UUIDs; raw_id is payload."""
import contextlib
import os

import numpy

from . import _change, _given, _result, _target, _written
from .. import _core

BATCH_BYTES = 16 << 20  # of numbers as JSON at most half of the 32 MiB that a server takes at once


def to_qdrant(source, client, collection=None, *, entity="items", score="inner product", dtype="float32", overwrite=False):
    """Writes a collection with distance Dot; `client` is a QdrantClient of any kind, or a folder for one in local mode.

    source, entity, score: as in to_faiss. collection: its name, without one the entity. dtype: float32 or float16, which a server
    keeps as it is; local mode keeps float32 whatever is asked. The raw id of a point is its payload raw_id.

    Until it is complete the collection's metadata is {"penchant": "unfinished"}; one that another call left so is replaced. A
    failure removes it. Returns a Handoff. Raises InputError where the collection is there, unless overwrite=True.
    """
    if dtype not in ("float32", "float16"):
        raise _core.InputError(f"dtype is {dtype!r}, expected float32 or float16")
    qdrant = _target.library("qdrant_client", "qdrant")
    models = qdrant.models
    given = _given.take(source, entity, score)
    written = _written.Written(given)
    if dtype == "float16":
        _written.Written(given, dtype=dtype)  # only looks whether the numbers fit
    if written.width > 65536:
        raise _core.InputError(f"Qdrant: vectors of {written.width} columns, expected at most 65,536")
    name = collection or entity
    opened = isinstance(client, (str, os.PathLike))
    with contextlib.ExitStack() as stack:
        if opened:
            where = os.fspath(client)
            client = qdrant.QdrantClient(path=where)
            stack.callback(client.close)
        if client.collection_exists(name):
            mark = getattr(client.get_collection(name).config, "metadata", None) or {}
            if not overwrite and mark.get("penchant") != "unfinished":
                _target.refuse(f"Qdrant's collection {name}")
            client.delete_collection(name)
        with _target.failing("Qdrant", f"collection {name}", lambda: client.delete_collection(name)):
            client.create_collection(name, metadata={"penchant": "unfinished"}, vectors_config=models.VectorParams(
                size=written.width, distance=models.Distance.DOT, datatype=models.Datatype(dtype)))
            for start, ids, block in written.blocks(max(1, BATCH_BYTES // (written.width * 24 + 64))):
                client.upsert(name, models.Batch(ids=list(range(start, start + len(ids))), vectors=block.tolist(),
                                                 payloads=[{"raw_id": text} for text in ids]), wait=True)
            count = client.count(name, exact=True).count
            if count != len(written):
                raise RuntimeError(f"{count} points are there of {len(written)}")
            client.update_collection(name, metadata={"penchant": "finished", "entity": entity, "score": score, "width": written.width})
    opening = f"client = qdrant_client.QdrantClient(path={where!r})\n" if opened else ""
    query = (f"{opening}client.query_points({name!r}, query=handoff.queries(user_vector)[0].tolist(), limit=k, with_payload=['raw_id'],\n"
             "    search_params=models.SearchParams(exact=True)).points    # score = inner product")
    return _result.describe(written, f"Qdrant client {_target.version('qdrant-client')}", name, "Dot", "payload raw_id", query,
                            "exact=True looks at all rows; without it a server uses its HNSW graph")


def apply_to_qdrant(delta, client, collection=None, *, entity="items", score="inner product"):
    """Brings a collection that to_qdrant wrote to what a delta leads to; `delta` is a Delta or its path, the rest as of to_qdrant.

    New rows get point numbers behind the largest. Points change batch by batch: where the call fails, the same call again does the
    rest. Returns an Applied. Raises InputError where the collection is not at the rows that the delta was made since.
    """
    qdrant = _target.library("qdrant_client", "qdrant")
    models = qdrant.models
    change = _change.Change(delta, entity, score)
    name = collection or entity
    with contextlib.ExitStack() as stack:
        if isinstance(client, (str, os.PathLike)):
            client = qdrant.QdrantClient(path=os.fspath(client))
            stack.callback(client.close)
        if not client.collection_exists(name):
            _target.missing(f"Qdrant's collection {name}")
        if (getattr(client.get_collection(name).config, "metadata", None) or {}).get("penchant") == "unfinished":
            raise _core.InputError(f"Qdrant's collection {name} is unfinished; hand all rows off anew")
        with _target.failing("Qdrant", f"collection {name}", after=_target.HALFWAY):
            points = _points(client, name)
            removed = [text for text in change.removed if text in points]
            change.require_base("Qdrant", f"collection {name}", count=len(points), removed_there=len(removed),
                                changed_there=sum(text in points for text in change.ids))
            if change.kept:
                asked = [points[text] for text in change.kept.ids if text in points]
                change.require_kept("Qdrant", f"collection {name}", {
                    point.payload["raw_id"]: numpy.array(point.vector, numpy.float32)
                    for point in client.retrieve(name, asked, with_payload=["raw_id"], with_vectors=True)}, **_kept_as(client, name))
            for some in _change.pieces(removed, 10000):
                client.delete(name, models.PointIdsList(points=[points[text] for text in some]), wait=True)
            behind = max(points.values(), default=-1) + 1
            for text in change.ids:
                if text not in points:
                    points[text], behind = behind, behind + 1
            written = change.written(change.changed)
            for _, ids, block in written.blocks(max(1, BATCH_BYTES // (written.width * 24 + 64))) if written else ():
                client.upsert(name, models.Batch(ids=[points[text] for text in ids], vectors=block.tolist(),
                                                 payloads=[{"raw_id": text} for text in ids]), wait=True)
            change.require_rows(client.count(name, exact=True).count)
    return change.applied(f"Qdrant client {_target.version('qdrant-client')}", name, len(removed))


def _points(client, name):
    """{raw id: number of its point}."""
    points, offset = {}, None
    while True:
        some, offset = client.scroll(name, limit=10000, with_payload=["raw_id"], with_vectors=False, offset=offset)
        for point in some:
            text = (point.payload or {}).get("raw_id")
            if not isinstance(text, str) or text in points:
                raise _core.InputError(f"Qdrant: point {point.id} of collection {name} has the raw id {text!r}, expected one of its own; hand all "
                                       "rows off anew")
            points[text] = point.id
        if offset is None:
            return points


def _kept_as(client, name):
    """How a server keeps numbers; local mode has float32 and says none."""
    datatype = getattr(client.get_collection(name).config.params.vectors, "datatype", None)
    half = datatype is not None and "16" in str(datatype) and not hasattr(client._client, "collections")
    return {"dtype": "float16"} if half else {}
