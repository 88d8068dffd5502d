"""The line of a config that a step comes from."""

from __future__ import annotations

from pathlib import Path

_OF_DATASETS = dict.fromkeys(("pictures", "shard", "dataset", "score", "accuracy"), "dataset")
_TABLES = {
    "source": "source",
    "ir": "model",
    "tensor": "tensor",
    "verify": "expect",
    **_OF_DATASETS,
}


def declared_at(root: Path, step: str) -> str:
    """Return ``file:line`` of the table that declares a step, or of the file as far as known.

    ``tensor:squeezenet.cat`` is declared by ``[tensor.cat…]`` in configs/fixtures/squeezenet.toml.
    """
    from pipeline.config.locate import key_lines, line_of

    kind, _, rest = step.partition(":")
    if kind == "toolchain":
        return f"configs/toolchains/{rest}.lock"
    name, *path = rest.split(".")
    file = f"configs/{'guests' if kind == 'guest' else 'fixtures'}/{name}.toml"
    if kind not in _TABLES:
        return file
    try:
        lines = key_lines((root / file).read_text("utf-8-sig"))
    except (OSError, ValueError):
        return file
    return f"{file}:{line_of(lines, (_TABLES[kind], *path))}"
