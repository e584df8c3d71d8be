# SPDX-License-Identifier: Apache-2.0
"""A trained model as a model of RecTools (0.19)."""
from rectools.models.base import ModelBase


class PenchantModel(ModelBase):
    """Recommends by a penchant.Model, which is trained: fit() learns nothing and only says that it may be asked.

    Viewed items are those of RecTools' data set. Users that the model does not know are a penchant.InputError; items that it
    does not know are never recommended. An item is never listed near itself, whatever filter_itself says.
    """

    def __init__(self, model, ranking=None, verbose=0):
        super().__init__(verbose=verbose)
        self.model = model
        self.ranking = ranking

    def _fit(self, dataset):
        pass

    @staticmethod
    def _allowed(dataset, item_ids):
        """{raw id: internal id} of the items that may be recommended."""
        ids = dataset.item_id_map.internal_ids if item_ids is None else item_ids
        return {str(raw): internal for raw, internal in zip(dataset.item_id_map.convert_to_external(ids), ids)}

    def _recommend_u2i(self, user_ids, dataset, k, filter_viewed, sorted_item_ids_to_recommend):
        items = self._allowed(dataset, sorted_item_ids_to_recommend)
        users = {str(raw): internal for raw, internal in zip(dataset.user_id_map.convert_to_external(user_ids), user_ids)}
        viewed, most = None, k
        if filter_viewed:
            viewed = dataset.get_user_item_matrix(include_weights=False)[user_ids]
            most += int(viewed.getnnz(axis=1).max())
        known = set(self.model.item_ids.to_pylist())
        table = self.model.recommend(list(users), min(most, self.model.num_items), seen="keep", ranking=self.ranking,
                                     only_items=[item for item in items if item in known], progress=False)
        return self._rows(table, "user_id", users, items, k, dict(zip(user_ids, viewed)) if filter_viewed else {})

    def _recommend_i2i(self, target_ids, dataset, k, sorted_item_ids_to_recommend):
        items = self._allowed(dataset, sorted_item_ids_to_recommend)
        targets = {str(raw): internal for raw, internal in zip(dataset.item_id_map.convert_to_external(target_ids), target_ids)}
        table = self.model.similar(list(targets), min(k, self.model.num_items - 1), only_items=list(items), unknown="skip",
                                   progress=False)
        return self._rows(table, "target_item_id", targets, items, k, {})

    @staticmethod
    def _rows(table, owner, owners, items, k, viewed):
        """The first k of each list that are not viewed, as internal ids."""
        listed, found = {}, ([], [], [])
        for name, item, score in zip(*(table[column].to_pylist() for column in (owner, "item_id", "score"))):
            target, inside = owners[name], items[item]
            seen = viewed.get(target)
            if listed.get(target, 0) == k or (seen is not None and inside in seen.indices):
                continue
            listed[target] = listed.get(target, 0) + 1
            for column, value in zip(found, (target, inside, score)):
                column.append(value)
        return found
