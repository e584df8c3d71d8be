# SPDX-License-Identifier: Apache-2.0
"""Registers, shared memory and spills of every CUDA kernel, as ptxas reports them for sm_80 and sm_90.

Compiles all of kernels/cuda/*.cuh for both, and for sm_100, with warnings as errors, and puts the table between the markers of
docs/kernels.md. With --check it changes nothing and exits 1 if a kernel spills or the table differs. Needs nvcc, no GPU.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "kernels.md"
BEGIN, END = "<!-- kernel resources: begin -->", "<!-- kernel resources: end -->"
# Kernels that only launchers with a template parameter instantiate.
INSTANCES = """
template void spmm_binned<float>(const SpmmOperand&, ConstFloatView, FloatView, const SpmmOptions&, VectorView<float>, Stream);
template void spmm_binned<Bf16>(const SpmmOperand&, MatrixView<const Bf16>, FloatView, const SpmmOptions&,
                                VectorView<float>, Stream);
"""
REGISTERS_PER_SM, WARPS_PER_SM = 65536, 64  # of sm_80 and of sm_90
ARCHITECTURES = ("sm_80", "sm_90")
ONLY_COMPILED = ("sm_100",)


def compile_for(nvcc, arch, source, folder, *flags):
    """Returns what nvcc says; stops on an error or a warning."""
    command = [nvcc, "-std=c++20", "-O3", f"-arch={arch}", "-Werror", "all-warnings", f"-I{ROOT}", *flags,
               "-c", str(source), "-o", str(folder / "kernels.o")]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{arch}: nvcc fails\n{result.stdout}{result.stderr}")
    return result.stdout + result.stderr


def short(demangled):
    name = re.sub(r"penchant::kernels::(cuda::)?|\(anonymous namespace\)::", "", demangled)
    name = re.sub(r"^void ", "", name)
    name = re.sub(r"\)?\(.*$", "", name)
    return re.sub(r"SpmmLayout<(.*?)>", r"[\1]", name).replace("_kernel", "", 1)


def resources(log):
    names = re.findall(r"Compiling entry function '(\S+)' for", log)
    shown = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True)
    found = {}
    for name, part in zip(shown.stdout.splitlines(), log.split("Compiling entry function")[1:]):
        if "cub::" in name:  # a library's own
            continue
        shared = re.search(r"(\d+) bytes smem", part)
        spills = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", part)
        found[short(name)] = (int(re.search(r"Used (\d+) registers", part).group(1)), int(shared.group(1)) if shared else 0,
                              sum(map(int, spills.groups())))
    return found


def warps(registers):
    granted = (registers + 7) // 8 * 8 * 32
    return min(WARPS_PER_SM, REGISTERS_PER_SM // granted)


def table(found):
    """found: a dict of kernels for each architecture."""
    lines = ["| kernel | registers, sm_80 / sm_90 | static shared, bytes | stack and spills, bytes | warps an SM holds by registers |",
             "| --- | --- | --- | --- | --- |"]
    for name in sorted(found[0]):
        columns = [" / ".join(str(kernels[name][k]) for kernels in found) for k in range(3)]
        if len({kernels[name][1] for kernels in found}) == 1:
            columns[1] = str(found[0][name][1])
        occupancy = " / ".join(str(warps(kernels[name][0])) for kernels in found)
        lines.append(f"| `{name}` | {columns[0]} | {columns[1]} | {columns[2]} | {occupancy} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with docs/kernels.md instead of writing it")
    parser.add_argument("--nvcc", default="nvcc")
    arguments = parser.parse_args()
    headers = sorted(path.name for path in (ROOT / "kernels" / "cuda").glob("*.cuh"))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        source = folder / "kernels.cu"
        source.write_text("".join(f'#include "kernels/cuda/{header}"\n' for header in headers) +
                          "namespace penchant::kernels::cuda {" + INSTANCES + "}\n")
        found = [resources(compile_for(arguments.nvcc, architecture, source, folder, "-Xptxas", "-v")) for architecture in ARCHITECTURES]
        for architecture in ONLY_COMPILED:
            compile_for(arguments.nvcc, architecture, source, folder)
    spilling = [name for kernels in found for name, (_, _, spilled) in kernels.items() if spilled > 0]
    if spilling:
        sys.exit(f"kernels spill: {', '.join(spilling)}")
    text = DOCS.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    written = f"{before}{BEGIN}\n{table(found)}\n{END}{after}"
    if not arguments.check:
        DOCS.write_text(written)
    elif written != text:
        sys.exit("docs/kernels.md is out of date: run bench/kernel_resources.py")
    most = max(registers for kernels in found for registers, _, _ in kernels.values())
    print(f"{len(found[0])} kernels, at most {most} registers, no spills")


if __name__ == "__main__":
    main()
