# SPDX-License-Identifier: Apache-2.0
"""Vectors into vector stores and indexes, each by its own library, so that its order is the model's.

>>> handoff = penchant.handoff.to_faiss(model, "items.faiss", "hnsw")  # doctest: +SKIP
>>> print(handoff)  # what was written, and how to ask  # doctest: +SKIP

Every function names the metric, keeps the raw ids, checks all rows before it writes the first, and leaves nothing half-written that
looks finished. The libraries are extras: pip install 'penchant[faiss]'. docs/handoff.md has a table of them all.
"""
from ._result import Handoff, load
from ._target import StoreError
from ._written import queries
from .annoy import to_annoy
from .chroma import to_chroma
from .duckdb import to_duckdb
from .faiss import to_faiss
from .feast import to_feast
from .hnswlib import to_hnswlib
from .lancedb import to_lancedb
from .milvus import to_milvus
from .pgvector import to_pgvector
from .qdrant import to_qdrant
from .redis import to_redis
from .sqlite_vec import to_sqlite_vec
from .usearch import to_usearch
from .vespa import to_vespa
from .voyager import to_voyager

__all__ = ["Handoff", "StoreError", "load", "queries", "to_annoy", "to_chroma", "to_duckdb", "to_faiss", "to_feast", "to_hnswlib",
           "to_lancedb", "to_milvus", "to_pgvector", "to_qdrant", "to_redis", "to_sqlite_vec", "to_usearch", "to_vespa", "to_voyager"]
