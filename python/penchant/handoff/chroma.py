# SPDX-License-Identifier: Apache-2.0
"""Chroma: a collection whose ids are the raw ids, by inner product; its default is L2."""
import os
import re

from . import _change, _given, _result, _target, _written
from .. import _core


def to_chroma(source, client, collection=None, *, entity="items", score="inner product", neighbours=32, ef_construction=200,
              ef_search=200, overwrite=False):
    """Writes a collection with space "ip"; `client` is one of Chroma's clients, or a folder for a PersistentClient.

    source, entity, score: as in to_faiss. collection: its name of 3 to 512 of [a-zA-Z0-9._-], without one the entity. Ids of
    at least one character. Rows go in by as many as the client takes at once.

    Rows go into another name, which takes this one when they are complete. A failure removes it. Returns a Handoff. Raises
    InputError where the collection is there, unless overwrite=True.
    """
    chromadb = _target.library("chromadb", "chroma")
    given = _given.take(source, entity, score)
    given.require_ids("Chroma", empty=False)
    written = _written.Written(given)
    name = collection or entity
    growing = f"{name}.unfinished"
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9._-]+[a-zA-Z0-9]", name) or len(growing) > 512:
        raise _core.InputError(f"Chroma: the name {name!r} is not allowed there, expected 3 to 501 characters from [a-zA-Z0-9._-], the "
                               "first and the last a letter or digit")
    opening = ""
    if isinstance(client, (str, os.PathLike)):
        opening = f"client = chromadb.PersistentClient({os.fspath(client)!r})\n"
        client = chromadb.PersistentClient(os.fspath(client))
    there = {each.name for each in client.list_collections()}
    if name in there and not overwrite:
        _target.refuse(f"Chroma's collection {name}")
    if growing in there:
        client.delete_collection(growing)
    def undo():
        if growing in {each.name for each in client.list_collections()}:
            client.delete_collection(growing)

    with _target.failing("Chroma", f"collection {name}", undo):
        made = client.create_collection(growing, embedding_function=None, configuration={"hnsw": {
            "space": "ip", "max_neighbors": neighbours, "ef_construction": ef_construction, "ef_search": ef_search}})
        for _, ids, block in written.blocks(client.get_max_batch_size()):
            made.add(ids=ids, embeddings=block)
        if made.count() != len(written):
            raise RuntimeError(f"{made.count()} rows are there of {len(written)}")
        if name in there:
            client.delete_collection(name)
        made.modify(name=name)
    query = (f"{opening}collection = client.get_collection({name!r}, embedding_function=None)\n"
             "collection.query(query_embeddings=handoff.queries(user_vectors), n_results=k)    # distance = 1 - inner product")
    return _result.describe(written, f"Chroma {chromadb.__version__}", name, "ip", "ids", query, f"ef_search {ef_search}; more is more exact")


def apply_to_chroma(delta, client, collection=None, *, entity="items", score="inner product"):
    """Brings a collection that to_chroma wrote to what a delta leads to; `delta` is a Delta or its path, the rest as of to_chroma.

    Rows change batch by batch: where the call fails, the same call again does the rest. Returns an Applied. Raises InputError where
    the collection is not at the rows that the delta was made since.
    """
    chromadb = _target.library("chromadb", "chroma")
    change = _change.Change(delta, entity, score)
    if change.changed:
        change.changed.require_ids("Chroma", empty=False)
    name = collection or entity
    if isinstance(client, (str, os.PathLike)):
        client = chromadb.PersistentClient(os.fspath(client))
    if name not in {each.name for each in client.list_collections()}:
        _target.missing(f"Chroma's collection {name}")
    with _target.failing("Chroma", f"collection {name}", after=_target.HALFWAY):
        there = client.get_collection(name, embedding_function=None)
        size = client.get_max_batch_size()

        def have(ids):
            return [text for some in _change.pieces(ids, size) for text in there.get(ids=some, include=[])["ids"]]

        removed = have(change.removed)
        change.require_base("Chroma", f"collection {name}", count=there.count(), removed_there=len(removed), changed_there=len(have(change.ids)))
        if change.kept:
            found = there.get(ids=change.kept.ids, include=["embeddings"])
            change.require_kept("Chroma", f"collection {name}", dict(zip(found["ids"], found["embeddings"])))
        for some in _change.pieces(removed, size):
            there.delete(ids=some)
        for _, ids, block in change.written(change.changed).blocks(size) if change.changed else ():
            there.upsert(ids=ids, embeddings=block)
        change.require_rows(there.count())
    return change.applied(f"Chroma {chromadb.__version__}", name, len(removed), "its graph keeps the places of removed rows")
