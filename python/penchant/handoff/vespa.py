# SPDX-License-Identifier: Apache-2.0
"""Vespa: a feed of put operations, JSON lines (docs.vespa.ai, "Document JSON format"), and the schema that they fit."""
import json
import re

from . import _change, _given, _result, _target, _written
from .. import _core

LONGEST_ID = 65536  # characters of a document id as a whole
# What com.yahoo.text.Text takes for text: no control characters but tab and line ends, no surrogates, no noncharacters.
TEXT = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]*")

SCHEMA = """schema {kind} {{
    document {kind} {{
        field raw_id type string {{ indexing: summary | attribute }}
        field vector type tensor<float>(x[{width}]) {{
            indexing: attribute | index
            attribute {{ distance-metric: dotproduct }}
        }}
    }}
    rank-profile penchant {{
        inputs {{ query(q) tensor<float>(x[{width}]) }}
        first-phase {{ expression: sum(query(q) * attribute(vector)) }}
    }}
}}"""


def to_vespa(source, path, *, entity="items", score="inner product", namespace="penchant", document_type=None, overwrite=False):
    """Writes `path`, a line {"put": "id:NAMESPACE:TYPE::RAW_ID", "fields": {"raw_id", "vector"}} a row, for `vespa feed`.

    source, entity, score: as in to_faiss. document_type: without one "item" or "user". The Handoff's note is the schema.
    A document id has at most 65,536 characters of text, without control characters.

    Returns a Handoff. Raises InputError where `path` is there, unless overwrite=True.
    """
    kind = document_type or entity.removesuffix("s")
    _check_names(namespace, kind)
    given = _given.take(source, entity, score)
    head = f"id:{namespace}:{kind}::"
    _check_ids(given, head)
    written = _written.Written(given)
    with _target.new_files("Vespa", path, overwrite) as files:
        with open(files.index, "w", encoding="utf-8") as file:
            _put(file, written, head)
        query = (f"vespa feed {files.path}\n"
                 f"vespa query 'yql=select raw_id from {kind} where {{targetHits: 20}}nearestNeighbor(vector, q)' ranking=penchant \\\n"
                 "    'input.query(q)=[...]' hits=20    # relevance = inner product; {targetHits: 20, approximate: false}: all rows")
        handoff = _result.describe(written, "Vespa feed", files.path, "dotproduct", "field raw_id", query,
                                   SCHEMA.format(kind=kind, width=written.width))
        files.finish(handoff)
    return handoff


def _check_names(namespace, kind):
    for name, value, pattern in (("namespace", namespace, r"[^:\s]+"), ("document_type", kind, r"[a-zA-Z_][a-zA-Z0-9_]*")):
        if not re.fullmatch(pattern, value):
            raise _core.InputError(f"Vespa: the {name} {value!r} is not allowed there, expected {pattern}")


def _check_ids(given, head):
    given.require_ids("Vespa", empty=False, allowed=lambda text: TEXT.fullmatch(text) and len(head) + len(text) <= LONGEST_ID,
                      without=f"at most {LONGEST_ID - len(head)} characters, none of them a control character")


def _put(file, written, head):
    for _, ids, block in written.blocks():
        for text, vector in zip(ids, _written.texts(block)):
            quoted = json.dumps(text, ensure_ascii=False)
            file.write(f'{{"put": {json.dumps(head + text, ensure_ascii=False)}, "fields": {{"raw_id": {quoted}, '
                       f'"vector": {{"values": {vector}}}}}}}\n')


def apply_to_vespa(delta, path, *, entity="items", score="inner product", namespace="penchant", document_type=None, overwrite=False):
    """Writes `path`, a feed of what a delta says: {"put": ...} for rows that are new or moved, {"remove": "id:..."} for those that are
    gone, for `vespa feed` to an application that has the old ones. `delta` is a Delta or its path, the rest as of to_vespa.

    Whether the application is at the rows that the delta was made since, nobody looks. Returns an Applied.
    """
    change = _change.Change(delta, entity, score)
    kind = document_type or entity.removesuffix("s")
    _check_names(namespace, kind)
    head = f"id:{namespace}:{kind}::"
    if change.changed:
        _check_ids(change.changed, head)
    with _target.new_files("Vespa", path, overwrite) as files:
        with open(files.index, "w", encoding="utf-8") as file:
            for text in change.removed:
                file.write(f'{{"remove": {json.dumps(head + text, ensure_ascii=False)}}}\n')
            if change.changed:
                _put(file, change.written(change.changed), head)
        query = f"vespa feed {files.path}"
        zero_rows = change.changed.zero_rows() if change.changed else 0
        handoff = _result.Handoff("Vespa feed of a delta", files.path, entity, len(change.ids), change.dimension, change.dimension, 0, 0,
                                  "float32", "dotproduct", score, change.columns, "field raw_id", zero_rows, query)
        files.finish(handoff)
    return change.applied("Vespa feed", files.path, len(change.removed), "put and remove operations")
