"""A fixture's descriptor that is good, and how the guest's refusals are read."""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.guest.scripted_host import Ended

Run = Callable[..., Ended]

GOOD = """\
# the words of a comment are not counted or understood
encoding openvino
file m.xml
file m.bin

case cat
input 0 cat.raw f32 1x2
output 0 cat.prob.raw f32 1x3
"""
SCORES = struct.pack("<3f", 0.25, 0.625, 0.125)


def refusal(ended: Ended) -> str:
    """Return the one line of a guest that refused."""
    assert ended.exit_code == 1, ended
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stderr.endswith("\n")
    return ended.stderr[:-1]
