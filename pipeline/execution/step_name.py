"""A step's name, ``kind:label``: its form, for what has the name but not the action."""

from __future__ import annotations

from typing import NamedTuple


class StepName(NamedTuple):
    """The label begins with what the step is of: a fixture, a guest or a toolchain.

    >>> StepName.parse("verify:squeezenet.cat")
    StepName(kind='verify', label='squeezenet.cat')
    >>> StepName.parse("verify:squeezenet.cat").subject
    'squeezenet'
    """

    kind: str
    label: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.label}"

    @classmethod
    def parse(cls, text: str) -> StepName:
        """Return the parts of a name; the label of a kind alone is empty."""
        kind, _, label = text.partition(":")
        return cls(kind, label)

    @property
    def subject(self) -> str:
        """Return the fixture, guest or toolchain that the step is of."""
        return self.label.partition(".")[0]
