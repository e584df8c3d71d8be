#!/usr/bin/env bash
# hnswlib 0.8.0: save_index does not look whether its writes arrive. Where a file may have no more than 64 KiB (a quota, a full disk; here the
# process' own limit), Faiss says so with an exception; hnswlib returns as after every save and leaves the first part of the index.
# Expected: an error from both. Seen: none from hnswlib, and a file of 65,536 bytes of the 2,022,672 that the same index has elsewhere.
# Penchant's to_hnswlib compares the size of the file with what the index should have, and refuses.
source "$(dirname "$0")/common.bash"
environment hnswlib==0.8.0 faiss-cpu==1.15.1 numpy==2.4.6
python - <<'CODE'
import os, resource, signal
import faiss, hnswlib, numpy as np
vectors = np.random.default_rng(1).standard_normal((5000, 64), dtype=np.float32)
index = hnswlib.Index(space="ip", dim=64)
index.init_index(max_elements=len(vectors), random_seed=1)
index.add_items(vectors, num_threads=1)
index.save_index("whole.bin")
flat = faiss.IndexFlatIP(64)
flat.add(vectors)
whole = os.path.getsize("whole.bin")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit is an error then, as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
said = {}
for name, save in (("hnswlib", lambda: index.save_index("short.bin")), ("faiss", lambda: faiss.write_index(flat, "short.faiss"))):
    try:
        save()
        said[name] = "nothing"
    except Exception as error:
        said[name] = type(error).__name__
short = os.path.getsize("short.bin")
print(f"whole index {whole} bytes; with room for 65536: {short}; said: {said}")
assert said["faiss"] != "nothing", "Faiss says nothing either"
assert said["hnswlib"] == "nothing" and short < whole, "hnswlib says that it could not write"
CODE
