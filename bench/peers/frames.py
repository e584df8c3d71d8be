# SPDX-License-Identifier: Apache-2.0
"""frames.py TABLE penchant|pandas [OUT]: a log in memory to what models are made of; seconds without imports and without making the frame.

TABLE is an Arrow file of user, item, event and time. penchant: the package's ingest to OUT, a data set on disk. pandas: dense ids of users
and items, and the order by user and time; nothing is merged, split or written.
"""
import json
import pathlib
import shutil
import sys
import time


def penchant_ingest(table, out):
    import penchant
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    data = penchant.ingest(table, out, user_column="user", item_column="item", event_column="event", time_column="time", progress=False)
    return time.perf_counter() - start, data.num_users, penchant.__version__


def pandas_factorize(table, out):
    import numpy as np
    import pandas as pd
    log = table.to_pandas()
    start = time.perf_counter()
    users, user_ids = pd.factorize(log["user"])
    items, item_ids = pd.factorize(log["item"])
    np.lexsort((log["time"].to_numpy(), users))
    return time.perf_counter() - start, len(user_ids), pd.__version__


def main():
    import pyarrow as pa
    path, which = pathlib.Path(sys.argv[1]), sys.argv[2]
    with pa.memory_map(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
        seconds, users, version = {"penchant": penchant_ingest, "pandas": pandas_factorize}[which](table, sys.argv[3] if len(sys.argv) > 3 else "")
    print(json.dumps({"seconds": seconds, "rows": table.num_rows, "users": users, "versions": {which: version, "pyarrow": pa.__version__}}))


if __name__ == "__main__":
    main()
