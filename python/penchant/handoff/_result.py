# SPDX-License-Identifier: Apache-2.0
"""What a function of penchant.handoff returns, and what lies beside an index file: what was written and how to ask."""
import dataclasses
import html
import json

from . import _given, _written
from .. import _core


@dataclasses.dataclass
class Handoff:
    """store: name and version of the library. target: path, collection or table. rows, width: what was written. dimension: of the
    model's vectors; width = dimension + added + padded. added: 1 where the column behind them makes the store's order that of the
    inner product. metric: in the store's words. score: what the store ranks by thereby, inner product or cosine. ids: where the raw
    ids are. zero_rows: vectors of zeros, which have score 0 with everything. query: code that asks. note: what else to know.
    """

    store: str
    target: str
    entity: str
    rows: int
    dimension: int
    width: int
    padded: int
    added: int
    dtype: str
    metric: str
    score: str
    columns: int
    ids: str
    zero_rows: int
    query: str
    note: str = ""

    def queries(self, vectors):
        """[B x width] float32 for the store, of B rows of the model, say its user_vectors; for cosine of items."""
        vectors = _written.queries(vectors, self.columns)
        if self.score == "cosine":
            vectors = _given.units(vectors[:, :self.dimension])
        return _written.queries(vectors, self.width)

    def read_ids(self):
        """Raw id of each row number, where they lie in a file beside the index."""
        if not self.ids.endswith(".ids.jsonl"):
            raise _core.InputError(f"{self.target}: the raw ids are not in a file: {self.ids}")
        return _given.read_ids(self.ids)

    def facts(self):
        facts = dataclasses.asdict(self)
        facts["zero_rows"] = f"{self.zero_rows} (score 0 with everything)" if self.zero_rows else 0
        return {name: value for name, value in facts.items() if name != "columns" and value != ""}

    def __str__(self):
        return "\n".join(f"{name:9} {value}".replace("\n", "\n" + " " * 10) for name, value in self.facts().items())

    def _repr_html_(self):
        rows = "".join(f"<tr><th style='text-align:left'>{name}</th><td><pre style='margin:0'>{html.escape(str(value))}</pre></td></tr>"
                       for name, value in self.facts().items())
        return f"<table>{rows}</table>"


def describe(written, store, target, metric, ids, query, note=""):
    """The Handoff of rows that a store has."""
    given = written.given
    return Handoff(store, str(target), given.entity, len(written), written.dimension, written.width, written.padded, written.added,
                   written.dtype.name, metric, given.score, given.columns, ids, given.zero_rows(), query, note)


def load(path):
    """The Handoff of an index that a function of penchant.handoff wrote at `path`."""
    try:
        with open(f"{path}.json", encoding="utf-8") as file:
            return Handoff(**json.load(file))
    except (OSError, ValueError, TypeError) as error:
        raise _core.InputError(f"{path}.json: expected what penchant.handoff wrote beside an index: {error}") from None


def save(handoff, path):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(dataclasses.asdict(handoff), file, ensure_ascii=False, indent=1)
        file.write("\n")
