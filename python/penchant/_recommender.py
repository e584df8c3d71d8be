# SPDX-License-Identifier: Apache-2.0
"""A model behind the calls that scikit-learn and implicit have."""
from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from typing import Any

from . import _calls
from ._settings import _flat


class Recommender:
    """Learns from a matrix or table of interactions and recommends, with scikit-learn's parameters and implicit's calls.

    fit() takes a SciPy matrix of users x items or a table (then `user_column` and `item_column` name its columns), and keeps
    the data set and the model in `folder`, or in a folder that goes with this object. With a matrix, users and items
    are its rows and columns; with a table, the raw ids.

    >>> penchant.Recommender(budget=30).get_params()["budget"]
    30
    """

    def __init__(self, *, budget=None, seed=None, user_column=None, item_column=None, time_column=None, weight_column=None,
                 item_table=None, settings=None, folder=None, progress=False):
        self.budget = budget
        self.seed = seed
        self.user_column = user_column
        self.item_column = item_column
        self.time_column = time_column
        self.weight_column = weight_column
        self.item_table = item_table
        self.settings = settings
        self.folder = folder
        self.progress = progress

    _parameters = ("budget", "seed", "user_column", "item_column", "time_column", "weight_column", "item_table", "settings",
                   "folder", "progress")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments that this was made with."""
        return {name: getattr(self, name) for name in self._parameters}

    def set_params(self, **params: Any) -> Recommender:
        """Changes arguments; they count from the next fit() on. Raises ValueError for a name that there is not."""
        for name, value in params.items():
            if name not in self._parameters:
                raise ValueError(f"Recommender has no parameter '{name}', it has: {', '.join(self._parameters)}")
            setattr(self, name, value)
        return self

    def __repr__(self):
        given = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items() if value not in (None, False))
        return f"Recommender({given})"

    def fit(self, X: Any, y: None = None) -> Recommender:
        """Makes a data set of X (a SciPy matrix of users x items, a table or a path) and trains. Returns self, with
        `dataset_` and `model_`."""
        settings = dict(_flat(self.settings or {}))
        of_data = {key: value for key, value in settings.items() if key.startswith("data.")}
        folder = self.folder
        if folder is None:
            folder = tempfile.mkdtemp(prefix="penchant-")
            self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        os.makedirs(folder, exist_ok=True)
        item_table = self.item_table
        self._is_matrix = hasattr(X, "tocoo")
        item_options = {}
        if self._is_matrix and item_table is None:  # columns without entries are items too
            import pyarrow

            item_table = pyarrow.table({"item": pyarrow.array(range(X.shape[1]), pyarrow.int64())})
            item_options = {"data.items.key": "item"}
        self.dataset_ = _calls.ingest(
            X, os.path.join(folder, "fit.data"), user_column=self.user_column, item_column=self.item_column,
            time_column=self.time_column, weight_column=self.weight_column, item_table=item_table, progress=self.progress,
            **item_options, **of_data)
        self.model_ = _calls.train(
            self.dataset_, os.path.join(folder, "fit.model"), budget=self.budget, seed=self.seed, progress=self.progress,
            **{key: value for key, value in settings.items() if not key.startswith("data.")})
        return self

    def recommend(self, userid: Any, user_items: Any = None, N: int = 10, filter_already_liked_items: bool = True) -> tuple[Any, Any]:
        """The N best items of a user or of an array of users, as (ids, scores): arrays of [N] or [users x N], best first.

        `user_items`: a SciPy matrix with a row for each of these users and a column for each item; they are then known by
        these items alone, as someone new is. Where fewer items are left, ids are -1 (None for text) and scores NaN."""
        import numpy

        single = numpy.ndim(userid) == 0
        users = [userid] if single else list(userid)
        seen = "mask" if filter_already_liked_items else "keep"
        if user_items is None:
            lists = self._lists(self.model_.recommend([str(user) for user in users], N, seen=seen, progress=False), "user_id")
            found = [lists.get(str(user), []) for user in users]
        else:
            rows = user_items.tocsr()
            if rows.shape[0] != len(users):
                raise ValueError(f"user_items has {rows.shape[0]} rows, expected one for each of {len(users)} users")
            found = []
            for row in range(len(users)):
                table = self.model_.recommend(history=rows[row].indices.tolist(), k=N, seen=seen, progress=False)
                found.append(list(zip(table["item_id"].to_pylist(), table["score"].to_pylist())))
        return self._arrays(found, N, single)

    def similar_items(self, itemid: Any, N: int = 10) -> tuple[Any, Any]:
        """The N items nearest to an item or to each of an array of items, as recommend() returns them; the item itself is left
        out."""
        import numpy

        single = numpy.ndim(itemid) == 0
        items = [itemid] if single else list(itemid)
        lists = self._lists(self.model_.similar([str(item) for item in items], N, progress=False), "target_item_id")
        return self._arrays([lists.get(str(item), []) for item in items], N, single)

    @staticmethod
    def _lists(table, owner):
        lists = {}
        for name, item, score in zip(*(table[column].to_pylist() for column in (owner, "item_id", "score"))):
            lists.setdefault(name, []).append((item, score))
        return lists

    def _arrays(self, found, count, single):
        import numpy

        ids = numpy.full((len(found), count), -1 if self._is_matrix else None, dtype=numpy.int64 if self._is_matrix else object)
        scores = numpy.full((len(found), count), numpy.nan, dtype=numpy.float32)
        for row, items in enumerate(found):
            for place, (item, score) in enumerate(items):
                ids[row, place] = int(item) if self._is_matrix else item
                scores[row, place] = score
        return (ids[0], scores[0]) if single else (ids, scores)
