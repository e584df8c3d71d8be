#!/usr/bin/env bash
# reproducible.sh [TARGET ...]: builds TARGETs (the program, unless others are named) of HEAD twice, without the compiler's cache, in two
# folders with names of different lengths, and compares what came out byte by byte. Both builds use the Python environment of this one,
# whose path the program has in its RUNPATH (an installed program has its own folder's).
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
targets=("${@:-penchant}")
jobs=${JOBS:-$(nproc)}
work=${REPRODUCIBLE_DIR:-build/reproducible}
rm -rf "$work" && mkdir -p "$work"
work=$(cd "$work" && pwd)
folders=("$work/one" "$work/another_folder")
for folder in "${folders[@]}"; do
  git clone --quiet "$root" "$folder"
  echo "==> ${targets[*]} in $folder"
  cmake -S "$folder" -B "$folder/build/release" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCCACHE_PROGRAM=OFF -DPENCHANT_TESTS=OFF \
    -DPENCHANT_BENCHMARKS=OFF -DPENCHANT_PYTHON="$root/build/venv/bin/python" > "$folder.log" || { cat "$folder.log"; exit 1; }
  cmake --build "$folder/build/release" --parallel "$jobs" --target "${targets[@]}" >> "$folder.log" || { tail -50 "$folder.log"; exit 1; }
done
# The program, archives and objects; what they were made with on the way (.gch, logs) is not what is shipped.
hashes() { (cd "$1/build/release" && find . \( -name penchant -type f -o -name '*.a' -o -name '*.o' -o -name '*.so*' -type f \) -print0 | sort -z | xargs -0 sha256sum); }
hashes "${folders[0]}" > "$work/one.sha256"
hashes "${folders[1]}" > "$work/another.sha256"
if ! diff "$work/one.sha256" "$work/another.sha256"; then
  echo "reproducible: the files above differ" >&2
  exit 1
fi
count=$(wc -l < "$work/one.sha256")
[ "$count" -gt 0 ] || { echo "reproducible: nothing was built" >&2; exit 1; }
echo "==> $count files, equal in both: $(grep -E '/penchant$|\.a$' "$work/one.sha256" | tr '\n' ' ')"
