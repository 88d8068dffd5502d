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


def source_location(root: Path, step: str) -> str:
    """Return ``file:line`` of the table that declares a step, or of the file as far as known.

    ``tensor:squeezenet.cat`` is declared by ``[tensor.cat…]`` in configs/fixtures/squeezenet.toml,
    ``ir:squeezenet-f16`` by ``[variant.f16]`` there.
    """
    from pipeline.config.toml_lines import key_lines, line_of

    kind, _, rest = step.partition(":")
    if kind == "toolchain":
        return f"configs/toolchains/{rest}.lock"
    name, *path = rest.split(".")
    if kind == "guest":
        return f"configs/guests/{name}.toml"
    file = f"configs/fixtures/{name}.toml"
    table: tuple[str, ...] = (_TABLES[kind], *path) if kind in _TABLES else ()
    if not (root / file).exists() and (whole := _whole(root, name)):
        file = f"configs/fixtures/{whole}.toml"
        variant = ("variant", name.removeprefix(f"{whole}-"))
        table = table if kind == "tensor" else variant
    if not table:
        return file
    try:
        lines = key_lines((root / file).read_text("utf-8-sig"))
    except (OSError, ValueError):
        return file
    return f"{file}:{line_of(lines, table)}"


def _whole(root: Path, variant: str) -> str:
    """Return the fixture that a variant belongs to, '' if no config can declare it."""
    parts = variant.split("-")
    names = ("-".join(parts[:end]) for end in range(len(parts) - 1, 0, -1))
    return next((each for each in names if (root / f"configs/fixtures/{each}.toml").exists()), "")
