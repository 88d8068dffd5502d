"""Script: make a guest's model safe to compute: ``MODEL FRONTEND``, a file in, an IR out.

OpenVINO's CPU kernels do not check all the numbers that a model computes for them: an index or a
length out of range makes some of them read or write memory that is not the model's. Here such
numbers are bounded by nodes that are put before them, or have to be constants, which are checked as
a model is built; and nodes for which neither is possible are refused. Which nodes these are was
found by running each operation of the opsets that takes such numbers with values out of range.

Writes ``safe.xml`` and ``safe.bin`` beside the file, unless an IR (the frontend ``ir``) is safe as
it is. Exits with 3 and a line on stdout for a model that
cannot be read or made safe.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# An exit code that Python itself does not use.
REFUSED = 3

# Uninitialised or foreign memory comes out for some values of an input.
_UNSAFE = {
    "DeformablePSROIPooling": "its kernel does not check the batch index of a region",
    "GatherTree": "its kernel does not check the lengths of its sequences",
    "Multinomial": "its kernel does not check its probabilities",
    "PSROIPooling": "its kernel does not check the batch index of a region",
}
# The inputs that have to be constants.
_CONSTANTS: Mapping[str, Sequence[int]] = {
    "BatchToSpace": (1, 2, 3),
    "Col2Im": (1, 2),
    "DFT": (1, 2),
    "IDFT": (1, 2),
    "IRDFT": (1, 2),
    "RDFT": (1, 2),
    "Roll": (2,),
    "SpaceToBatch": (1, 2, 3),
    "VariadicSplit": (1, 2),
}


class Unsafe(Exception):
    """A model that cannot be made safe; the text says which node and why."""


def make_safe(model: Any) -> bool:
    """Bound the numbers that steer kernels, in nested graphs too; return whether that changed it.

    Raises Unsafe.
    """
    from openvino.passes import ConstantFolding, Manager

    # What is constant shows in a folded copy; folding the model would decompress its weights.
    folded = model.clone()
    pairs = list(_pairs(model, folded))
    manager = Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(folded)
    changed = False
    for graph, nodes in pairs:
        for node, copy in nodes:
            changed |= _bound(node, copy)
        graph.validate_nodes_and_infer_types()
    return changed


def _pairs(model: Any, copy: Any) -> Iterator[tuple[Any, Sequence[tuple[Any, Any]]]]:
    """Yield each graph with its nodes, each with the same one of the copy.

    The nested ones come first, since a graph is validated with them. Raises Unsafe.
    """
    nodes = _paired(model, copy)
    for node, twin in nodes:
        kind = node.get_type_name()
        if kind in ("Loop", "TensorIterator"):
            yield from _pairs(node.get_function(), twin.get_function())
        elif kind == "If":
            yield from _pairs(node.get_then_body(), twin.get_then_body())
            yield from _pairs(node.get_else_body(), twin.get_else_body())
    yield model, nodes


def _paired(model: Any, copy: Any) -> Sequence[tuple[Any, Any]]:
    """Pair the nodes of a graph and of its copy, from the ends to the inputs.

    Names may be equal, and a copy may have a constant twice. Raises Unsafe.
    """
    ends = ([*each.get_results(), *each.get_sinks()] for each in (model, copy))
    left = list(zip(*ends, strict=True))
    found: dict[str, tuple[Any, Any]] = {}
    while left:
        node, twin = left.pop()
        if node.get_name() in found:
            continue
        if node.get_type_name() != twin.get_type_name():
            raise _unsafe(node, "the model cannot be copied")
        found[node.get_name()] = node, twin
        left += [
            (node.input_value(index).get_node(), twin.input_value(index).get_node())
            for index in range(node.get_input_size())
        ]
    for node in model.get_ops():
        if node.get_name() not in found and node.get_type_name() != "Parameter":
            raise _unsafe(node, "it leads to no output")
    return list(found.values())


def _bound(node: Any, folded: Any) -> bool:
    """Bound what steers a node; ``folded`` is the same one with its constants folded."""
    kind = node.get_type_name()
    if kind in _UNSAFE:
        raise _unsafe(node, _UNSAFE[kind])
    for index in _CONSTANTS.get(kind, ()):
        if index < node.get_input_size() and _constant(folded, index) is None:
            raise _unsafe(node, f"its input {index} is computed, and has to be a constant")
    if kind == "SpaceToBatch" and any((_constant(folded, at) < 0).any() for at in (2, 3)):
        raise _unsafe(node, "a size of its padding is negative")
    rule = _RULES.get(kind)
    return rule(node, folded) if rule else False


def _bound_gather_nd(node: Any, _folded: Any) -> bool:
    """Put indices into range, and data of no elements into one with a row of zeros."""
    from openvino import opset15 as op

    data, indices = node.input_value(0), node.input_value(1)
    first = int(node.get_attributes().get("batch_dims", 0))
    width = indices.get_partial_shape()[-1] if _rank(node, 1) else None
    rank = _rank(node, 0)
    if width is None or width.is_dynamic or not rank:
        raise _unsafe(node, "the rank of its data, or the last axis of its indices, is unknown")
    axes = range(first, first + width.get_length())
    sizes = _sizes(data, list(axes))
    zero, one = _number(0), _number(1)
    if any(data.get_partial_shape()[axis].get_min_length() == 0 for axis in axes):
        ends = _number([int(axis in axes) for axis in range(rank)])
        fill = op.convert(zero, data.get_element_type().get_type_name())
        padded = op.pad(data, _number([0] * rank), ends, "constant", fill)
        node.input(0).replace_source_output(padded.output(0))
    wide = op.convert(indices, "i64")
    from_start = op.select(op.less(wide, zero), op.add(wide, sizes), wide)
    last = op.maximum(op.subtract(sizes, one), zero)
    bounded = op.minimum(op.maximum(from_start, zero), last)
    _replace(node, 1, bounded)
    return True


def _bound_scatter_elements(node: Any, folded: Any) -> bool:
    """Put indices that are too low into range; the kernel checks those that are too high.

    On other axes than that of the indices, the kernel does not check that they fit into the data,
    so what could be more is cut off.
    """
    from openvino import opset15 as op

    axis, rank = _constant(folded, 3), _rank(node, 0)
    if axis is None or not rank or _rank(node, 1) != rank:
        raise _unsafe(node, "its axis is computed, or a rank is unknown")
    of_data, of_indices = (node.get_input_partial_shape(index) for index in (0, 1))
    others = [each for each in range(rank) if each != int(axis) % rank]
    longer = [each for each in others if not _fits(of_indices[each], of_data[each])]
    if any(of_indices[each].is_static and of_data[each].is_static for each in longer):
        raise _unsafe(node, "its indices are larger than its data")
    if longer:
        ends = _sizes(node.input_value(0), longer)
        starts, steps = _number([0] * len(longer)), _number([1] * len(longer))
        for index in (1, 2):
            cut = op.slice(node.input_value(index), starts, ends, steps, _number(longer))
            node.input(index).replace_source_output(cut.output(0))
    sizes = _sizes(node.input_value(0), [int(axis) % rank])
    lowest = op.multiply(sizes, _number(-1))
    _replace(node, 1, op.maximum(op.convert(node.input_value(1), "i64"), lowest))
    return True


def _fits(inner: Any, outer: Any) -> bool:
    """Return whether an axis is never longer than another."""
    return bool(inner.is_static and inner.get_length() <= outer.get_min_length())


def _bound_lengths(node: Any, _folded: Any) -> bool:
    """Put the lengths of sequences into range at its lower end; the kernel checks the upper."""
    from openvino import opset15 as op

    _replace(node, 1, op.maximum(op.convert(node.input_value(1), "i64"), _number(0)))
    return True


def _bound_pads(node: Any, folded: Any) -> bool:
    """Let negative sizes of padding cut off no more than the data."""
    from openvino import opset15 as op

    known = [_constant(folded, index) for index in (1, 2)]
    if all(each is not None and (each >= 0).all() for each in known):
        return False
    rank = _rank(node, 0)
    if not rank:
        raise _unsafe(node, "the rank of its data is unknown")
    zero = _number(0)
    sizes = _sizes(node.input_value(0), list(range(rank)))
    begins, ends = (op.convert(node.input_value(index), "i64") for index in (1, 2))
    begins = op.maximum(begins, op.multiply(sizes, _number(-1)))
    left = op.add(sizes, op.minimum(begins, zero))
    _replace(node, 1, begins)
    _replace(node, 2, op.maximum(ends, op.multiply(left, _number(-1))))
    return True


_RULES: Mapping[str, Callable[[Any, Any], bool]] = {
    "CTCGreedyDecoderSeqLen": _bound_lengths,
    "GatherND": _bound_gather_nd,
    "Pad": _bound_pads,
    "ScatterElementsUpdate": _bound_scatter_elements,
}


CHECKED = (*_UNSAFE, *_CONSTANTS, *_RULES)


def _constant(node: Any, index: int) -> Any:
    """Return an input's numbers if it is a constant, else None."""
    source = node.input_value(index).get_node()
    return source.data if source.get_type_name() == "Constant" else None


def _rank(node: Any, index: int) -> int:
    """Return the rank of an input, 0 for a scalar or an unknown rank."""
    shape = node.get_input_partial_shape(index)
    return 0 if shape.rank.is_dynamic else int(shape.rank.get_length())


def _sizes(data: Any, axes: Sequence[int]) -> Any:
    from openvino import opset15 as op

    return op.gather(op.shape_of(data, "i64"), _number(list(axes)), _number(0))


def _number(value: int | Sequence[int]) -> Any:
    import numpy
    from openvino import opset15 as op

    return op.constant(numpy.array(value, numpy.int64))


def _replace(node: Any, index: int, made: Any) -> None:
    from openvino import opset15 as op

    kind = node.input_value(index).get_element_type().get_type_name()
    node.input(index).replace_source_output(op.convert(made, kind).output(0))


def _unsafe(node: Any, reason: str) -> Unsafe:
    name = node.get_friendly_name()[:80]
    return Unsafe(f"a guest's model may not have this {node.get_type_name()} ({name}): {reason}")


def _read(path: Path, frontend: str) -> Any:
    import openvino
    from openvino.frontend import FrontEndManager

    if frontend == "ir":
        return openvino.Core().read_model(path, path.with_suffix(".bin"))
    reader = FrontEndManager().load_by_framework(frontend)
    model = reader.convert(reader.load(str(path)))
    if not model.inputs and not model.outputs:
        raise Unsafe(f"not a model in {frontend}: no inputs and no outputs")
    return model


def main(path: Path, frontend: str) -> int:
    """Make the model of a file safe; return the exit code."""
    import openvino

    from pipeline.host.clean_text import clean_text

    try:
        model = _read(path, frontend)
        if make_safe(model) or frontend != "ir":
            openvino.serialize(model, path.with_name("safe.xml"), path.with_name("safe.bin"))
    except Unsafe as error:
        print(error)
        return REFUSED
    except Exception as error:  # each frontend has its own exceptions
        print(clean_text(error).replace(str(path.parent), ""))
        return REFUSED
    return 0


if __name__ == "__main__":
    # When the host ends, nobody waits for this.
    if sys.platform.startswith("linux"):
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
