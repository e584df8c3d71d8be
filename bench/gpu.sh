#!/usr/bin/env bash
# Everything that needs a GPU, in commands that fit borrowed time: what to run, its limits and its results are gpu_plan.py's.
#
#   bench/gpu.sh pack [--program] TARGET   on the machine that builds: what is needed goes to TARGET, a folder or NAME.tar.xz, without
#                                          CUDA's own libraries; --program: with `penchant` itself and Arrow
#   bench/gpu.sh [OPTION...] [TARGET]      on the machine with the GPU: runs what was packed, or builds if no TARGET is given
#     --call first|second    half of the default plan: 420 s and 300 s (default: first)
#     --smoke                20 s: one call of each library's routine, a line before and a wait behind each
#     --parts NAME,...       only these (gpu_plan.py --help), --seconds N, --limit N, --results FOLDER
#     --rehearse             the same plan, small, where there is no GPU: PENCHANT_CUDA_MODULE names a module that stands in for one
#     --module               compiles the CUDA module there, from this tree (needs nvcc, CMake and cuDNN alone), in place of the packed
#
# In two commands:
#   bench/gpu.sh build/gpu.tar.xz
#   bench/gpu.sh --call second build/gpu.tar.xz
# Logs and results collect in build/gpu; one archive comes back, $OUT/gpu_results.tgz (without OUT: build/gpu_results.tgz).
#
# What is packed runs where only the CUDA toolkit (or the libraries of its Python wheels) and a driver are installed.
# PENCHANT_DATA names a folder with gowalla/train.txt; without it a generated graph stands in. PENCHANT_CUDA_MODULE may name another
# module, such as one that stands in for a device. Exits 3 without a GPU, 1 if anything failed or found no time.
set -uo pipefail
export PENCHANT_CALL_BEGAN=${EPOCHREALTIME/,/.}  # a call's time counts from here
cd "$(dirname "$0")/.." || exit 1

say() { printf '==> %s\n' "$*"; }
fail() { printf 'gpu.sh: %s\n' "$*" >&2; exit 1; }
usage() { fail "usage: bench/gpu.sh pack [--program] TARGET | [--call first|second] [--smoke] [--rehearse] [--parts NAME,...] [--module] [TARGET]"; }

programs=(tests/kernels_test tests/graph_build_test tests/models_test bench/gpu_bench)
largest_mib=50  # of what is packed: 64 travel, with the tree and the data

build() {
  command -v nvcc > /dev/null || fail "no nvcc on PATH, and nothing packed was named"
  cmake --preset release -DPENCHANT_CUDA=ON > /dev/null ||
    fail "configuring failed: where Penchant's libraries are missing, run 'bench/gpu.sh pack TARGET' on a machine that has them"
  cmake --build --preset release --parallel "$(nproc)" --target penchant_cuda kernels_test graph_build_test models_test gpu_bench ||
    fail "the build failed"
}

# Copies the programs and every library that is neither the C library's nor CUDA's.
pack() {
  local folder=$1 program library
  mkdir -p "$folder" || fail "cannot make $folder"
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

# Unpacks once: a second call on the same machine finds it.
unpack() {
  local packed=$1 folder=$2 sum
  sum=$(sha256sum < "$packed") || fail "no file $packed"
  [ "$(cat "$folder/.packed" 2> /dev/null)" != "$sum" ] || return 0
  rm -rf "$folder" && mkdir -p "$folder" || fail "cannot make $folder"
  # Python reads what a tar without xz does not.
  tar -C "$folder" -xJf "$packed" 2> /dev/null || python3 -m tarfile -e "$packed" "$folder" || fail "cannot unpack $packed"
  printf '%s\n' "$sum" > "$folder/.packed"
}

if [ "${1:-}" = pack ]; then
  shift
  if [ "${1:-}" = --program ]; then
    programs+=(penchant)
    shift
  fi
  [ $# -eq 1 ] || usage
  [ "${PENCHANT_PACK_AS_BUILT:-0}" = 1 ] || build
  case $1 in
    *.tar.xz)
      folder=$(mktemp -d)
      trap 'rm -rf "$folder"' EXIT
      pack "$folder"
      tar -C "$folder" -cf - . | xz -T0 -6 > "$1" || fail "cannot write $1"
      size=$(du -m "$1" | cut -f1)
      [ "$size" -le $largest_mib ] || fail "$1 has $size MiB, more than the $largest_mib that travel beside the tree and its data"
      ;;
    *) pack "$1" ;;
  esac
  say "$(du -sh "$1" | cut -f1) in $1"
  exit 0
fi

own_module=no
packed=
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --call | --parts | --seconds | --limit | --results) [ $# -gt 1 ] || usage; options+=("$1" "$2"); shift ;;
    --smoke | --rehearse) options+=("$1") ;;
    --module) own_module=yes ;;
    -*) usage ;;
    *) [ -z "$packed" ] || usage; packed=$1 ;;
  esac
  shift
done

bin=$PWD/build/gpu_bin
case $packed in
  '') build; pack "$bin" ;;
  *.tar.xz) unpack "$packed" "$bin" ;;
  *) bin=$(cd "$packed" && pwd) || fail "no folder $packed" ;;
esac
wheel_folders=$(wheels)
# The wheels before the toolkit's folder, which may hold stubs or another cuDNN.
libraries=
for folder in $wheel_folders; do libraries+=$folder/lib:; done
export PENCHANT_PEER_LIBRARIES=${LD_LIBRARY_PATH:-}
export PENCHANT_CUDA_MODULE="${PENCHANT_CUDA_MODULE:-$bin/libpenchant_cuda.so}" PENCHANT_REQUIRE_GPU=1 PENCHANT_SOURCE_DIR="$PWD"
export PENCHANT_PROGRAM_LIBRARIES="$bin:$libraries/usr/local/cuda/lib64:$PENCHANT_PEER_LIBRARIES"
export CUBLASLT_LOG_LEVEL=${CUBLASLT_LOG_LEVEL:-1}
if [ $own_module = yes ]; then
  generator=()
  ! command -v ninja > /dev/null || generator=(-G Ninja)
  mkdir -p build/gpu
  {
    cmake -S . -B build/cuda_only "${generator[@]}" -DPENCHANT_CUDA_ONLY=ON -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_PREFIX_PATH="${wheel_folders//$'\n'/;}" && cmake --build build/cuda_only --parallel "$(nproc)"
  } > build/gpu/module.log 2>&1 || { grep -m 5 -nE 'error|Error' build/gpu/module.log; tail -n 5 build/gpu/module.log; fail "the CUDA module was not built"; }
  export PENCHANT_CUDA_MODULE="$PWD/build/cuda_only/libpenchant_cuda.so"
fi

exec python3 bench/gpu_plan.py "${options[@]}" "$bin"
