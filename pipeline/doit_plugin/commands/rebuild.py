"""The project rebuilt in an empty folder, and its bytes compared with the lock."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pipeline.child_python.commands import module_command
from pipeline.config.load_project import Configs
from pipeline.config.source_rules import guest_files
from pipeline.doit_plugin.project import ProjectContext
from pipeline.scratch import scratch_folder

_NEEDED = ("configs", "guests", "dodo.py", "pyproject.toml")
_OWN = re.compile(r"^\s*(?:toolchains|cache)\s*=.*$", re.M)


def rebuild(project: ProjectContext, names: list[str]) -> int:
    """Build fixtures, those of a plain run without a name, and return 0 if they are as locked.

    Nothing that was built before is used, except downloads, whose digests are checked again, and
    the locked toolchains.
    """
    layout = project.graph.layout
    fixtures = [each.name for each in project.graph.manifests(names)] if names else []
    with scratch_folder() as name:
        root = name / "project"
        root.mkdir()
        for part in _NEEDED:
            source = layout.root / part
            if source.is_dir():
                shutil.copytree(source, root / part)
            elif source.exists():
                shutil.copyfile(source, root / part)
        for path in _local_sources(layout.configs):
            if not (root / path).exists() and (layout.root / path).is_file():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(layout.root / path, root / path)
        cache = root / "artifacts" / ".cache"
        cache.mkdir(parents=True)
        shutil.copyfile(layout.artifacts / "lock.json", root / "artifacts" / "lock.json")
        downloads = layout.cache / "downloads"
        if downloads.is_dir():
            shutil.copytree(downloads, cache / "downloads", copy_function=_link)
        _point_to_toolchains(root / "configs" / "project.toml", layout.toolchains)
        for arguments in (fixtures, ["lock", "--check", "--strict", *names]):
            # A remote cache would supply what others built; the copy has none.
            finished = subprocess.run(
                module_command("doit", *arguments),
                cwd=root,
                check=False,
                env=_environment(),
            )
            if finished.returncode:
                return 1 if finished.returncode == 1 else 2
    return 0


def _local_sources(configs: Configs) -> Iterator[Path]:
    """Yield the files inside the project that sources and guests name."""
    for name, guest in configs.guests.items():
        if name not in configs.builtin_guests:
            yield from map(Path, guest_files(guest))
    for fixture in configs.fixtures.values():
        for source in fixture.source.values():
            for url in source.urls:
                path = Path(url.removeprefix("file:"))
                if url.startswith("file:") and not path.is_absolute() and ".." not in path.parts:
                    yield path


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "DOIT_CONFIG"}


def _link(source: str, target: str) -> object:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target


def _point_to_toolchains(config: Path, toolchains: Path) -> None:
    text = config.read_text(encoding="utf-8") if config.exists() else ""
    # Without [remote], which comes after all plain keys.
    plain = _OWN.sub("", text).partition("[remote]")[0]
    path = toolchains.resolve().as_posix()
    config.write_text(f"toolchains = '{path}'\n{plain}", encoding="utf-8")
