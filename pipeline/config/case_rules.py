"""Validation of cases: their tensors, and their expected outputs."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import get_args

import msgspec

from pipeline.config.case_shapes import check_shape, shape_of
from pipeline.config.mistake import KnownNames, Mistake
from pipeline.config.model_tables import ModelInput, PortType
from pipeline.config.schema import Expect, Fixture, GuestRun
from pipeline.config.tensor_rules import CHANNELS, check_tensor
from pipeline.config.tensor_tables import Tensor
from pipeline.config.wording import Path, closest, compared, did_you_mean, dotted, listing, quoted

_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_MOST_MEMORY = 2**32
# Keys of a tensor whose check depends on its colour.
_OF_COLOUR = (("layout",), ("mean",), ("scale",))
# Keys of an expectation: of the outputs, and of what the guest prints.
_EXPECTS = ("top1", "strongest", "tokens", "detections", "mask", "vector")
_PRINTED = ("stdout", "exit")
_LAYOUTS = {2: "HW", 3: "CHW", 5: "NCDHW"}
_OTHER = re.compile(r"[^A-Za-z0-9_-]+")


def sanitised(name: str) -> str:
    """Return a name as a part of a file name, '' if none of its characters can be in one.

    >>> sanitised("serving_default_input_2:0")
    'serving_default_input_2-0'
    """
    return _OTHER.sub("-", name).strip("-")


def file_parts(names: Collection[str]) -> dict[str, str]:
    """Return the part of a file name for each input or output of a model, all different.

    Where characters that are not valid would leave nothing, or two equal parts (some file systems
    ignore case), a digest of the name follows.

    >>> file_parts(["a.b", "a:b", "serving/x:0"])
    {'a.b': 'a-b-2e7336dc', 'a:b': 'a-b-6783a31e', 'serving/x:0': 'serving-x-0'}
    """
    counts = Counter(sanitised(name).casefold() for name in names)
    parts = {}
    for name in names:
        part = sanitised(name)
        if not part or counts[part.casefold()] > 1:
            digest = hashlib.sha256(name.encode()).hexdigest()[:8]
            part = f"{part}-{digest}" if part else digest
        parts[name] = part
    return parts


def check_cases(fixture: Fixture, knows: KnownNames) -> Iterator[Mistake]:
    """Yield errors in the tensors of the cases."""
    inputs = fixture.model.inputs
    for name in fixture.calibration:
        if name in fixture.tensor and knows("tensor") and knows("calibration"):
            message = f"{quoted(name)} is both a case and a calibration."
            hint = "Rename the calibration, and preferably use other photos for it."
            yield Mistake(("calibration", name), message, hint=hint)
    tables = (("tensor", fixture.tensor), ("calibration", fixture.calibration))
    every = [((table, case), given) for table, cases in tables for case, given in cases.items()]
    for path, tensors in every:
        case = path[1]
        if not knows(*path) or not knows("model", "inputs"):
            continue
        unknown, missing = compared(tensors, inputs)
        for name, suggestion in unknown.items():
            yield Mistake(
                (*path, name),
                f"The model has no input {quoted(name)}" + did_you_mean(suggestion),
                f"one of {listing(inputs)}",
                quoted(name),
            )
        for name in missing:
            yield Mistake(
                (*path, name),
                f"Case {quoted(case)} has no tensor for the input {quoted(name)}.",
                f"[{dotted((*path, name))}]",
                listing(tensors),
            )
        for name, tensor in tensors.items():
            if name in inputs:
                yield from _tensor((*path, name), tensor, fixture, knows)


def check_expectations(fixture: Fixture, knows: KnownNames) -> Iterator[Mistake]:
    """Yield errors in the expected outputs."""
    if knows("tensor") and knows("expect"):
        unknown, missing = compared(fixture.expect, fixture.tensor)
        for name, suggestion in unknown.items():
            yield Mistake(
                ("expect", name),
                f"No case named {quoted(name)}" + did_you_mean(suggestion),
                f"one of {listing(fixture.tensor)}",
                quoted(name),
            )
        for case in missing:
            # Reported at the case, which has a line in the file.
            message = f"Case {quoted(case)} has no expectation."
            keys = f"{', '.join(_EXPECTS)} or golden_only = true"
            hint = f"Add [{dotted(('expect', case))}] with {keys}."
            yield Mistake(("tensor", case), message, hint=hint)
    for case, expect in fixture.expect.items():
        yield from _expect(("expect", case), expect, knows)


def _expect(path: Path, expect: Expect, knows: KnownNames) -> Iterator[Mistake]:
    named = f"[{dotted(path)}]"
    wanted = all(knows(*path, key) for key in (*_EXPECTS, *_PRINTED, "golden_only"))
    expects = any(getattr(expect, key) not in (None, ()) for key in (*_EXPECTS, *_PRINTED))
    if wanted and not expects and not expect.golden_only:
        hint = "If the expected output is unknown, set golden_only = true."
        yield Mistake(
            path,
            f"{named} has no expected output.",
            " or ".join((*_EXPECTS, *_PRINTED)),
            hint=hint,
        )
    if wanted and expects and expect.golden_only:
        message = f"{named} has golden_only = true and an expected output."
        yield Mistake(
            (*path, "golden_only"), message, hint="Remove golden_only, or the expected output."
        )
    for index, each in enumerate(expect.detections.boxes if expect.detections else ()):
        left, top, right, bottom = each.box
        if knows.whole(*path, "detections") and not (left < right and top < bottom):
            yield Mistake(
                (*path, "detections", "boxes", str(index)),
                "The box is empty.",
                "[left, top, right, bottom] as shares of the image, left < right, top < bottom",
                str(list(each.box)),
            )
    if len(set(expect.strongest)) < len(expect.strongest) and knows(*path, "strongest"):
        message = f"strongest of {named} repeats an index."
        yield Mistake((*path, "strongest"), message, found=", ".join(map(str, expect.strongest)))
    if knows(*path, "value") and knows(*path, "within"):
        if expect.value is not None and expect.within is None:
            message = f"{named} has a value but no within."
            yield Mistake((*path, "value"), message, "within = the maximum difference")
        if expect.within is not None and expect.value is None:
            yield Mistake((*path, "within"), f"{named} has within but no value.", "value")


def check_guest_run(run: GuestRun, guests: Collection[str], knows: KnownNames) -> Iterator[Mistake]:
    """Yield errors in the table of the guest."""
    if run.program not in guests:
        yield Mistake(
            ("guest", "program"),
            f"No guest named {quoted(run.program)}" + did_you_mean(closest(run.program, guests)),
            f"one of {listing(guests)}",
            quoted(run.program),
            "Guests are declared in configs/guests/NAME.toml.",
        )
    if knows("guest", "memory"):
        count, unit = run.memory.split(" ")
        if int(count) * _UNITS[unit] > _MOST_MEMORY:
            message = "Guest memory exceeds 32-bit addresses."
            yield Mistake(("guest", "memory"), message, "at most 4 GiB", quoted(run.memory))


def _shape(path: Path, tensor: Tensor, given: ModelInput, knows: KnownNames) -> Iterator[Mistake]:
    where = (*path, "shape")
    if tensor.shape is None or not knows.whole(*where):
        return
    if path[0] == "calibration":
        yield Mistake(where, "Calibration tensors have the input's shape.", hint="Remove the key.")
    elif all(knows.whole("model", "inputs", path[-1], key) for key in ("shape", "bounds")):
        for found in check_shape(tensor.shape, given):
            yield Mistake(where, found.message, found.expected, found.found, found.hint)


def _tensor(path: Path, tensor: Tensor, fixture: Fixture, knows: KnownNames) -> Iterator[Mistake]:
    given = fixture.model.inputs[path[-1]]
    dims, faults = shape_of(tensor, given), list(_shape(path, tensor, given, knows))
    yield from faults
    if faults or not knows.whole(*path, "shape"):
        dims = given.shape
    # Placeholders that pass all rules, for values that are invalid.
    if not knows.whole("model", "inputs", path[-1], "shape"):
        dims = (1, *(CHANNELS.get(tensor.colour or "", 1),) * 3)
    if not knows(*path, "layout"):
        tensor = msgspec.structs.replace(tensor, layout=_LAYOUTS.get(len(dims), "NCHW"))
    if not knows(*path, "type"):
        tensor = msgspec.structs.replace(tensor, type="f32")
    if tensor.type not in get_args(PortType):
        message = f"wasi-nn has no tensor type {tensor.type}."
        expected = " or ".join(get_args(PortType))
        yield Mistake((*path, "type"), message, expected, tensor.type)
    doubtful = () if knows(*path, "colour") else _OF_COLOUR
    for found in check_tensor(tensor, dims, dotted(path)):
        if found.path and not knows.whole(*path, *found.path):
            continue
        if found.path not in doubtful:
            where = (*path, *found.path)
            yield Mistake(where, found.message, found.expected, found.found, found.hint)
