# SPDX-License-Identifier: Apache-2.0
"""Milvus and Milvus Lite: a collection raw_id (VARCHAR, the key), vector. The quick create_collection would rank by cosine."""
import contextlib
import os

import numpy

from . import _change, _given, _result, _target, _written
from .. import _core

LONGEST_ID = 65535
BATCH_BYTES = 32 << 20  # of the 64 MiB that a message may have


def to_milvus(source, client, collection=None, *, entity="items", score="inner product", dtype="float32", index="flat",
              overwrite=False):
    """Writes a collection with metric IP; `client` is a MilvusClient, or a path ending in .db for Milvus Lite.

    source, entity, score: as in to_faiss. collection: its name, without one the entity. dtype: float16 on a server; Milvus Lite has
    none. index: "flat" is exact, "hnsw" a graph. The key is the raw id, of at most 65,535 bytes.

    Rows go into another name, which takes this one when they are complete. A failure removes it. Returns a Handoff. Raises
    InputError where the collection is there, unless overwrite=True.
    """
    if dtype not in ("float32", "float16") or index not in ("flat", "hnsw"):
        raise _core.InputError(f"dtype is {dtype!r} and index {index!r}, expected float32 or float16, and flat or hnsw")
    pymilvus = _target.library("pymilvus", "milvus")
    given = _given.take(source, entity, score)
    given.require_ids("Milvus", longest=LONGEST_ID, empty=False)
    written = _written.Written(given, dtype=dtype)
    if not 2 <= written.width <= 32768:
        raise _core.InputError(f"Milvus: vectors of {written.width} columns, expected 2 to 32,768")
    name = collection or entity
    if not (name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit() and len(name) <= 240):
        raise _core.InputError(f"Milvus: the name {name!r} is not allowed there, expected letters, digits and _, at most 240")
    opened = isinstance(client, (str, os.PathLike))
    with contextlib.ExitStack() as stack:
        if opened:
            where = os.fspath(client)
            if not where.endswith(".db"):
                raise _core.InputError(f"{where}: expected a path ending in .db, which Milvus Lite takes, or a MilvusClient")
            _target.library("milvus_lite", "milvus")
            client = pymilvus.MilvusClient(where)
            stack.callback(client.close)
        if client.has_collection(name) and not overwrite:
            _target.refuse(f"Milvus' collection {name}")
        growing = f"{name}_unfinished"
        if client.has_collection(growing):
            client.drop_collection(growing)
        with _target.failing("Milvus", f"collection {name}", lambda: client.drop_collection(growing)):
            _create(pymilvus, client, growing, written, index)
            for _, ids, block in written.blocks(max(1, BATCH_BYTES // (written.width * 4 + 64 + LONGEST_ID // 64))):
                client.insert(growing, [{"raw_id": text, "vector": row} for text, row in zip(ids, block)])
            client.flush(growing)
            count = client.query(growing, filter="", output_fields=["count(*)"])[0]["count(*)"]
            if count != len(written):
                raise RuntimeError(f"{count} rows are there of {len(written)}")
            if client.has_collection(name):
                client.drop_collection(name)
            client.rename_collection(growing, name)
    opening = f"client = pymilvus.MilvusClient({where!r})\n" if opened else ""
    more = ", 'params': {'ef': max(k, 200)}" if index == "hnsw" else ""
    query = (f"{opening}client.load_collection({name!r})\n"
             f"client.search({name!r}, data=list(handoff.queries(user_vectors)), limit=k, "
             f"search_params={{'metric_type': 'IP'{more}}})    # distance = inner product; the key is hit['raw_id']")
    return _result.describe(written, f"pymilvus {pymilvus.__version__}", name, "IP", "key raw_id", query,
                            "exact" if index == "flat" else "ef 200; more is more exact")


def _create(pymilvus, client, name, written, index):
    schema = pymilvus.MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("raw_id", pymilvus.DataType.VARCHAR, is_primary=True, max_length=LONGEST_ID)
    kind = pymilvus.DataType.FLOAT_VECTOR if written.dtype.name == "float32" else pymilvus.DataType.FLOAT16_VECTOR
    schema.add_field("vector", kind, dim=written.width)
    options = client.prepare_index_params()
    more = {"params": {"M": 32, "efConstruction": 200}} if index == "hnsw" else {}
    options.add_index("vector", index_type=index.upper(), metric_type="IP", **more)
    client.create_collection(name, schema=schema, index_params=options)


def apply_to_milvus(delta, client, collection=None, *, entity="items", score="inner product"):
    """Brings a collection that to_milvus wrote to what a delta leads to; `delta` is a Delta or its path, the rest as of to_milvus.

    Rows change batch by batch: where the call fails, the same call again does the rest. Returns an Applied. Raises InputError where
    the collection is not at the rows that the delta was made since, or an id is longer than it takes.
    """
    pymilvus = _target.library("pymilvus", "milvus")
    change = _change.Change(delta, entity, score)
    name = collection or entity
    with contextlib.ExitStack() as stack:
        if isinstance(client, (str, os.PathLike)):
            client = pymilvus.MilvusClient(os.fspath(client))
            stack.callback(client.close)
        if not client.has_collection(name):
            _target.missing(f"Milvus' collection {name}")
        fields = {field["name"]: field for field in client.describe_collection(name)["fields"]}
        if change.changed:
            change.changed.require_ids(f"Milvus' collection {name}", longest=int(fields["raw_id"]["params"]["max_length"]), empty=False)
        how = {"dtype": "float16"} if fields["vector"]["type"] == pymilvus.DataType.FLOAT16_VECTOR else {}
        with _target.failing("Milvus", f"collection {name}", after=_target.HALFWAY):
            client.load_collection(name)

            def have(ids, *more):
                return [row for some in _change.pieces(ids, 500) for row in client.query(name, _one_of(some), output_fields=["raw_id", *more])]

            def count():
                client.flush(name)
                return client.query(name, filter="", output_fields=["count(*)"])[0]["count(*)"]

            removed = [row["raw_id"] for row in have(change.removed)]
            change.require_base("Milvus", f"collection {name}", count=count(), removed_there=len(removed), changed_there=len(have(change.ids)))
            if change.kept:
                numbers = numpy.float16 if how else numpy.float32
                change.require_kept("Milvus", f"collection {name}", {row["raw_id"]: _row(row["vector"], numbers)
                                                                      for row in have(change.kept.ids, "vector")}, **how)
            for some in _change.pieces(removed):
                client.delete(name, filter=_one_of(some))
            written = change.written(change.changed, **how)
            for _, ids, block in written.blocks(max(1, BATCH_BYTES // (written.width * 4 + 64 + LONGEST_ID // 64))) if written else ():
                client.upsert(name, [{"raw_id": text, "vector": row} for text, row in zip(ids, block)])
            change.require_rows(count())
    return change.applied(f"pymilvus {pymilvus.__version__}", name, len(removed))


def _one_of(ids):
    """A filter by the key. (pymilvus 3.0.2 escapes no quote in ids that it is given, and Milvus Lite knows no \\u.)"""
    marks = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
    return "raw_id in [" + ", ".join(f'"{text.translate(marks)}"' for text in ids) + "]"


def _row(vector, numbers):
    """Halves come as bytes, in a list or bare."""
    if isinstance(vector, (list, tuple)) and vector and isinstance(vector[0], bytes):
        vector = vector[0]
    return numpy.frombuffer(vector, numbers) if isinstance(vector, bytes) else numpy.array(vector, numbers)
