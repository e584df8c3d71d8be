# SPDX-License-Identifier: Apache-2.0
"""Registers, shared memory and spills of every CUDA kernel, as ptxas reports them for sm_80, sm_90 and sm_100, and the instructions
that the sparse product takes an entry, counted in its machine code.

Compiles all of kernels/cuda/*.cuh for each with warnings as errors, and puts the tables between the markers of docs/kernels.md. With
--check it changes nothing and exits 1 if a kernel spills or a table differs, which CTest asks where nvcc is. Needs nvcc, no GPU. Instructions need cuobjdump as well
(beside nvcc, on PATH, or named by CUOBJDUMP); without it their table stays as it is, which is said.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "kernels.md"
MARKERS = "<!-- kernel {}: begin -->", "<!-- kernel {}: end -->"
# Kernels that only launchers with a template parameter instantiate.
INSTANCES = """
template void spmm_binned<float>(const SpmmOperand&, ConstFloatView, FloatView, const SpmmOptions&, VectorView<float>, Stream);
template void spmm_binned<Bf16>(const SpmmOperand&, MatrixView<const Bf16>, FloatView, const SpmmOptions&,
                                VectorView<float>, Stream);
"""
REGISTERS_PER_SM, WARPS_PER_SM, WARP = 65536, 64, 32  # of all three
ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
LOADS_IN_FLIGHT = 4  # SpmmConfig::kLoadsInFlight
FEW_BYTES = 32  # of stack and spills in all: nvcc trades a register outside of the loops for one more block an SM


def compile_for(nvcc, arch, source, folder, *flags):
    """Returns what nvcc says; stops on an error or a warning."""
    command = [nvcc, "-std=c++20", "-O3", f"-arch={arch}", "-Werror", "all-warnings", f"-I{ROOT}", *flags,
               "-c", str(source), "-o", str(folder / f"{arch}.o")]
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
    granted = (registers + 7) // 8 * 8 * WARP
    return min(WARPS_PER_SM, REGISTERS_PER_SM // granted)


def table(found):
    """found: a dict of kernels for each architecture."""
    names = " / ".join(ARCHITECTURES)
    lines = [f"| kernel | registers, {names} | static shared, bytes | stack and spills, bytes | warps an SM holds by registers |",
             "| --- | --- | --- | --- | --- |"]
    for name in sorted(found[0]):
        columns = [" / ".join(str(kernels[name][k]) for kernels in found) for k in range(3)]
        for k in (1, 2):
            if len({kernels[name][k] for kernels in found}) == 1:
                columns[k] = str(found[0][name][k])
        occupancy = " / ".join(str(warps(kernels[name][0])) for kernels in found)
        lines.append(f"| `{name}` | {columns[0]} | {columns[1]} | {columns[2]} | {occupancy} |")
    return "\n".join(lines)


def disassembler(nvcc):
    beside = shutil.which(nvcc)
    places = [os.environ.get("CUOBJDUMP"), shutil.which("cuobjdump"), beside and pathlib.Path(beside).resolve().with_name("cuobjdump")]
    return next((str(place) for place in places if place and pathlib.Path(place).exists()), None)


def inner_loops(code):
    """The instructions of each loop without another in it: from the target of a branch backwards to that branch."""
    listing = [(int(place, 16), text) for place, text in re.findall(r"^\s+/\*([0-9a-f]{4,})\*/\s+(.*?)\s*;", code, re.M)]
    ends = {}
    for place, text in listing:
        branch = re.search(r"\bBRA\S*\s+(?:\S+,\s*)*0x([0-9a-f]+)", text)
        if branch and int(branch.group(1), 16) <= place:
            ends[int(branch.group(1), 16)] = place
    for start, end in ends.items():
        if not any(start <= other and other_end < end for other, other_end in ends.items()):
            yield [text for place, text in listing if start <= place <= end]


def instructions(tool, arch, folder):
    """Of each layout of spmm_binned: instructions a warp issues an entry, in the loops over whole chunks and over guarded ones. Stops
    at a loop that spills."""
    code = subprocess.run([tool, "-sass", str(folder / f"{arch}.o")], capture_output=True, text=True, check=True).stdout
    parts = code.split("Function : ")[1:]
    names = subprocess.run(["c++filt"], input="\n".join(part.split("\n", 1)[0].strip() for part in parts), capture_output=True, text=True,
                           check=True).stdout.splitlines()
    found = {}
    for name, part in zip(names, parts):
        layout = re.match(r"spmm_binned<\[(\w+), (\d+), (\d+), (\d+)\], (\w+), (\w+)>", short(name))
        if not layout:
            continue
        element, pack, lanes, vectors = layout[1], *map(int, layout.groups()[1:4])
        unroll = min(LOADS_IN_FLIGHT // vectors, lanes)
        loops = [loop for loop in inner_loops(part) if sum("LDG.E" in text for text in loop) == unroll * vectors]
        if any(re.search(r"\b(LDL|STL)\b", text) for loop in loops for text in loop):
            sys.exit(f"{arch}: {short(name)} spills in a loop over entries")
        if pack == 1 or layout[6] == "true":
            continue
        # A guarded loop compares every id, and all count. A chunk of one step has no loop of its own, and where a row takes more
        # packs than a step has entries, columns are compared as well: there the shortest loop is of whole chunks.
        guarded = [sum("ISETP" in text for text in loop) > unroll for loop in loops]
        if all(guarded):
            shortest = min(len(loop) for loop in loops)
            guarded = [len(loop) > shortest for loop in loops]
        found[element, lanes * vectors * pack, layout[5]] = [
            max((len(loop) / (unroll * WARP // lanes) for loop, is_guarded in zip(loops, guarded) if is_guarded == wanted), default=None)
            for wanted in (False, True)]
    return found


def instruction_table(found):
    """found: instructions() of each architecture."""
    lines = [f"| table, D | matrix | whole chunks, {' / '.join(ARCHITECTURES)} | guarded chunks |", "| --- | --- | --- | --- |"]
    for element, width, values in sorted(found[0]):
        each = [[counts[element, width, values][k] for counts in found] for k in range(2)]
        figures = [" / ".join("-" if count is None else f"{count:.2f}" for count in counts) for counts in each]
        lines.append(f"| {element}, {width} | {'values' if values == 'true' else 'ones'} | {figures[0]} | {figures[1]} |")
    return "\n".join(lines)


def replaced(text, name, new):
    """The text with another table between the markers of a name."""
    begin, end = (marker.format(name) for marker in MARKERS)
    before, rest = text.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n{new}\n{end}{after}"


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
        counts = [instructions(disassembler(arguments.nvcc), architecture, folder) for architecture in ARCHITECTURES] if disassembler(arguments.nvcc) else None
    spilling = [name for kernels in found for name, (_, _, spilled) in kernels.items() if spilled > FEW_BYTES]
    if spilling:
        sys.exit(f"kernels spill: {', '.join(spilling)}")
    text = DOCS.read_text()
    written = replaced(text, "resources", table(found))
    if counts:
        written = replaced(written, "instructions", instruction_table(counts))
    else:
        print("no cuobjdump: instructions are not counted")
    if not arguments.check:
        DOCS.write_text(written)
    elif written != text:
        sys.exit("docs/kernels.md is out of date: run bench/kernel_resources.py")
    most = max(registers for kernels in found for registers, _, _ in kernels.values())
    spilled = max(spilled for kernels in found for _, _, spilled in kernels.values())
    print(f"{len(found[0])} kernels, at most {most} registers, {spilled} bytes of stack and spills")


if __name__ == "__main__":
    main()
