"""Find the channels of an input whose layout is not given."""

from __future__ import annotations

from collections.abc import Sequence

# The usual orders of axes, by rank. A batch of three is no colour.
_ORDERS = {
    2: ("NC",),
    3: ("CHW", "HWC", "NCW"),
    4: ("NCHW", "NHWC"),
    5: ("NCDHW", "NDHWC"),
}


def channel_layout(shape: Sequence[int], channels: int) -> str:
    """Return the only usual layout of a shape with so many channels.

    Raises ValueError, in one sentence, if there is none or more than one.

    >>> channel_layout([1, 8, 12, 3], 3)
    'NHWC'
    """
    orders = _ORDERS.get(len(shape), ())
    found = [order for order in orders if shape[order.index("C")] == channels]
    if len(found) == 1:
        return found[0]
    shown = ",".join(map(str, shape))
    if not found:
        raise ValueError(f"The shape [{shown}] has no axis of {channels} channels.")
    raise ValueError(
        f"The {channels} channels of the shape [{shown}] may be those of {' or '.join(found)}."
    )
