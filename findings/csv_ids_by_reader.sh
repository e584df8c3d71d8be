#!/usr/bin/env bash
# One valid CSV file, three readers with their defaults, three catalogues. pandas 2.3.3 and PyArrow 21.0.0 take the item ids NA and null for
# missing values and then the rest of the column for numbers, so that 007 and 7 become one item; PyArrow does so inside quotes as well.
# Polars 1.33.1 keeps them all as text, and only the empty cell is missing.
# Expected: the same ids from each, as Python's csv module gives them: five. Seen: 1, 1 and 5.
# Penchant reads ids as text; which spellings are missing is said by data.missing.
source "$(dirname "$0")/common.bash"
environment pandas==2.3.3 pyarrow==21.0.0 polars==1.33.1 numpy==2.2.6
printf 'user,item\nu1,007\nu1,7\nu2,"NA"\nu2,null\nu3,"7"\nu3,nan\n' > log.csv
python - <<'CODE'
import csv, pandas, polars, pyarrow.csv
found = {
    "csv": {row["item"] for row in csv.DictReader(open("log.csv"))},
    "pandas": set(pandas.read_csv("log.csv")["item"].dropna()),
    "pyarrow": {value for value in pyarrow.csv.read_csv("log.csv")["item"].to_pylist() if value is not None},
    "polars": set(polars.read_csv("log.csv")["item"].drop_nulls()),
}
for name, ids in found.items():
    print(f"{name:8} {len(ids)} items: {sorted(map(str, ids))}")
assert len(found["csv"]) == len(found["polars"]) == 5
assert len(found["pandas"]) == len(found["pyarrow"]) == 1, "ids are kept apart"
CODE
