"""What the cases of components stand on: lines of the WIT package and of the canonical ABI."""

from __future__ import annotations

from pipeline.conformance.case import Basis, Level

_WIT = "wasi-nn.wit 0.2.0-rc-2024-10-28"
SAFE = Basis(
    Level.SAFETY,
    "WebAssembly Core Specification, Design Goals: “Safe”",
    "What cannot be right must not succeed, and no call may end the host.",
)
WORKS = Basis(Level.SPEC, f"{_WIT}, world ml", "Without it no guest works.")
TENSOR = Basis(
    Level.SPEC,
    f"{_WIT}, tensor-data: “the array length must match the product of all of the dimensions and "
    "the number of bytes in the type”",
    "A constructor has no error to return, so a tensor that breaks the rule is refused where it "
    "is used.",
)
ACCESS = Basis(Level.SPEC, f"{_WIT}, resource tensor", "A tensor is what it was made of.")
OWNED = Basis(
    Level.SPEC,
    f"{_WIT}, compute: “inputs: list<named-tensor>”",
    "The tensors are owned values, so they belong to the host from the call on.",
)
RESOURCE = Basis(
    Level.SPEC,
    "CanonicalABI.md, lift_borrow and lift_own: “trap_if(h.rt is not t.rt)”",
    "A handle that is not one of the type traps.",
)
POINTER = Basis(
    Level.SPEC,
    "CanonicalABI.md, load_list: “trap_if(ptr != align_to(ptr, alignment(elem_type, …)))”",
    "What is outside memory or not aligned traps.",
)
ENUM = Basis(
    Level.SPEC,
    "CanonicalABI.md: “trap_if(case_index >= len(cases))”",
    "A number outside an enum traps.",
)
LIFETIME = Basis(
    Level.SPEC,
    f"{_WIT}, resources graph, graph-execution-context and tensor",
    "A resource is its own; none is said to end with another.",
)
NAME = Basis(
    Level.SPEC, f"{_WIT}, named-tensor: “Identify a tensor by name”", "Names are the model's."
)
CHOICE = Basis(Level.CHOICE, "no line of the specification", "Hosts differ.")
