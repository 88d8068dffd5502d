"""The functions of wasi-nn's component interface as core modules import them.

Their parameters and results are i32s, by the flattening of the component model's canonical ABI.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.host.abi.wit_types import (
    FUNCTIONS,
    RESOURCES,
    Borrow,
    Enum,
    Own,
    ResultOf,
    Signature,
    WitType,
)


@dataclass(frozen=True)
class CoreFunction:
    """A function of i32s: of a signature, or one that ends a resource.

    ``pointer`` is whether its last parameter is where to write its result; ``indirect`` whether it
    uses the guest's memory.
    """

    interface: str
    name: str
    parameters: int
    results: int
    signature: Signature | None = None
    drops: str = ""
    pointer: bool = False
    indirect: bool = False

    @property
    def label(self) -> str:
        """Return its name among all functions: `tensor.data`, `drop.tensor`."""
        return f"drop.{self.drops}" if self.signature is None else self.signature.name


def flat_size(kind: WitType) -> int:
    """Return the number of i32s that a value is.

    >>> flat_size(Own("tensor")), flat_size(FUNCTIONS["compute"].result)
    (1, 3)
    """
    if isinstance(kind, (Own, Borrow, Enum)):
        return 1
    if isinstance(kind, ResultOf):
        return 1 + max(flat_size(kind.value), flat_size(kind.error))
    return 2


def _of(function: Signature) -> CoreFunction:
    sizes = [flat_size(kind) for _, kind in function.parameters]
    pointer = flat_size(function.result) > 1
    return CoreFunction(
        function.interface,
        function.wit_name,
        sum(sizes) + pointer,
        0 if pointer else 1,
        function,
        pointer=pointer,
        indirect=pointer or any(size > 1 for size in sizes),
    )


CORE_FUNCTIONS: tuple[CoreFunction, ...] = (
    *map(_of, FUNCTIONS.values()),
    *(
        CoreFunction(interface, f"[resource-drop]{resource}", 1, 0, drops=resource)
        for resource, interface in RESOURCES.items()
    ),
)
