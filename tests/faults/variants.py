"""Ways to make one step of the small project build something new, and to damage what it made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.tiny import Project, write_picture

STEPS = (
    "source:tiny.red",
    "tensor:tiny.red",
    "ir:tiny",
    "guest:classify",
    "fixture:tiny",
    "verify:tiny.red",
    "manifest:tiny",
)
_GUEST = "guests/classify/classify.c"
_VARIANT = "\nconst char variant[] __attribute__((used, retain))"
DAMAGED = b"damaged"
EDITED = (_GUEST, "red.png", "configs/fixtures/tiny.toml")
"""The files that the edits change, relative to the project."""


def edit_for(project: Project, step: str, number: int) -> None:
    """Make ``step`` build what no other number gives."""
    _EDITS[step](project, number)


def damage(project: Project, step: str) -> None:
    """Overwrite what a step has made; its record and its objects stay."""
    for path in _made(project, step):
        path.write_bytes(DAMAGED)


def _made(project: Project, step: str) -> Iterator[Path]:
    for path in sorted((project.root / "artifacts").rglob(_TARGETS[step])):
        # What is kept under its digest has other names, the guest's copy is another step's.
        if step != "guest:classify" or path.parent != project.folder:
            yield path


def _paint(project: Project, number: int) -> None:
    write_picture(project.root / "red.png", (250, number % 200, number // 200))


def _change_mean(project: Project, number: int) -> None:
    _substitute(project.config, r"mean = \[10, 20, [\d.]+\]", f"mean = [10, 20, {30 + number / 8}]")


def _change_guest(project: Project, number: int) -> None:
    source = project.root / _GUEST
    honest = source.read_text().partition(_VARIANT)[0]
    source.write_text(f'{honest}{_VARIANT} = "variant {number}";\n')


def _change_tolerance(project: Project, number: int) -> None:
    executor = 'executor = "onnxruntime"'
    widened = f'{executor}\nabsolute = {1e-4 + number * 1e-8:.8f}\nreason = "a variant"'
    _substitute(project.config, executor + r"(\nabsolute = .*\nreason = .*)?", widened)


def _change_description(project: Project, number: int) -> None:
    _substitute(project.config, r"description = .*", f'description = "the mean, {number}"')


def _substitute(path: Path, pattern: str, text: str) -> None:
    changed, count = re.subn(pattern, text, path.read_text(), count=1)
    assert count == 1, pattern
    path.write_text(changed)


_EDITS: dict[str, Callable[[Project, int], None]] = {
    "source:tiny.red": _paint,
    "tensor:tiny.red": _paint,
    "ir:tiny": _change_mean,
    "guest:classify": _change_guest,
    "fixture:tiny": _change_guest,
    "verify:tiny.red": _change_tolerance,
    "manifest:tiny": _change_description,
}
_TARGETS = {
    "source:tiny.red": "red.png",
    "tensor:tiny.red": "red-1x3x8x8-f32.rgb",
    "ir:tiny": "tiny.*",
    "guest:classify": "classify.wasm",
    "fixture:tiny": "fixture.txt",
    "verify:tiny.red": "evidence/red/report.json",
    "manifest:tiny": "manifest.json",
}
