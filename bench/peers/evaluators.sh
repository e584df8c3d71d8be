#!/usr/bin/env bash
# Installs the evaluators of evaluators.txt into build/peers/evaluators (about 8 GB, most of it PyTorch) and runs evaluators.py, whose options it
# takes. Each environment is made once; one that cannot be made is named, and evaluators.py then fails for its evaluators.
set -euo pipefail
cd "$(dirname "$0")/../.."
homes=build/peers/evaluators
mkdir -p "$homes"
while read -r name packages; do
  home=$homes/$name
  wanted=$(grep "^$name " bench/peers/evaluators.txt)
  if [ "$wanted" = "$(cat "$home/wanted.txt" 2>/dev/null)" ]; then continue; fi
  [ -d "$home" ] || { echo "==> Creating $home"; python3 -m venv "$home"; }
  "$home/bin/python" -m pip install --quiet --disable-pip-version-check $packages < /dev/null || echo "==> $packages cannot be installed"
  if [ "$packages" = "$(echo "$wanted" | tail -1 | cut -d ' ' -f 2-)" ]; then echo "$wanted" > "$home/wanted.txt"; fi
done < <(grep -v '^#' bench/peers/evaluators.txt)
python3 bench/peers/evaluators.py "$@"
