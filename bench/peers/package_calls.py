# SPDX-License-Identifier: Apache-2.0
"""package_calls.py DATA MODEL EMBEDDINGS EPOCHS: trains and embeds by the Python package; prints seconds of the calls, without the import."""
import json
import sys
import time

start = time.perf_counter()
import penchant  # noqa: E402  the import is timed

imported = time.perf_counter()
data, out, embeddings, epochs = sys.argv[1:5]
model = penchant.train(data, out, progress=False, **{"model.kind": "lightgcn", "train.epochs": int(epochs), "train.refit": False})
trained = time.perf_counter()
model.embed(embeddings, progress=False)
print(json.dumps({"import": imported - start, "train": trained - imported, "embed": time.perf_counter() - trained}))
