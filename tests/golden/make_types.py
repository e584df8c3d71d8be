# SPDX-License-Identifier: Apache-2.0
"""Writes types.parquet: a column of each type that Parquet and Arrow know (pyarrow 26)."""
import datetime as d
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

at = d.datetime(2024, 5, 1, 10, 0, 0, 123456)
table = pa.table(
    {
        "user": ["u1", "u2", "u3"],
        "item": pa.array([Decimal("100"), Decimal("1.5"), Decimal("-0.25")], pa.decimal128(38, 10)),
        "text": pa.array(["a", "", None], pa.large_string()),
        "real": pa.array([0.1, 2.0, float("nan")], pa.float32()),
        "half": pa.array([0.5, 2.0, None], pa.float16()),
        "natural": pa.array([2**64 - 1, 1, None], pa.uint64()),
        "truth": [True, False, None],
        "day": pa.array([d.date(2024, 5, 1), d.date(1969, 12, 31), None]),
        "stamp": pa.array([at, d.datetime(2024, 5, 1), None], pa.timestamp("us")),
        "instant": pa.array([at, d.datetime(1969, 12, 31, 23, 59, 59, 999999), None], pa.timestamp("ns", "Asia/Tokyo")),
        "clock": pa.array([d.time(10, 0, 0, 5), d.time(23, 59, 59), None], pa.time64("us")),
        "duration": pa.array([5, 7, None], pa.duration("s")),
        "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
        "tags": [["red", "wool"], [None, "red"], []],
        "sizes": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int32(), 2)),
        "vector": pa.array([[0.5, 1.0], [2.0, 3.0], None], pa.list_(pa.float32())),
        "struct": [{"a": 1, "b": "x"}, {"a": None, "b": 'say "y"'}, None],
        "map": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64())),
        "nested": [[["a"], ["b", "c"]], [[]], None],
        "bytes": pa.array([b"\x01\xff", b"ab", None], pa.binary(2)),
        "nothing": pa.array([None, None, None], pa.null()),
    }
).replace_schema_metadata({"maker": "a test"})
pq.write_table(table, Path(__file__).parent / "types.parquet")
