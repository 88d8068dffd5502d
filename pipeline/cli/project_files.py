"""The files of a new project."""

from __future__ import annotations

import re
import tomllib
from pathlib import PurePosixPath

from pipeline import builtin
from pipeline.config import json_schema

# Where each file of the template belongs.
_TEMPLATE = {
    "dodo.txt": "dodo.py",
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "pre-commit.yaml": ".pre-commit-config.yaml",
    "workflow.yml": ".github/workflows/fixtures.yml",
}
GUEST = "hello"
_FIXTURE = "configs/fixtures/text-direction.toml"


def project_files(package: str, language: str | None = None) -> dict[str, bytes]:
    """Return the files of a new project that requires ``package``, by their paths in it.

    With a ``language`` it has a guest of its own, a copy of the built-in one, which its fixture
    runs.
    """
    template = builtin.FOLDER / "project"
    # A component takes further toolchains, and a guest of one's own does not have one at first.
    fixture = (builtin.FOLDER / _FIXTURE).read_text(encoding="utf-8")
    fixture = fixture.replace("component = true\n", "")
    guest: dict[str, bytes] = {}
    if language is not None:
        guest = guest_files(language, GUEST)
        fixture = fixture.replace('program = "classify"', f'program = "{GUEST}"')
    return {
        **{target: (template / name).read_bytes() for name, target in _TEMPLATE.items()},
        "requirements.txt": f"{package}\n".encode(),
        _FIXTURE: fixture.encode(),
        **guest,
        **{f"configs/schema/{name}": data for name, data in json_schema.files().items()},
    }


def guest_files(language: str, name: str) -> dict[str, bytes]:
    """Return the files of a guest of one's own, a copy of the built-in one in its language."""
    configs = sorted((builtin.FOLDER / "configs" / "guests").glob("*.toml"))
    texts = [path.read_text(encoding="utf-8") for path in configs]
    text = next(each for each in texts if tomllib.loads(each)["language"] == language)
    declared = tomllib.loads(text)
    paths = (*declared["sources"], *declared.get("headers", ()))
    _, _, rest = text.partition("\n")
    rest = re.sub(r"(^#.*\n)*^component = .*\n", "", rest, flags=re.MULTILINE)
    rest = re.sub(r'"guests/[^/"]+/', f'"guests/{name}/', rest)
    head = '#:schema ../schema/guest.schema.json\ndescription = "a guest of our own"\n'
    return {
        f"configs/guests/{name}.toml": f"{head}{rest}".encode(),
        **{
            f"guests/{name}/{PurePosixPath(path).name}": (builtin.FOLDER / path).read_bytes()
            for path in paths
        },
    }
