# SPDX-License-Identifier: Apache-2.0
"""Penchant learns what people are drawn to: from a behaviour log and an item table to embeddings of every item and user.

The verbs of the command line are functions of the same names and options; settings are given as in a
configuration file, by their dotted keys:

>>> import penchant
>>> penchant.train("shop.data", out="shop.model", budget=60, **{"train.seed": 7})  # doctest: +SKIP
>>> penchant.train("shop.data", out="x.model", **{"model.knd": "auto"})
Traceback (most recent call last):
    ...
penchant.InputError: --set model.knd=auto: unknown key 'model.knd'; did you mean 'model.kind'?

Tables are files, or anything that speaks the Arrow C stream interface: pandas, Polars and PyArrow tables, DuckDB
relations. docs/python.md is the guide.
"""
try:
    from . import _core
except ImportError:  # pyarrow is not beside this package: once it is loaded its libraries are found
    import pyarrow.parquet

    from . import _core
from ._calls import append, apply, audience, compress, delta, embed, evaluate, explain, forget, info, ingest, new_key, pseudonyms, recommend, report, score, similar, tag, train, update, verify
from ._core import DeviceError, InputError, __version__
from ._objects import Dataset, Delta, Explanation, Metrics, Model
from ._progress import PenchantWarning
from ._recommender import Recommender
from ._text import text_vectors

__all__ = [
    "Dataset", "Delta", "DeviceError", "Explanation", "InputError", "Metrics", "Model", "PenchantWarning", "Recommender", "__version__",
    "append", "apply", "audience", "compress", "delta", "embed", "evaluate", "explain", "forget", "info", "ingest", "new_key", "pseudonyms", "recommend", "report", "score", "similar",
    "tag", "text_vectors", "train", "update", "verify",
]


def __getattr__(name):
    if name == "handoff":  # imports NumPy, as nothing else here does
        import importlib

        return importlib.import_module(".handoff", __name__)
    raise AttributeError(f"module 'penchant' has no attribute {name!r}")
