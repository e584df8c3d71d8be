# SPDX-License-Identifier: Apache-2.0
"""lists.py EMBEDDINGS DATA K THREADS [--only NAME,...]: the best K items for every user by inner products, exact, by libraries.

EMBEDDINGS is what `penchant embed --format npy` wrote; nobody reads it within the time: vectors lie in memory, lists end there. No
peer leaves out what users have (implicit can: implicit_seen), which favours them. Prints JSON: milliseconds of all users, the
best of the calls, and the share of lists whose items are those of the first peer that ran.
"""
import argparse
import json
import pathlib

import numpy as np
from timing import Peers, load_csr  # noqa: F401  the folder of this file is on the path


def seen_of(data, shape):
    """What users have in train and validation, as `penchant recommend` leaves it out."""
    import scipy.sparse as sp
    rows = [(np.load(data / part / "user.npy"), np.load(data / part / "item.npy")) for part in ("train", "validation")]
    users, items = (np.concatenate(column) for column in zip(*rows))
    return sp.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=shape)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embeddings", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("k", type=int)
    parser.add_argument("threads", type=int)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    users = np.ascontiguousarray(np.load(options.embeddings / "users.npy"))
    items = np.ascontiguousarray(np.load(options.embeddings / "items.npy"))
    peers = Peers([name for name in options.only.split(",") if name])
    lists = {}

    def keep(name, make):
        """`make` returns a function whose result is the [U x K] items; the last call's are kept to compare."""
        def prepared():
            function = make()

            def timed():
                lists[name] = function()
            return timed
        return prepared

    def faiss():
        import faiss
        faiss.omp_set_num_threads(options.threads)
        index = faiss.IndexFlatIP(items.shape[1])
        index.add(items)
        return lambda: index.search(users, options.k)[1]

    def implicit(seen=None):
        import implicit.cpu.topk as topk
        from threadpoolctl import threadpool_limits
        threadpool_limits(1, "blas")  # as `implicit` asks for: it has threads of its own
        return lambda: topk.topk(items, users, options.k, filter_query_items=seen, num_threads=options.threads)[0]

    def usearch():
        from usearch.index import MetricKind, search
        return lambda: search(items, users, options.k, MetricKind.IP, exact=True, threads=options.threads).keys

    def torch():
        import torch
        torch.set_num_threads(options.threads)
        table, queries = torch.from_numpy(items), torch.from_numpy(users)

        def blocks():
            with torch.inference_mode():
                return np.concatenate([torch.topk(queries[first:first + 1024] @ table.T, options.k).indices.numpy()
                                       for first in range(0, len(queries), 1024)])
        return blocks

    peers.run("faiss", ["faiss-cpu"], keep("faiss", faiss))
    peers.run("implicit", ["implicit"], keep("implicit", implicit))
    peers.run("implicit_seen", ["implicit"], keep("implicit_seen", lambda: implicit(seen_of(options.data, (len(users), len(items))))))
    peers.run("usearch", ["usearch"], keep("usearch", usearch))
    peers.run("torch", ["torch"], keep("torch", torch))
    result = peers.result()
    alike = [name for name in lists if name != "implicit_seen"]
    if alike:
        first = np.sort(np.asarray(lists[alike[0]], dtype=np.int64), axis=1)
        result["same_items"] = {name: float((np.sort(np.asarray(lists[name], dtype=np.int64), axis=1) == first).mean()) for name in alike}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
