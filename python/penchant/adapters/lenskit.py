# SPDX-License-Identifier: Apache-2.0
"""A trained model as a scorer of LensKit's pipelines (2025)."""
import numpy
from lenskit.data import ItemList, QueryInput, RecQuery
from lenskit.pipeline import Component
from pydantic import BaseModel

import penchant


class PenchantConfig(BaseModel):
    """model: path of X.model; data: of X.data, without it the one beside the model; ranking: vectors or full."""

    model: str
    data: str | None = None
    ranking: str | None = None


class PenchantScorer(Component[ItemList]):
    """Scores items for a query by a model that is trained: topn_pipeline(PenchantScorer(model="shop.model")).

    A user of the model's data set is scored by what the model knows of them, someone else by the history of the query.
    Items that the model does not know, and queries of which it knows nothing, have the score NaN. LensKit chooses the
    candidates, so that it says which items of a user are left out.
    """

    config: PenchantConfig

    def __call__(self, query: QueryInput, items: ItemList) -> ItemList:
        query = RecQuery.create(query)
        scores = self._scores(query)
        return ItemList(items, scores=numpy.array([scores.get(str(item), numpy.nan) for item in items.ids()], numpy.float32))

    def _scores(self, query):
        model = self._model()
        options = {"k": model.num_items, "seen": "keep", "ranking": self.config.ranking, "progress": False}
        if query.user_id is not None and str(query.user_id) in self._users:
            table = model.recommend(str(query.user_id), **options)
        else:
            history = [str(item) for item in query.history_items.ids()] if query.history_items is not None else []
            history = [item for item in history if item in self._items]
            if not history:
                return {}
            table = model.recommend(history=history, **options)
        return dict(zip(table["item_id"].to_pylist(), table["score"].to_numpy()))

    def _model(self):
        if getattr(self, "_opened", None) is None:
            self._opened = penchant.Model(self.config.model, self.config.data)
            self._users = set(self._opened.user_ids.to_pylist())
            self._items = set(self._opened.item_ids.to_pylist())
        return self._opened

    def __getstate__(self):  # each process opens the model itself
        return {**self.__dict__, "_opened": None}
