# SPDX-License-Identifier: Apache-2.0
"""Tables in memory on their way into the library, by the Arrow C stream interface and never through text."""
import os

from . import _core


def _is_sparse(value):
    return hasattr(value, "tocoo") and hasattr(value, "shape")


def _module(value):
    return type(value).__module__.split(".")[0]


def _from_pandas(frame, name):
    import pyarrow

    try:
        return pyarrow.Table.from_pandas(frame, preserve_index=False)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        reason = error
    for column in frame.columns:
        try:
            pyarrow.Array.from_pandas(frame[column])
        except (pyarrow.ArrowException, TypeError, ValueError) as error:
            raise _core.InputError(
                f"{name}: column '{column}' holds values that are not of one type: {error}; convert them, such as by "
                f"astype(str), or leave the column out") from None
    raise _core.InputError(f"{name}: {reason}")


def _from_sparse(matrix):
    """Rows user, item, weight of a matrix of users x items."""
    import pyarrow

    entries = matrix.tocoo()
    return pyarrow.table({"user": pyarrow.array(entries.row), "item": pyarrow.array(entries.col),
                          "weight": pyarrow.array(entries.data)})


class Given:
    """The tables of one call: names that stand for those in memory, and paths."""

    def __init__(self):
        self.frames = _core.Frames()
        self.columns = {}  # of a sparse matrix: the roles that its columns have

    def take(self, option, value):
        """Paths and names of what an option was given."""
        values = list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]
        names = []
        for number, one in enumerate(values, 1):
            if isinstance(one, (str, os.PathLike)):
                names.append(os.fspath(one))
                continue
            name = f"<{option}>" if len(values) == 1 else f"<{option} {number}>"
            if _is_sparse(one):
                one = _from_sparse(one)
                self.columns = {"user_column": "user", "item_column": "item", "weight_column": "weight"}
            elif _module(one) == "pandas":
                one = _from_pandas(one, name)
            elif isinstance(one, dict):
                import pyarrow

                one = pyarrow.table(one)
            if not hasattr(one, "__arrow_c_stream__"):
                raise TypeError(f"{option} is of type {type(one).__name__}, expected a path, a table that speaks the Arrow "
                                "C stream interface (pandas, Polars, PyArrow, DuckDB) or a SciPy matrix of users x items")
            self.frames.add(name, one.__arrow_c_stream__())
            names.append(name)
        return names
