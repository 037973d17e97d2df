"""Compiles the kernels of Triton for a GPU that need not be here, and prints what the machine code needs: JSON lines.

    python .ci/compile_kernels.py

Run by `tests/similarity/test_triton.py` in a process of its own, where kernels are not made for the interpreter.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from graphcl.similarity import _tilings, _triton

TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
POINTERS = {"BOUNDED": "*i32"} | dict.fromkeys(("GQ", "GK", "QLO", "QHI", "KLO", "KHI"), "*i64")


def compile_one(name, constants, format, width, capability=90, *, lists=(1, 0), bias=False):
    """One kernel with the tiling that a launch would choose."""
    kernel, (dtype, products) = getattr(_triton, name), _tilings.FORMATS[format]
    size = dtype.itemsize
    table = _tilings.TILINGS if capability == 90 else _tilings.SMALL_TILINGS
    shape = _tilings.cut(width, size)
    tiling = _tilings.tilings(shape, size, table)[name == "pull_rows"]
    constants = {"BM": tiling.rows, "BN": tiling.columns, "BD": shape.width, "NC": shape.chunks} | constants
    constants |= {"E": lists[0], "ONLY": lists[1], "BIAS": bias, "P": products, "STAGES": tiling.stages, "SPLITS": 1}
    constants |= {"BO": shape.width if shape.chunks == 1 else _tilings.RESULT[size]}
    constants = {key: value for key, value in constants.items() if key in kernel.arg_names}
    rows = {"Q": "*fp16" if size == 2 else "*fp32", "K": "*fp16" if size == 2 else "*fp32"}
    numbers = dict.fromkeys(("M", "N", "D"), "i32") | dict.fromkeys(constants, "constexpr")
    signature = {key: (POINTERS | rows | numbers).get(key, "*fp32") for key in kernel.arg_names}
    aligned = {
        (i,): [["tt.divisibility", 16]] for i, key in enumerate(kernel.arg_names) if signature[key].startswith("*")
    }
    compiled = triton.compile(
        ASTSource(kernel, signature, constants, aligned),
        target=GPUTarget("cuda", capability, 32),
        options={"num_warps": tiling.warps},
    )
    return {
        "kernel": name,
        "constants": {k: v for k, v in constants.items() if k in ("SHIFT", "TRIANGLE", "OWN", "OTHER", "E", "ONLY")},
        "format": format,
        "width": width,
        "shared": compiled.metadata.shared,
        "exponentials": tiling.rows * tiling.columns // (32 * tiling.warps),
        **machine_code(compiled.asm["cubin"]),
    }


def machine_code(cubin):
    """Registers, bytes spilled and counts of instructions."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        usage, code = (
            subprocess.run([TOOLS / tool, option, file.name], capture_output=True, text=True, check=True).stdout
            for tool, option in (("cuobjdump", "-res-usage"), ("nvdisasm", "-c"))
        )
    counts = {name: len(re.findall(rf"\b{name}\b", code)) for name in ("HGMMA", "HMMA", "STL")}
    found = {"registers": r"REG:(\d+)", "stack": r"STACK:(\d+)", "local": r"LOCAL:(\d+)"}
    numbers = {key: int(re.search(pattern, usage)[1]) for key, pattern in found.items()}
    return (
        numbers
        | counts
        | {"exp2": len(re.findall(r"MUFU\.EX2", code)), "atomics": len(re.findall(r"\b(ATOM|RED)G?\b", code))}
    )


BOTH = {"SHIFT": 0, "OWN": True, "OTHER": True}
KERNELS = [
    ("sum_rows", {"SHIFT": 0}),
    ("sum_rows", {"SHIFT": 1}),
    ("sum_both", {"TRIANGLE": True}),
    ("sum_both", {"TRIANGLE": False}),
    ("pull_rows", BOTH),
    ("pull_rows", BOTH | {"OTHER": False}),
    ("pull_rows", BOTH | {"SHIFT": 1}),
]
# The forms, the widths and the formats that launches use; few, because each takes a second.
CASES = [(kernel, "fp16", width, {}) for width in (128, 256, 512, 300) for kernel in KERNELS]
CASES += [(kernel, "float32", width, {}) for width in (128, 300) for kernel in KERNELS]
CASES += [(kernel, "tf32", 128, {}) for kernel in KERNELS]
CASES += [(kernel, "fp16", 64, {"lists": (3, 1), "bias": True}) for kernel in KERNELS]
# Where registers are scarce: wide rows, three products for one, many lists, pairs of one group only.
PULLS = [("pull_rows", BOTH), ("pull_rows", BOTH | {"SHIFT": 1})]
for lists in ((0, 1), (3, 0), (3, 1)):
    CASES += [(kernel, "fp16", 512, {"lists": lists, "bias": True}) for kernel in PULLS]
    CASES += [(kernel, "float32", 128, {"lists": lists, "bias": True}) for kernel in PULLS]
CASES += [(PULLS[1], "fp16", width, {"lists": (3, 1), "bias": True}) for width in (128, 256, 300)]
CASES += [(PULLS[1], format, 300, {"lists": (3, 1), "bias": True}) for format in ("float32", "tf32")]
CASES += [(kernel, "fp16", 64, {"lists": (3, 0), "bias": True}) for kernel in KERNELS[1:4]]


if __name__ == "__main__":
    for (name, constants), format, width, options in CASES:
        row = compile_one(name, constants, format, width, **options)
        print(json.dumps(row), flush=True)
