# SPDX-License-Identifier: Apache-2.0
"""Feast: a Parquet file that a FileSource reads, offline and for materialize into an online store."""
import datetime

from . import _given, _result, _target, _written
from .. import _core

DEFINITIONS = """from feast import Entity, FeatureView, Field, FileSource
from feast.types import Array, Float32
{one} = Entity(name="{one}", join_keys=["{key}"])
{one}_vectors = FeatureView(name="{one}_vectors", entities=[{one}], schema=[Field(name="vector", dtype=Array(Float32))],
                            source=FileSource(path={path!r}, timestamp_field="event_timestamp"))
store.apply([{one}, {one}_vectors]); store.materialize(start, end)
store.get_online_features(features=["{one}_vectors:vector"], entity_rows=[{{"{key}": "..."}}]).to_dict()"""


def to_feast(source, path, *, entity="items", score="inner product", event_timestamp=None, overwrite=False):
    """Writes `path`, Parquet with item_id or user_id (string), vector (list of float32) and event_timestamp (UTC).

    source, entity, score: as in to_faiss. event_timestamp: since when the vectors hold, a datetime, now by itself; one without a
    zone is UTC. Needs no library to be written; the Handoff's query are the definitions that Feast wants. Feast keeps features and
    ranks nothing: ids are its join key.

    Returns a Handoff. Raises InputError where `path` is there, unless overwrite=True.
    """
    import pyarrow
    import pyarrow.parquet

    when = event_timestamp if event_timestamp is not None else datetime.datetime.now(datetime.timezone.utc)
    if not isinstance(when, datetime.datetime):
        raise _core.InputError(f"event_timestamp is of type {type(when).__name__}, expected a datetime")
    when = when.replace(tzinfo=datetime.timezone.utc) if when.tzinfo is None else when.astimezone(datetime.timezone.utc)
    given = _given.take(source, entity, score)
    written = _written.Written(given)
    one = entity.removesuffix("s")
    key = f"{one}_id"
    schema = pyarrow.schema([(key, pyarrow.string()), ("vector", pyarrow.list_(pyarrow.float32())),
                             ("event_timestamp", pyarrow.timestamp("us", "UTC"))])
    with _target.new_files("Feast", path, overwrite) as files:
        with pyarrow.parquet.ParquetWriter(files.index, schema) as writer:
            for _, ids, block in written.blocks():
                offsets = pyarrow.array(range(0, block.size + 1, written.width), pyarrow.int32())
                vectors = pyarrow.ListArray.from_arrays(offsets, pyarrow.array(block.ravel()))
                writer.write_table(pyarrow.table([pyarrow.array(ids, pyarrow.string()), vectors,
                                                  pyarrow.array([when] * len(ids), schema.field(2).type)], schema=schema))
        handoff = _result.describe(written, "Feast", files.path, "none: Feast ranks nothing", f"column {key}",
                                   DEFINITIONS.format(one=one, key=key, path=files.path),
                                   f"event_timestamp {when.isoformat()}: features asked for an earlier time are missing")
        files.finish(handoff)
    return handoff


def apply_to_feast(delta, path):
    """Raises InputError: a feature view has no way to remove a row, so that it is written anew with to_feast."""
    raise _core.InputError(f"{path}: a feature view has no way to remove a row; write it anew with to_feast(..., overwrite=True)")
