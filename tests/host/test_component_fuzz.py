"""Random sequences of component calls; benchmarks/fuzz_components.py makes more of them."""

from __future__ import annotations

from tests.host.component_fuzz import Fuzzer
from tests.host.conftest import Ir


def test_random_calls_end_alike_both_ways(models: dict[str, Ir]) -> None:
    fuzzer = Fuzzer({"m": models["add"].folder, "two": models["subtract"].folder})
    for seed in range(60):
        fuzzer.sequence(seed)
    ended = {called.split()[0] for called in fuzzer.counts if called.endswith(" ok")}
    assert {"compute", "tensor.data", "load-by-name", "drop.graph"} <= ended
