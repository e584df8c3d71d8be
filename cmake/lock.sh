#!/usr/bin/env bash
# lock.sh [UV]: writes cmake/locks/NAME.txt of every list of Python packages that `make` installs: the same versions with the hashes
# (SHA-256) of all files that the index has of them, by which pip refuses any other file (--require-hashes). To be run after a list has
# changed; tests/dependencies_test.py sees that it was. Needs uv (pip install uv), which asks the index that pip asks.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${1:-uv}
mkdir -p cmake/locks
for list in cmake/requirements*.txt; do
  lock=cmake/locks/$(basename "$list" .txt).txt
  {
    echo "# Made of $list by cmake/lock.sh: do not edit."
    "$uv" pip compile --quiet --no-deps --no-header --no-annotate --generate-hashes --python-version 3.11 "$list"
  } > "$lock.new"
  mv "$lock.new" "$lock"
  echo "$lock: $(grep -c '==' "$lock") packages"
done
