# SPDX-License-Identifier: Apache-2.0
"""What is handed off: raw ids and finite vectors, of a model, a folder of embeddings or NumPy, checked before a store sees any."""
import dataclasses
import json
import os

import numpy

from .. import _core
from .._objects import Model

ENTITIES = ("items", "users")
SCORES = ("inner product", "cosine")


@dataclasses.dataclass(eq=False)
class Given:
    """ids: N raw ids, all different. vectors: [N x D] float32 of finite numbers. score: what their inner product is. columns:
    of the vectors as they came, of which the first D count."""

    entity: str
    score: str
    ids: list
    vectors: numpy.ndarray
    columns: int

    def name(self, row):
        return f"{self.entity} '{self.ids[row]}'"

    def require_ids(self, store, *, longest=None, empty=True, allowed=lambda text: True, without=""):
        """Ids that a store holds as they are: of at most `longest` bytes of UTF-8, allowed, empty or not."""
        for row, text in enumerate(self.ids):
            size = len(text.encode())
            if longest is not None and size > longest:
                raise _core.InputError(f"{store}: the id of {self.entity} '{text[:60]}', row {row}, has {size} bytes, expected at most {longest}")
            if not empty and not text:
                raise _core.InputError(f"{store}: the id of row {row} is empty, expected at least one character")
            if not allowed(text):
                raise _core.InputError(f"{store}: the id {text[:60]!r}, row {row}, is not allowed there, expected {without}")

    def zero_rows(self):
        return int((~self.vectors.any(axis=1)).sum())


def take(source, entity, score):
    """The rows of a Model, of the path of X.model or X.embeddings, or of (ids, vectors). Raises InputError for what no store should get."""
    if entity not in ENTITIES:
        raise _core.InputError(f"entity is {entity!r}, expected items or users")
    if score not in SCORES:
        raise _core.InputError(f"score is {score!r}, expected 'inner product' or 'cosine'")
    return checked(entity, score, *_rows(source, entity))


def checked(entity, score, ids, vectors, proper):
    """A Given of such rows; proper: how many of their columns are the embedding proper, None: all."""
    ids = [text if isinstance(text, str) else str(text) for text in ids]
    vectors = numpy.asarray(vectors)
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu" or not vectors.shape[1]:
        raise _core.InputError(f"vectors are {vectors.dtype} of shape {vectors.shape}, expected numbers of [rows x columns]")
    if len(ids) != len(vectors):
        raise _core.InputError(f"{len(ids)} ids and {len(vectors)} vectors, expected as many")
    if not ids:
        raise _core.InputError(f"there are no {entity} to hand off")
    _check_ids(ids)
    columns = vectors.shape[1]
    if score == "cosine":
        vectors = vectors[:, :columns if proper is None else proper]
    given = Given(entity, score, ids, numpy.ascontiguousarray(vectors, numpy.float32), columns)
    finite = numpy.isfinite(given.vectors).all(axis=1)
    if not finite.all():
        raise _core.InputError(f"the vector of {given.name(int(numpy.argmin(finite)))} has a number that is not finite")
    if score == "cosine":
        given.vectors = units(given.vectors)
    return given


def units(vectors):
    """Rows of length 1; rows of zeros stay, and have score 0 with everything."""
    lengths = numpy.linalg.norm(vectors.astype(numpy.float64), axis=1, keepdims=True)
    return (vectors / numpy.where(lengths > 0, lengths, 1)).astype(numpy.float32)


def _rows(source, entity):
    """Ids, vectors and how many of their columns are the embedding proper, by whose cosine `similar` ranks (None: all)."""
    if isinstance(source, tuple):
        if len(source) != 2:
            raise _core.InputError(f"a tuple of {len(source)} was given, expected (ids, vectors)")
        ids, vectors = source
        return ids.to_pylist() if hasattr(ids, "to_pylist") else list(ids), vectors, None
    if isinstance(source, (str, os.PathLike)) and not isinstance(source, Model):
        folder = os.fspath(source)
        if os.path.exists(os.path.join(folder, "items.npy")):
            return _embeddings(folder, entity)
        source = Model(folder)
    if not isinstance(source, Model):
        raise TypeError(f"a {type(source).__name__} was given, expected a penchant.Model, the path of X.model or X.embeddings, "
                        "or (ids, vectors)")
    ids, vectors = ((source.item_ids, source.item_vectors) if entity == "items" else (source.user_ids, source.user_vectors))
    return ids.to_pylist(), vectors, source.manifest["layout"]["embedding_dim"]


def _embeddings(folder, entity):
    path = os.path.join(folder, "manifest.json")
    if not os.path.exists(path):
        raise _core.InputError(f"{folder}: no manifest.json: these embeddings are not finished")
    with open(path) as file:
        manifest = json.load(file)
    proper = manifest["dimension"] - manifest.get("new_item_columns", 0) - bool(manifest.get("popularity_column"))
    path = os.path.join(folder, f"{entity}.ids.jsonl")
    return read_ids(path), numpy.load(os.path.join(folder, f"{entity}.npy"), mmap_mode="r"), proper


def read_ids(path):
    """Raw ids of *.ids.jsonl, one JSON string a line: line i is row i."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _check_ids(ids):
    first = {}
    for row, text in enumerate(ids):
        if first.setdefault(text, row) != row:
            raise _core.InputError(f"the id '{text}' is there twice, in rows {first[text]} and {row}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _core.InputError(f"the id {text!r}, row {row}, is not valid text: it has half of a surrogate pair") from None
