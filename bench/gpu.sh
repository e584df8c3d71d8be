#!/usr/bin/env bash
# Everything that needs a GPU: all GPU tests with skips turned into failures, compute-sanitizer on the kernel tests, and the
# benchmarks beside their peers; a short table comes last, JSON goes to $OUT (default build/gpu).
#
#   bench/gpu.sh pack TARGET        on the machine that builds: what is needed goes to TARGET, a folder or NAME.tar.xz, without
#                                   CUDA's own libraries
#   bench/gpu.sh [OPTION] [TARGET]  on the machine with the GPU: runs what was packed, or builds if no TARGET is given
#     --parts NAME,...  only these of tests, variants, sanitizers, bench, peers, gowalla, dram: where a command may take ten
#                       minutes, one call each; results collect in $OUT, and the table shows what is there
#     --module          compiles the CUDA module there, from this tree (needs nvcc, CMake and cuDNN alone), in place of the
#                       packed one
#
# What is packed runs where only the CUDA toolkit (or the libraries of its Python wheels) and a driver are installed.
# PENCHANT_DATA names a folder with gowalla/train.txt; without it a generated graph stands in. LIMIT is the most seconds one
# check may take (default 540). Exits 3 without a GPU, 1 if anything failed. The row from Gowalla's raw text to metrics needs
# the program itself, which a build with Arrow packs too.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

say() { printf '==> %s\n' "$*"; }
fail() { printf 'gpu.sh: %s\n' "$*" >&2; exit 1; }
usage() { fail "usage: bench/gpu.sh pack TARGET | [--parts NAME,...] [--module] [TARGET]"; }

all_parts=tests,variants,sanitizers,bench,peers,gowalla,dram
programs=(tests/kernels_test tests/graph_build_test tests/models_test bench/gpu_bench)
limit=${LIMIT:-540}

build() {
  command -v nvcc > /dev/null || fail "no nvcc on PATH, and nothing packed was named"
  cmake --preset release -DPENCHANT_CUDA=ON > /dev/null ||
    fail "configuring failed: where Penchant's libraries are missing, run 'bench/gpu.sh pack TARGET' on a machine that has them"
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
      libc.so* | libm.so* | libdl.so* | librt.so* | libpthread.so* | libstdc++.so* | libgcc_s.so*) ;;
      libcublas* | libcud* | libcufft* | libcusparse* | libcusolver* | libcurand* | libnv*) ;;
      *) install -m 644 -s "$library" "$folder" || fail "cannot copy $library" ;;
    esac
  done || exit 1
  install -s build/release/libpenchant_cuda.so "$folder" || fail "the CUDA module is missing"
}

# The folders of NVIDIA's Python wheels: each has include and lib.
wheels() {
  python3 - 2> /dev/null <<'PYTHON'
import glob, site, sys
print(*sorted(folder[:-4] for root in {*site.getsitepackages(), *sys.path} for folder in glob.glob(f"{root}/nvidia/*/lib")), sep="\n")
PYTHON
}

if [ "${1:-}" = pack ]; then
  [ $# -eq 2 ] || usage
  build
  case $2 in
    *.tar.xz)
      folder=$(mktemp -d)
      trap 'rm -rf "$folder"' EXIT
      pack "$folder"
      tar -C "$folder" -cJf "$2" . || fail "cannot write $2"
      ;;
    *) pack "$2" ;;
  esac
  say "$(du -sh "$2" | cut -f1) in $2"
  exit 0
fi

parts=$all_parts
own_module=no
packed=
while [ $# -gt 0 ]; do
  case $1 in
    --parts) [ $# -gt 1 ] || usage; parts=$2; shift ;;
    --module) own_module=yes ;;
    -*) usage ;;
    *) [ -z "$packed" ] || usage; packed=$1 ;;
  esac
  shift
done
for part in ${parts//,/ }; do
  case ",$all_parts," in *",$part,"*) ;; *) fail "--parts names '$part', expected some of $all_parts" ;; esac
done
wanted() { case ",$parts," in *",$1,"*) ;; *) false ;; esac; }

out=${OUT:-build/gpu}
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bin=$work/bin
case $packed in
  '') build; pack "$bin" ;;
  *.tar.xz)
    mkdir "$bin"
    # Python reads what a tar without xz does not.
    tar -C "$bin" -xJf "$packed" 2> /dev/null || python3 -m tarfile -e "$packed" "$bin" || fail "cannot unpack $packed"
    ;;
  *) bin=$(cd "$packed" && pwd) || fail "no folder $packed" ;;
esac
wheel_folders=$(wheels)
libraries=/usr/local/cuda/lib64
for folder in $wheel_folders; do libraries+=:$folder/lib; done
library_path=${LD_LIBRARY_PATH:-}
export LD_LIBRARY_PATH="$bin:$libraries:$library_path"
export PENCHANT_CUDA_MODULE="$bin/libpenchant_cuda.so" PENCHANT_REQUIRE_GPU=1 PENCHANT_SOURCE_DIR="$PWD"
if [ $own_module = yes ]; then
  {
    cmake -S . -B build/cuda_only -DPENCHANT_CUDA_ONLY=ON -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_PREFIX_PATH="${wheel_folders//$'\n'/;}" && cmake --build build/cuda_only --parallel "$(nproc)"
  } > "$out/module.log" 2>&1 || { tail -n 15 "$out/module.log"; fail "the CUDA module was not built"; }
  export PENCHANT_CUDA_MODULE="$PWD/build/cuda_only/libpenchant_cuda.so"
fi

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
# tests NAME PROGRAM FILTER [VARIABLE=VALUE...]: a test binary under a clock.
tests() {
  local name=$1 program=$2 filter=$3
  shift 3
  check "$name" env "$@" timeout "$limit" "$bin/$program" --gtest_filter="$filter" --gtest_brief=1
}
# skip NAME WHY: a row that this machine cannot fill is not a failure, but it is said.
skip() { verdicts+=("$(printf '%-28s not run: %s' "$1" "$2")"); }

# Steps are recorded as CUDA graphs here, so that this is tested and measured; plain_steps is the default.
export PENCHANT_CUDA_GRAPHS=1
on_gpu='Backend/*/cuda'
if wanted tests; then
  # The loader's own tests name files of the machine that built them.
  tests kernels kernels_test "$on_gpu:SpmmStreamed.*"
  tests models models_test "$on_gpu"
  tests graph_build graph_build_test '*'
  # Twice in a row the same bits, with other allocations between them: shuffled, repeated.
  check kernels_again timeout "$limit" "$bin/kernels_test" --gtest_filter="$on_gpu" --gtest_brief=1 --gtest_shuffle --gtest_repeat=2
  tests plain_steps models_test "$on_gpu" PENCHANT_CUDA_GRAPHS=0
fi
if wanted variants; then
  # Streamed matrices and every variant of an op under the same oracles.
  tests spmm_streamed kernels_test '*Spmm*/cuda' PENCHANT_SPARSE_BYTES=4096
  # Tables of node vectors in host memory as well: every op, and products that bring the rows they need.
  tests tables_streamed kernels_test "$on_gpu" PENCHANT_SPARSE_BYTES=20000 PENCHANT_TABLE_BYTES=64 PENCHANT_STREAM_TABLES=1
  tests convolution_cudnn kernels_test '*Convolution*/cuda' PENCHANT_CONVOLUTION=cudnn
  # Of cuSPARSE's algorithms only the third promises bits.
  tests spmm_alg1 kernels_test '*Spmm*/cuda-*SameBits*' PENCHANT_SPMM=alg1
  tests spmm_alg2 kernels_test '*Spmm*/cuda-*SameBits*' PENCHANT_SPMM=alg2
  tests spmm_alg3 kernels_test '*Spmm*/cuda-*ARowAlone*' PENCHANT_SPMM=alg3
fi
if wanted sanitizers; then
  if command -v compute-sanitizer > /dev/null; then
    # The libraries' kernels are not ours to judge, and slow to watch.
    ours=()
    if compute-sanitizer --help 2> /dev/null | grep -q -e '--kernel-name '; then ours=(--kernel-name kns=penchant); fi
    for tool in memcheck racecheck; do
      check "$tool" timeout "$limit" compute-sanitizer --tool "$tool" --error-exitcode 9 --launch-timeout 0 "${ours[@]}" \
        "$bin/kernels_test" --gtest_filter="$on_gpu" --gtest_brief=1
    done
  else
    skip sanitizers 'no compute-sanitizer'
    failures=$((failures + 1))
  fi
fi

data=()
if [ -f "${PENCHANT_DATA:-}/gowalla/train.txt" ]; then data=(--data "$PENCHANT_DATA"); fi
if wanted bench; then
  for part in spmm steps topk catalogue; do
    bench() { timeout "$limit" "$bin/gpu_bench" --part "$part" "${data[@]}" --work "$work" > "$out/gpu_bench_$part.json"; }
    check "bench_$part" bench
  done
fi
if wanted peers; then
  if python3 -c 'import torch' 2> /dev/null; then
    # By PyTorch's own libraries, not by those that were packed.
    peers() { LD_LIBRARY_PATH=$library_path timeout "$limit" python3 bench/peers/gpu.py "${data[@]}" > "$out/gpu_peers.json"; }
    check peers peers
  else
    skip peers 'no PyTorch'
  fi
fi

# From Gowalla's raw text to test metrics, by the recipes of examples/.
gowalla() {
  local recipe start
  printf '{'
  for recipe in gowalla gowalla-auto; do
    start=$(date +%s.%N)
    PENCHANT_OUT="$work" timeout "$limit" "$bin/penchant" run "examples/$recipe.toml" --device cuda --quiet --json \
      > "$work/$recipe.json" || return 1
    [ "$recipe" = gowalla ] || printf ', '
    printf '"%s": {"seconds": %s, "report": ' "$recipe" "$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN {print b - a}')"
    cat "$work/$recipe.json"
    printf '}'
  done
  printf '}\n'
}
if wanted gowalla; then
  if [ ! -x "$bin/penchant" ]; then
    skip gowalla 'the program was not carried (build/release/penchant)'
  elif [ ${#data[@]} -eq 0 ]; then
    skip gowalla 'PENCHANT_DATA has no gowalla/train.txt'
  else
    gowalla_run() { gowalla > "$out/gpu_gowalla.json"; }
    check gowalla gowalla_run
  fi
fi

# DRAM traffic of the largest product, by the counters.
if wanted dram; then
  if command -v ncu > /dev/null; then
    dram() {
      timeout "$limit" ncu --csv --kernel-name regex:spmm_binned --launch-skip 1 --launch-count 1 \
        --metrics dram__bytes.sum,gpu__time_duration.sum --print-units base "$bin/gpu_bench" --profile > "$out/gpu_dram.csv"
    }
    check dram dram
  else
    skip dram 'no ncu'
  fi
fi

echo
printf '%s\n' "$device" "${verdicts[@]}"
python3 bench/gpu_report.py "$out"
exit $((failures > 0))
