"""The split of a run over several machines, which each compute by themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.errors import Code, PipelineError

_FORM = re.compile(r"([0-9]{1,6})/([0-9]{1,6})", re.ASCII)


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


def chosen(
    shard: Shard, tasks: Iterable[str], owners: Mapping[str, str], first: Iterable[str]
) -> list[str]:
    """Return those of ``tasks`` that this shard runs, in the order in which they are given.

    ``owners`` maps every task of the project to its fixture, or to itself if it serves several.
    All tasks of a fixture belong to one shard, and to which one depends on the project alone: on
    the tasks that it has, and on those of a plain run, which are distributed ``first``. Neither
    their order nor what else is asked for matters.
    """
    shares = _distribute(shard.count, owners, first)
    return [task for task in tasks if shares[owners[task]] == shard.index]


def _distribute(count: int, owners: Mapping[str, str], first: Iterable[str]) -> Mapping[str, int]:
    """Give each owner to the shard that has the fewest steps so far, the largest owner first."""
    steps = Counter(owners.values())
    sooner = {owners[task] for task in first}
    load = dict.fromkeys(range(1, count + 1), 0)
    shares = {}
    for name in sorted(steps, key=lambda name: (name not in sooner, -steps[name], name)):
        shares[name] = min(load, key=lambda index: (load[index], index))
        load[shares[name]] += steps[name]
    return shares
