#!/usr/bin/env bash
# RecBole 1.2.1, general_recommender.Pop: popularity is counted by an indexed assignment, which counts an item once a batch however often it
# stands there; and it counts the sampled negatives of the batch as well.
# Expected: counts of the rows. Seen: an item with 8 rows of one batch and an item with 1 both get 1.
# Who compares "popularity" with RecBole's: the same rule trained with train_batch_size = 1 and no negatives counts right (docs/comparing.md).
source "$(dirname "$0")/common.sh"
environment numpy==1.26.4 pandas==2.3.3 scipy==1.15.3 torch==2.15.0 pyyaml==6.0.2 tqdm==4.67.1 colorlog==6.9.0 colorama==0.4.6 \
  scikit-learn==1.6.1 tensorboard==2.19.0 thop==0.1.1.post2209072238 tabulate==0.9.0 texttable==1.7.0 "setuptools<80"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps recbole==1.2.1
python -W ignore - <<'CODE'
import torch
from recbole.data.interaction import Interaction
from recbole.model.general_recommender.pop import Pop
class Dataset:  # what the model asks of one: sizes
    def num(self, field): return 3
config = {"USER_ID_FIELD": "user", "ITEM_ID_FIELD": "item", "NEG_PREFIX": "neg_", "device": "cpu"}
def counts(batches):
    model = Pop(config, Dataset())
    for batch in batches:
        model.calculate_loss(Interaction({"user": torch.zeros(len(batch), dtype=torch.int64), "item": torch.tensor(batch)}))
    return model.item_cnt.flatten().tolist()
rows = [1] * 8 + [2]
one_batch, one_by_one = counts([rows]), counts([[item] for item in rows])
print("rows of items 1 and 2: 8 and 1; counted in one batch:", one_batch[1:], " in batches of one:", one_by_one[1:])
assert one_batch[1:] == [1, 1] and one_by_one[1:] == [8, 1], "rows are counted"
CODE
