#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random tables, written by several programs and by the rules of others, must be read back as they were.

    table_property.py --reader build/release/tests/pipeline/read_tables [--tables 300] [--seed N] [--keep FOLDER]

Writers: Python's csv, PyArrow, pandas and Polars where they are installed, Spark's rules (univocity's: a backslash escapes
quotes and itself within quotes), and plain text whose quotes are text (Hive, MySQL). Around the rows: blank lines, lines
with a wrong number of fields, repeated headers, a byte order mark, line ends LF, CR LF and CR, a last line without one,
gzip with several members, bzip2, zstd, LZ4; read by 1 to 4 threads, in blocks from 128 bytes on. Compared: names, rows with
their line numbers, the count of every kind of line. A table that two readings explain equally well is read with the quote
given (`ambiguous` says when).
"""
import argparse
import bz2
import collections
import csv
import gzip
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time

try:
    import pyarrow
    import pyarrow.csv
except ImportError:
    pyarrow = None
try:
    import pandas
except ImportError:
    pandas = None
try:
    import polars
except ImportError:
    polars = None

WORDS = ["red hat", "blå", "7\" disc", "\"half open", "say \"hi\"", "\"Heroes\" live", "a,b", "c;d", "tab\there", "x|y", "line\nbreak",
         "cr\rhere", "crlf\r\nhere", "back\\slash", "C:\\dir\\", "end\\", "\"", "\"\"", "\\", "\\\"", "'single'", "", "", "naïve",
         "日本", "x", "alpha", "beta", "\"quoted\"", "#hash", "NULL", "\\N", "1,5", "long " * 30]


class Table:
    """Records as text, and what they are: header, row, blank, malformed, repeated."""

    def __init__(self, dialect, separator, line_end, names):
        self.dialect, self.separator, self.line_end, self.names = dialect, separator, line_end, names
        self.records = []  # (kind, text without its line end, cells)
        self.options = {}

    def add(self, kind, text, cells=None):
        self.records.append((kind, text, cells))


def random_word(rng, allowed):
    for _ in range(20):
        word = rng.choice(WORDS) if rng.random() < 0.7 else "".join(rng.choice("ab \"',;|\t\\\n\rxyzé0") for _ in range(rng.randrange(1, 9)))
        if allowed(word):
            return word
    return "plain"


def random_rows(rng, columns, allowed):
    kinds = [rng.choice(["number", "clean", "word", "word"]) for _ in range(columns - 1)]
    rows = []
    for i in range(rng.randrange(1, 40)):
        row = [f"u{i}"]
        for kind in kinds:
            row.append(str(rng.randrange(10**6)) if kind == "number" else f"w{rng.randrange(50)}" if kind == "clean"
                       else random_word(rng, allowed))
        rows.append(row)
    return rows


def csv_text(row, separator, line_end, quoting):
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator=line_end, quoting=quoting).writerow(row)
    return out.getvalue()[:-len(line_end)]


def spark_text(row, separator):
    cells = []
    for cell in row:
        if cell == "":
            cells.append("\"\"")
        elif any(c in cell for c in (separator, "\"", "\n", "\r")):
            cells.append("\"" + cell.replace("\\", "\\\\").replace("\"", "\\\"") + "\"")
        else:
            cells.append(cell)
    return separator.join(cells)


def make_table(rng):
    dialect = rng.choice(["csv", "csv", "arrow", "pandas", "polars", "spark", "plain"])
    if dialect == "arrow" and pyarrow is None or dialect == "pandas" and pandas is None or dialect == "polars" and polars is None:
        dialect = "csv"
    separator = rng.choice("\t\t,;|" if dialect == "plain" else "\t,,;|")
    line_end = rng.choice(["\n", "\n", "\r\n", "\r"])
    columns = rng.randrange(2, 7)
    names = [f"c{i}" for i in range(columns)]
    if dialect == "arrow":
        line_end = rng.choice(["\n", "\r\n"])
    if dialect == "spark":
        line_end = "\n"
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE])
    if dialect == "csv" and quoting == csv.QUOTE_NONE:
        allowed = lambda word: not any(c in word for c in separator + "\"\r\n")
    elif dialect == "plain":
        # Quotes at both ends of a cell are what quotes of cells look like.
        allowed = lambda word: not any(c in word for c in separator + "\r\n") and not (word[:1] == "\"" and word[-1:] == "\"")
    elif dialect == "spark":
        allowed = lambda word: word == word.strip() and "\r" not in word
    else:
        # Python's csv does not quote a line break other than its own, which no reader can tell from one.
        allowed = lambda word: not word.endswith("\r") and not (line_end == "\r" and "\n" in word)
    rows = random_rows(rng, columns, allowed)
    table = Table(dialect, separator, line_end, names)
    if dialect in ("arrow", "pandas", "polars"):
        table.whole = whole_text(rng, table, rows)
        table.rows = rows
        return table
    if dialect == "spark":
        text = lambda row: spark_text(row, separator)
    elif dialect == "plain":
        text = lambda row: separator.join(row)
    else:
        text = lambda row: csv_text(row, separator, line_end, quoting)
    table.whole = None
    table.rows = rows
    table.add("header", text(names))
    for row in rows:
        while rng.random() < 0.05:
            table.add("blank", rng.choice(["", "", separator * (columns - 1)]))
        if rng.random() < 0.04:
            table.add("repeated", text(names))
        if rng.random() < 0.06:
            short = rng.random() < 0.5
            broken = [f"b{i}" for i in range(columns - 1 if short else columns + 1)]
            table.add("malformed", text(broken))
        table.add("row", text(row), row)
    return table


def whole_text(rng, table, rows):
    """The file as another program writes it."""
    by_column = {name: [row[i] for row in rows] for i, name in enumerate(table.names)}
    if table.dialect == "arrow":
        out = pyarrow.BufferOutputStream()
        options = pyarrow.csv.WriteOptions(delimiter=table.separator, eol=table.line_end, quoting_style=rng.choice(["needed", "all_valid"]))
        pyarrow.csv.write_csv(pyarrow.table({n: pyarrow.array(c, pyarrow.string()) for n, c in by_column.items()}), out, options)
        return out.getvalue().to_pybytes().decode()
    if table.dialect == "pandas":
        return pandas.DataFrame(by_column).to_csv(sep=table.separator, index=False, lineterminator=table.line_end,
                                                  quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    return polars.DataFrame(by_column).write_csv(separator=table.separator, line_terminator=table.line_end,
                                                 quote_style=rng.choice(["necessary", "always", "non_numeric"]))


def count_breaks(text, line_end):
    if line_end != "\r":
        return text.count("\n")
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n")


def assemble(rng, table):
    """The file's text, its rows as [line, cells...], and how many lines of each kind there are."""
    counts = collections.Counter()
    rows = []
    mark = "\ufeff" if rng.random() < 0.1 else ""
    if table.whole is not None:
        text = mark + table.whole
        for _ in range(rng.randrange(3) if rng.random() < 0.2 else 0):
            text += table.line_end
            counts["blank_lines"] += 1
        counts["header_lines"] = 1
        counts["rows"] = len(table.rows)
        counts["lines"] = count_breaks(text, table.line_end)
        counts["continuation_lines"] = counts["lines"] - counts["blank_lines"] - 1 - len(table.rows)
        return text, [[None] + row for row in table.rows], counts
    text = mark
    line = 1
    names = {"header": "header_lines", "row": "rows", "blank": "blank_lines", "malformed": "malformed", "repeated": "repeated_headers"}
    for kind, record, cells in table.records:
        if kind == "row":
            rows.append([line] + cells)
        text += record + table.line_end
        lines = count_breaks(record + table.line_end, table.line_end)
        counts[names[kind]] += 1
        counts["continuation_lines"] += lines - 1
        line += lines
    counts["lines"] = line - 1
    if table.records[-1][0] == "row" and rng.random() < 0.2:
        text = text[:-len(table.line_end)]
    return text, rows, counts


def ambiguous(table, text):
    """Quoted cells run over line ends, and yet every line is a row where quotes are text; or all backslashes are doubled, as
    Spark does it."""
    if table.dialect not in ("plain", "spark") and "\\\\" in text:
        return True
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line]
    fits = sum(line.count(table.separator) == len(table.names) - 1 for line in lines)
    return table.dialect != "plain" and len(lines) > 1 + len(table.rows) and fits >= 0.9 * len(lines)


def pack(rng, data, path):
    how = rng.choice(["plain", "plain", "gzip", "gzip2", "bzip2", "zstd", "lz4"])
    if how == "gzip2":
        cut = rng.randrange(len(data) + 1)
        return path + ".gz", gzip.compress(data[:cut]) + gzip.compress(data[cut:])
    if how == "gzip":
        return path + ".gz", gzip.compress(data)
    if how == "bzip2":
        cut = rng.randrange(len(data) + 1)
        return path + ".bz2", bz2.compress(data[:cut]) + bz2.compress(data[cut:])
    if how in ("zstd", "lz4") and pyarrow is not None:
        cut = rng.randrange(1, len(data) + 1)
        parts = [part for part in (data[:cut], data[cut:]) if part]
        return path + (".zst" if how == "zstd" else ".lz4"), b"".join(pyarrow.compress(part, codec=how, asbytes=True) for part in parts) \
            if how == "zstd" else pyarrow.compress(data, codec="lz4", asbytes=True)
    return path, data


class Reader:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def read(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"the reader ended at {request}")
        return json.loads(line)


def difference(table, found, rows, counts):
    if "error" in found:
        return found["error"]
    if found["names"] != table.names:
        return f"names {found['names']}"
    got = [[None] + row[1:] for row in found["rows"]] if table.whole is not None else found["rows"]
    for i, row in enumerate(rows):
        if i >= len(got) or got[i] != row:
            return f"row {i}: wrote {row!r}, read {got[i] if i < len(got) else None!r}"
    if len(got) != len(rows):
        return f"{len(got)} rows, expected {len(rows)}: {got[len(rows)]!r}"
    for kind, count in found["counts"].items():
        if count != counts[kind]:
            return f"{kind} {count}, expected {counts[kind]}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--reader", required=True)
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--all-found", action="store_true", help="give no quote to ambiguous tables either")
    parser.add_argument("--keep", help="where tables that differ are kept")
    arguments = parser.parse_args()
    reader = Reader(arguments.reader)
    start = time.time()
    kinds = collections.Counter()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.tables):
            rng = random.Random(arguments.seed * 1000003 + number)
            table = make_table(rng)
            text, rows, counts = assemble(rng, table)
            request = {"threads": rng.randrange(1, 5), "slice": rng.choice([1, 40, 1000, 65536])}
            if rng.random() < 0.5:
                request["separator"] = table.separator
                extension = ".csv"
            else:
                extension = {"\t": ".tsv", ",": ".csv"}.get(table.separator, ".txt")
            given = rng.random() < 0.3
            if given and table.dialect != "spark":
                request["quote"] = "none" if table.dialect == "plain" else "\""
                request["escape"] = "none"
                request["block"] = rng.choice([128, 300, 1000, 4096])
            elif not arguments.all_found and ambiguous(table, text):
                request["quote"] = "\""
                if table.dialect != "spark":
                    request["escape"] = "none"
                kinds["ambiguous"] += 1
            path, data = pack(rng, text.encode(), os.path.join(folder, "t" + extension))
            with open(path, "wb") as file:
                file.write(data)
            request["path"] = path
            found = reader.read(request)
            problem = difference(table, found, rows, counts)
            kinds[table.dialect] += 1
            if problem:
                wrong += 1
                if wrong <= 20:
                    print(f"table {number} ({table.dialect}, separator {table.separator!r}, line end {table.line_end!r}, {request}): {problem}; "
                          f"{found.get('note', '')}")
                if arguments.keep:
                    os.makedirs(arguments.keep, exist_ok=True)
                    with open(os.path.join(arguments.keep, f"{number}{extension}"), "wb") as file:
                        file.write(text.encode())
            os.remove(path)
    print(f"{arguments.tables} tables, seed {arguments.seed}: {wrong} differ; {dict(kinds)}; {time.time() - start:.1f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
