# SPDX-License-Identifier: Apache-2.0
"""Vectors into vector stores and indexes, each by its own library, so that its order is the model's.

>>> handoff = penchant.handoff.to_faiss(model, "items.faiss", "hnsw")  # doctest: +SKIP
>>> print(handoff)  # what was written, and how to ask  # doctest: +SKIP

Every function names the metric, keeps the raw ids, checks all rows before it writes the first, and leaves nothing half-written that
looks finished; apply_to_... brings a store to what a delta leads to. The libraries are extras: pip install 'penchant[faiss]'.
docs/handoff.md has a table of them all.
"""
from ._change import Applied
from ._result import Handoff, load
from ._target import StoreError
from ._written import queries
from .annoy import apply_to_annoy, to_annoy
from .chroma import apply_to_chroma, to_chroma
from .duckdb import apply_to_duckdb, to_duckdb
from .faiss import apply_to_faiss, to_faiss
from .feast import apply_to_feast, to_feast
from .hnswlib import apply_to_hnswlib, to_hnswlib
from .lancedb import apply_to_lancedb, to_lancedb
from .milvus import apply_to_milvus, to_milvus
from .pgvector import apply_to_pgvector, to_pgvector
from .qdrant import apply_to_qdrant, to_qdrant
from .redis import apply_to_redis, to_redis
from .sqlite_vec import apply_to_sqlite_vec, to_sqlite_vec
from .usearch import apply_to_usearch, to_usearch
from .vespa import apply_to_vespa, to_vespa
from .voyager import apply_to_voyager, to_voyager

__all__ = ["Applied", "Handoff", "StoreError", "apply_to_annoy", "apply_to_chroma", "apply_to_duckdb", "apply_to_faiss", "apply_to_feast",
           "apply_to_hnswlib", "apply_to_lancedb", "apply_to_milvus", "apply_to_pgvector", "apply_to_qdrant", "apply_to_redis",
           "apply_to_sqlite_vec", "apply_to_usearch", "apply_to_vespa", "apply_to_voyager", "load", "queries", "to_annoy", "to_chroma",
           "to_duckdb", "to_faiss", "to_feast", "to_hnswlib", "to_lancedb", "to_milvus", "to_pgvector", "to_qdrant", "to_redis",
           "to_sqlite_vec", "to_usearch", "to_vespa", "to_voyager"]
