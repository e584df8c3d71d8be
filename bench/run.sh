#!/usr/bin/env bash
# Every benchmark beside its peers; results go to bench/results. Needs PENCHANT_DATA. Takes about half an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

peers=build/peers
if ! cmp -s bench/peers/requirements.txt "$peers/requirements.txt"; then
  echo "==> Creating $peers with PyTorch, SciPy and pandas"
  python3 -m venv "$peers"
  "$peers/bin/python" -m pip install --quiet --disable-pip-version-check -r bench/peers/requirements.txt
  cp bench/peers/requirements.txt "$peers/requirements.txt"
fi
: "${PENCHANT_DATA:=$(cd ../shared/data 2>/dev/null && pwd || true)}"
export PENCHANT_DATA
for bench in spmm epoch evaluate ingest gowalla gowalla_auto interest beauty hidden_items ablation; do
  echo "==> $bench"
  "$peers/bin/python" bench/compare.py "$bench" "$@"
done
