#!/usr/bin/env bash
# Everything that needs a GPU: all GPU tests with skips turned into failures, compute-sanitizer on the kernel tests, and the
# benchmarks beside their peers; a short table comes last, JSON goes to $OUT (default build/gpu).
#
#   bench/gpu.sh pack FOLDER   on the machine that builds: what is needed goes to FOLDER, without CUDA's own libraries
#   bench/gpu.sh [FOLDER]      on the machine with the GPU: runs what was packed, or builds if no FOLDER is given
#
# A packed FOLDER runs where only the CUDA toolkit (or the libraries of its Python wheels) and a driver are installed.
# PENCHANT_DATA names a folder with gowalla/train.txt; without it a generated graph stands in. Exits 3 without a GPU, 1 if
# anything failed. The row from Gowalla's raw text to metrics needs the program itself, which a build with Arrow packs too.
set -uo pipefail
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*"; }
fail() { printf 'gpu.sh: %s\n' "$*" >&2; exit 1; }

programs=(tests/kernels_test tests/graph_build_test tests/models_test bench/gpu_bench)

build() {
  command -v nvcc > /dev/null || fail "no nvcc on PATH, and no packed folder was named"
  cmake --preset release -DPENCHANT_CUDA=ON > /dev/null || fail "configuring failed"
  cmake --build --preset release --parallel "$(nproc)" --target penchant_cuda kernels_test graph_build_test models_test gpu_bench ||
    fail "the build failed"
  cmake --build --preset release --parallel "$(nproc)" --target penchant || say "the program was not built: its row will be missing"
}

# Copies the programs and every library that is neither the C library's nor CUDA's.
pack() {
  local folder=$1 program library
  mkdir -p "$folder" || fail "cannot make $folder"
  [ ! -x build/release/penchant ] || programs+=(penchant)
  for program in "${programs[@]}"; do
    install -s "build/release/$program" "$folder" || fail "build first: build/release/$program is missing"
    ldd "build/release/$program" | awk '$3 ~ /^\// {print $3}'
  done | sort -u | while read -r library; do
    case $(basename "$library") in
      libc.so* | libm.so* | libdl.so* | librt.so* | libpthread.so* | libstdc++.so* | libgcc_s.so* | libcu* | libnv*) ;;
      *) install -m 644 -s "$library" "$folder" || fail "cannot copy $library" ;;
    esac
  done || exit 1
  install -s build/release/libpenchant_cuda.so "$folder" || fail "the CUDA module is missing"
  say "$(du -sh "$folder" | cut -f1) in $folder"
}

# The CUDA libraries of the toolkit and of NVIDIA's Python wheels.
cuda_library_path() {
  printf '%s' "/usr/local/cuda/lib64"
  python3 - 2> /dev/null <<'PYTHON'
import glob, site, sys
for folder in {*site.getsitepackages(), *sys.path}:
    for library in sorted(glob.glob(f"{folder}/nvidia/*/lib")):
        print(":" + library, end="")
PYTHON
}

if [ "${1:-}" = pack ]; then
  [ $# -eq 2 ] || fail "usage: bench/gpu.sh pack FOLDER"
  build
  pack "$2"
  exit 0
fi

out=${OUT:-build/gpu}
mkdir -p "$out"
bin=${1:-}
if [ -z "$bin" ]; then
  build
  bin=$(mktemp -d)
  folder_is_ours=yes
  trap 'rm -rf "$bin"' EXIT
  pack "$bin"
fi
bin=$(cd "$bin" && pwd)
export LD_LIBRARY_PATH="$bin:$(cuda_library_path):${LD_LIBRARY_PATH:-}"
export PENCHANT_CUDA_MODULE="$bin/libpenchant_cuda.so" PENCHANT_REQUIRE_GPU=1 PENCHANT_SOURCE_DIR="$PWD"

device=$("$bin/gpu_bench" --check) || exit 3
say "$device"

verdicts=()
failures=0
# check NAME COMMAND...: its output goes to $out/NAME.log; the verdict is its exit code.
check() {
  local name=$1 start=$SECONDS verdict=ok
  shift
  "$@" > "$out/$name.log" 2>&1 || { verdict=FAILED; failures=$((failures + 1)); tail -n 15 "$out/$name.log"; }
  verdicts+=("$(printf '%-28s %-7s %4d s' "$name" "$verdict" $((SECONDS - start)))")
  say "${verdicts[-1]}"
}

# Steps are recorded as CUDA graphs here, so that this is tested and measured; plain_steps is the default.
export PENCHANT_CUDA_GRAPHS=1
# The loader's own tests name files of the machine that built them.
on_gpu='Backend/*/cuda:SpmmStreamed.*'
check kernels "$bin/kernels_test" --gtest_filter="$on_gpu" --gtest_brief=1
check models "$bin/models_test" --gtest_filter='Backend/*/cuda' --gtest_brief=1
check graph_build "$bin/graph_build_test" --gtest_brief=1
# Twice in a row the same bits, with other allocations between them: shuffled, repeated.
check kernels_again "$bin/kernels_test" --gtest_filter='Backend/*/cuda' --gtest_brief=1 --gtest_shuffle --gtest_repeat=2
# Streamed matrices and every cuSPARSE algorithm under the same oracles.
check spmm_streamed env PENCHANT_SPARSE_BYTES=4096 "$bin/kernels_test" --gtest_filter='*Spmm*/cuda' --gtest_brief=1
# Tables of node vectors in host memory as well: every op, and products that bring the rows they need.
check tables_streamed env PENCHANT_SPARSE_BYTES=20000 PENCHANT_TABLE_BYTES=64 PENCHANT_STREAM_TABLES=1 \
  "$bin/kernels_test" --gtest_filter='Backend/*/cuda' --gtest_brief=1
check plain_steps env PENCHANT_CUDA_GRAPHS=0 "$bin/models_test" --gtest_filter='Backend/*/cuda' --gtest_brief=1
for variant in alg1 alg2 alg3; do
  check "spmm_$variant" env "PENCHANT_SPMM=$variant" "$bin/kernels_test" --gtest_filter='*Spmm*/cuda' --gtest_brief=1
done
if command -v compute-sanitizer > /dev/null; then
  for tool in memcheck racecheck; do
    check "$tool" timeout 240 compute-sanitizer --tool "$tool" --error-exitcode 9 --launch-timeout 0 \
      "$bin/kernels_test" --gtest_filter='Backend/*/cuda' --gtest_brief=1
  done
else
  verdicts+=("$(printf '%-28s %s' sanitizers 'not run: no compute-sanitizer')")
  failures=$((failures + 1))
fi

data=()
if [ -f "${PENCHANT_DATA:-}/gowalla/train.txt" ]; then data=(--data "$PENCHANT_DATA"); fi
work=$(mktemp -d)
trap 'rm -rf "$work" ${folder_is_ours:+"$bin"}' EXIT
bench() { "$bin/gpu_bench" "${data[@]}" --work "$work" > "$out/gpu_bench.json"; }
peers() { python3 bench/peers/gpu.py "${data[@]}" > "$out/gpu_peers.json"; }
check gpu_bench bench
check gpu_peers peers

# skip NAME WHY: a row that this machine cannot fill is not a failure, but it is said.
skip() { verdicts+=("$(printf '%-28s not run: %s' "$1" "$2")"); }

# From Gowalla's raw text to test metrics, by the recipes of examples/.
gowalla() {
  local recipe start
  printf '{'
  for recipe in gowalla gowalla-auto; do
    start=$(date +%s.%N)
    PENCHANT_OUT="$work" "$bin/penchant" run "examples/$recipe.toml" --device cuda --quiet --json \
      > "$work/$recipe.json" || return 1
    [ "$recipe" = gowalla ] || printf ', '
    printf '"%s": {"seconds": %s, "report": ' "$recipe" "$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN {print b - a}')"
    cat "$work/$recipe.json"
    printf '}'
  done
  printf '}\n'
}
if [ ! -x "$bin/penchant" ]; then
  skip gowalla 'the program was not carried (build/release/penchant)'
elif [ ${#data[@]} -eq 0 ]; then
  skip gowalla 'PENCHANT_DATA has no gowalla/train.txt'
else
  gowalla_run() { gowalla > "$out/gpu_gowalla.json"; }
  check gowalla gowalla_run
fi

# DRAM traffic of the largest product, by the counters.
if command -v ncu > /dev/null; then
  dram() {
    ncu --csv --kernel-name regex:spmm_binned --launch-skip 1 --launch-count 1 \
      --metrics dram__bytes.sum,gpu__time_duration.sum --print-units base "$bin/gpu_bench" --profile > "$out/gpu_dram.csv"
  }
  check dram dram
else
  skip dram 'no ncu'
fi

echo
printf '%s\n' "$device" "${verdicts[@]}"
python3 bench/gpu_report.py "$out"
exit $((failures > 0))
