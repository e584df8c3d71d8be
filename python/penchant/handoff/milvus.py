# SPDX-License-Identifier: Apache-2.0
"""Milvus and Milvus Lite: a collection raw_id (VARCHAR, the key), vector. The quick create_collection would rank by cosine."""
import contextlib
import os

from . import _given, _result, _target, _written
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
            _create(pymilvus, client, growing, written, max(len(text.encode()) for text in given.ids), index)
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


def _create(pymilvus, client, name, written, longest, index):
    schema = pymilvus.MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("raw_id", pymilvus.DataType.VARCHAR, is_primary=True, max_length=longest)
    kind = pymilvus.DataType.FLOAT_VECTOR if written.dtype.name == "float32" else pymilvus.DataType.FLOAT16_VECTOR
    schema.add_field("vector", kind, dim=written.width)
    options = client.prepare_index_params()
    more = {"params": {"M": 32, "efConstruction": 200}} if index == "hnsw" else {}
    options.add_index("vector", index_type=index.upper(), metric_type="IP", **more)
    client.create_collection(name, schema=schema, index_params=options)
