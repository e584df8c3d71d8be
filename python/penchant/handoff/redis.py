# SPDX-License-Identifier: Apache-2.0
"""Redis: hashes that any server keeps, an index of RediSearch over them, or a vector set (Redis 8)."""
import dataclasses
import json

import numpy

from . import _change, _given, _result, _target, _written
from .. import _core

FORMS = {"hash": None, "search": "FT.CREATE", "vectorset": "VADD"}  # and the command that a server has for it
BATCH = 1000


def to_redis(source, client, prefix=None, *, form="hash", entity="items", score="inner product", dtype="float32", overwrite=False):
    """Writes rows under `prefix` (without one "penchant:items" or "penchant:users") through a redis.Redis client.

    source, entity, score: as in to_faiss. form:
    "hash": a hash PREFIX:RAW_ID a row with raw_id and vector, little-endian bytes of dtype, float32 or float16. Redis ranks nothing.
    "search": the same and an index PREFIX of RediSearch (FLAT, IP), exact. "vectorset": PREFIX:vectors of Redis 8, whose elements
    are the raw ids; it knows cosine only, and the added column makes that rank by inner product.

    The key PREFIX holds the Handoff as JSON once all rows are there, and "unfinished" before; what another call left so is replaced.
    A failure removes what was written. Returns a Handoff. Raises InputError where there are keys of that prefix, unless
    overwrite=True, and for a form that the server does not have.
    """
    if form not in FORMS or dtype not in (("float32",) if form == "vectorset" else ("float32", "float16")):
        raise _core.InputError(f"form is {form!r} and dtype {dtype!r}, expected hash, search or vectorset, and float32, or float16 for "
                               "the first two")
    _target.library("redis", "redis")
    given = _given.take(source, entity, score)
    given.require_ids("Redis", longest=512 << 20)
    written = _written.Written(given, added="unit" if form == "vectorset" else None, dtype=dtype)
    prefix = prefix or f"penchant:{entity}"
    command = FORMS[form]
    if command and not _has(client, command):
        raise _core.InputError(f"this Redis server has no {command}, which form={form!r} needs; form='hash' works with every server")
    unfinished = client.get(prefix) in (b"unfinished", "unfinished")
    if not overwrite and not unfinished and (client.exists(prefix) or next(_keys(client, prefix), None) is not None):
        _target.refuse(f"Redis' keys {prefix}:*")
    _remove(client, prefix, form)
    with _target.failing("Redis", f"keys {prefix}:*", lambda: _remove(client, prefix, form)):
        client.set(prefix, "unfinished")
        for _, ids, block in written.blocks(BATCH):
            pipe = client.pipeline(transaction=False)
            for text, row in zip(ids, block.astype(written.dtype.newbyteorder("<"))):
                if form == "vectorset":
                    pipe.execute_command("VADD", f"{prefix}:vectors", "FP32", row.tobytes(), text, "NOQUANT")
                else:
                    pipe.hset(f"{prefix}:{text}", mapping={"raw_id": text, "vector": row.tobytes()})
            pipe.execute()
        if form == "search":
            client.execute_command("FT.CREATE", prefix, "ON", "HASH", "PREFIX", 1, f"{prefix}:", "SCHEMA", "raw_id", "TAG", "vector", "VECTOR",
                                   "FLAT", 6, "TYPE", dtype.upper(), "DIM", written.width, "DISTANCE_METRIC", "IP")
        handoff = _result.describe(written, f"Redis {client.info('server')['redis_version']} {form}", prefix, *_words(form, prefix, dtype))
        client.set(prefix, json.dumps(dataclasses.asdict(handoff), ensure_ascii=False))
    return handoff


def _has(client, command):
    """Whether the server knows it: asked without arguments it says which are missing. (COMMAND INFO of an unknown command ends in
    redis-py's parser, 8.1.)"""
    try:
        client.execute_command(command)
    except Exception as error:
        return "unknown command" not in str(error).lower()
    return True


def _words(form, prefix, dtype):
    """metric, ids, query and note of a Handoff."""
    if form == "vectorset":
        return ("cosine", "elements of the set", f"client.execute_command('VSIM', '{prefix}:vectors', 'FP32', "
                "handoff.queries(user_vector).tobytes(), 'COUNT', k, 'TRUTH')    # TRUTH: all rows",
                "unit vectors with the added column: cosine ranks them by inner product")
    if form == "search":
        return ("IP", "field raw_id", f"client.execute_command('FT.SEARCH', '{prefix}', '*=>[KNN 20 @vector $q AS distance]', 'PARAMS', 2, 'q',\n"
                f"    handoff.queries(user_vector).astype('{dtype}').tobytes(), 'SORTBY', 'distance', 'RETURN', 1, 'raw_id', 'LIMIT', 0, 20, "
                "'DIALECT', 2)    # distance = 1 - inner product", "exact")
    return ("none: Redis ranks nothing", "field raw_id",
            f"numpy.frombuffer(client.hget('{prefix}:' + raw_id, 'vector'), '{numpy.dtype(dtype).newbyteorder('<').str}')    # a row",
            "hashes: the client computes inner products")


def _keys(client, prefix):
    escaped = "".join(f"\\{letter}" if letter in "*?[]^\\" else letter for letter in prefix)
    return client.scan_iter(match=f"{escaped}:*", count=10000)


def _remove(client, prefix, form):
    """All keys of the prefix, and an index of that name."""
    if form == "search" and prefix in [name.decode() if isinstance(name, bytes) else name for name in client.execute_command("FT._LIST")]:
        client.execute_command("FT.DROPINDEX", prefix)
    batch = [prefix]
    for key in _keys(client, prefix):
        batch.append(key)
        if len(batch) == 10000:
            client.unlink(*batch)
            batch = []
    if batch:
        client.unlink(*batch)


def apply_to_redis(delta, client, prefix=None, *, entity="items"):
    """Brings hashes that to_redis wrote (form "hash" or "search") to what a delta leads to; `delta` is a Delta or its path.

    The key PREFIX says what they are. Hashes change batch by batch: where the call fails, the same call again does the rest. Returns
    an Applied. Raises InputError where they are not the rows that the delta was made since, and for a vector set, whose rows all
    depend on the longest: it is handed off anew.
    """
    _target.library("redis", "redis")
    prefix = prefix or f"penchant:{entity}"
    said = client.get(prefix)
    if said in (None, b"unfinished", "unfinished"):
        _target.missing(f"Redis' keys {prefix}:*")
    made = _result.Handoff(**json.loads(said))
    if made.added:
        raise _core.InputError(f"Redis: {prefix} is a vector set, whose rows all depend on the longest; hand all rows off anew")
    change = _change.Change(delta, made.entity, made.score)
    how = {"dtype": made.dtype}
    numbers = numpy.dtype(made.dtype).newbyteorder("<")

    def rows(ids, of="vector"):
        """{raw id: bytes} of those that are there."""
        found = {}
        for some in _change.pieces(ids):
            pipe = client.pipeline(transaction=False)
            for text in some:
                pipe.hget(f"{prefix}:{text}", of)
            found.update((text, value) for text, value in zip(some, pipe.execute()) if value is not None)
        return found

    with _target.failing("Redis", f"keys {prefix}:*", after=_target.HALFWAY):
        removed = list(rows(change.removed))
        change.require_base("Redis", f"keys {prefix}:*", count=sum(1 for _ in _keys(client, prefix)), removed_there=len(removed),
                            changed_there=len(rows(change.ids)))
        change.require_kept("Redis", f"keys {prefix}:*", {text: numpy.frombuffer(value, numbers) for text, value
                                                          in rows(change.kept.ids if change.kept else []).items()}, **how)
        for some in _change.pieces(removed):
            client.unlink(*(f"{prefix}:{text}" for text in some))
        for _, ids, block in change.written(change.changed, **how).blocks(BATCH) if change.changed else ():
            pipe = client.pipeline(transaction=False)
            for text, row in zip(ids, block.astype(numbers)):
                pipe.hset(f"{prefix}:{text}", mapping={"raw_id": text, "vector": row.tobytes()})
            pipe.execute()
        change.require_rows(sum(1 for _ in _keys(client, prefix)))
        client.set(prefix, json.dumps({**dataclasses.asdict(made), "rows": change.rows}, ensure_ascii=False))
    return change.applied(made.store, prefix, len(removed))
