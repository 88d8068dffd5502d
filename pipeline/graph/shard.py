"""The split of a run over several machines, which each work out by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.errors import Code, PipelineError

_FORM = re.compile(r"([0-9]{1,6})/([0-9]{1,6})", re.ASCII)
# The steps of these kinds belong to the fixture that their name begins with.
_KINDS = frozenset(
    {
        *("source", "weights", "ir", "int8", "tensor", "fixture", "verify", "manifest"),
        *("pictures", "shard", "dataset", "score", "accuracy"),
    }
)


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``count``, counted from 1."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard that ``2/3`` stands for; raises PipelineError (USAGE).

        >>> Shard.parse("2/3")
        Shard(index=2, count=3)
        """
        found = _FORM.fullmatch(text)
        index, count = (int(number) for number in found.groups()) if found else (0, 0)
        if not 1 <= index <= count:
            raise PipelineError(
                Code.USAGE,
                "There is no such shard.",
                expected="i/n, where i counts from 1 to n, such as --shard 1/3",
                found=repr(text),
            )
        return cls(index, count)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def owner(task: str) -> str:
    """Return the fixture that a task belongs to, or the task itself if it serves several.

    >>> owner("verify:squeezenet.cat"), owner("guest:classify")
    ('squeezenet', 'guest:classify')
    """
    kind, _, rest = task.partition(":")
    return rest.partition(".")[0] if kind in _KINDS and rest else task


def chosen(
    shard: Shard, tasks: Iterable[str], every: Iterable[str], first: Iterable[str]
) -> list[str]:
    """Return those of ``tasks`` that this shard runs, in the order in which they are given.

    All tasks of a fixture fall to one shard, and to which one depends on the project alone: on
    ``every`` task that it has, and on those that come ``first`` in sharing out, since they are
    what a plain run does. Neither the order nor what else is asked for plays a part.
    """
    shares = _shared_out(shard.count, every, first)
    return [task for task in tasks if shares[owner(task)] == shard.index]


def _shared_out(count: int, every: Iterable[str], first: Iterable[str]) -> Mapping[str, int]:
    """Give each owner to the shard that has the fewest steps so far, the largest owner first."""
    steps: dict[str, int] = {}
    for task in every:
        steps[owner(task)] = steps.get(owner(task), 0) + 1
    sooner = {owner(task) for task in first}
    load = dict.fromkeys(range(1, count + 1), 0)
    shares = {}
    for name in sorted(steps, key=lambda name: (name not in sooner, -steps[name], name)):
        shares[name] = min(load, key=lambda index: (load[index], index))
        load[shares[name]] += steps[name]
    return shares
