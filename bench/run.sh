#!/usr/bin/env bash
# Every benchmark beside its peers; results go to bench/results. Needs PENCHANT_DATA. Takes hours on two cores; arguments go to
# bench/compare.py, so that --rounds 1 is a look. A benchmark that fails does not keep the others from running; it is named in the
# end, and the exit status is 1.
set -euo pipefail
cd "$(dirname "$0")/.."

peers=build/peers
wanted=$(cat bench/peers/requirements.txt bench/peers/optional.txt)
if [ "$wanted" != "$(cat "$peers/wanted.txt" 2>/dev/null)" ]; then
  echo "==> Creating $peers with PyTorch, SciPy, pandas, MKL, GraphBLAS, PyG, DGL, implicit, RecBole and Playwright"
  python3 -m venv "$peers"
  "$peers/bin/python" -m pip install --quiet --disable-pip-version-check -r bench/peers/requirements.txt
  # A peer that cannot be installed is left out; the results say so and why.
  while read -r package; do
    "$peers/bin/python" -m pip install --quiet --disable-pip-version-check $package || echo "==> $package cannot be installed"
  done < <(grep -v '^#' bench/peers/optional.txt)
  echo "$wanted" > "$peers/wanted.txt"
fi
: "${PENCHANT_DATA:=$(cd ../shared/data 2>/dev/null && pwd || true)}"
export PENCHANT_DATA
failed=()
for bench in spmm gnn graph_build orders epoch recommenders evaluate lists ingest frames package_calls gowalla gowalla_vectors gowalla_auto interest beauty hidden_items shops ablation locality overhead report; do
  echo "==> $bench"
  "$peers/bin/python" bench/compare.py "$bench" "$@" || failed+=("$bench")
done
"$peers/bin/python" bench/ratios.py bench/results
if [ ${#failed[@]} -gt 0 ]; then
  echo "==> Failed: ${failed[*]}" >&2
  exit 1
fi
