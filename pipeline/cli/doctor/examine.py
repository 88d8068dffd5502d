"""All checks of the doctor, in order; a check that fails does not stop the others."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.doctor.check import CheckResult, failed, passed
from pipeline.cli.doctor.devices import devices
from pipeline.cli.doctor.entry_points import registration
from pipeline.cli.doctor.folders import folders
from pipeline.cli.doctor.optional_programs import peers
from pipeline.cli.doctor.packages import packages
from pipeline.cli.doctor.python import interpreter
from pipeline.cli.doctor.remote_cache_check import remote_cache
from pipeline.cli.doctor.sources import sources
from pipeline.cli.doctor.toolchains import compilers, toolchains
from pipeline.cli.extras import install_command

if TYPE_CHECKING:
    from pipeline.config.load_project import Configs

Check = Callable[[], Iterable[CheckResult]]
_AT_ONCE = 4


def examine(root: Path, *, in_order: bool = True) -> Iterator[CheckResult]:
    """Yield the lines about this machine and the project in ``root``.

    If not ``in_order``, those of each check come as soon as it has ended.
    """
    configs, problem = _configs(root)
    building = (root / "configs").is_dir()
    checks: list[tuple[str, Check]] = [
        ("python", interpreter),
        ("package", lambda: packages(building=building)),
        ("plug-in", lambda: registration(root)),
        ("device", devices),
        ("config", lambda: problem),
        ("folder", lambda: folders(_folders(root, configs))),
    ]
    if configs is not None:
        checks += [
            ("toolchain", lambda: toolchains(configs)),
            ("compiler", lambda: compilers(configs)),
            ("remote cache", lambda: remote_cache(configs)),
            ("source", lambda: sources(configs)),
        ]
    checks.append(("optional", peers))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures: list[Future[list[CheckResult]]] = [
            pool.submit(_guarded, name, check) for name, check in checks
        ]
        for future in futures if in_order else as_completed(futures):
            yield from future.result()


def _guarded(name: str, check: Check) -> list[CheckResult]:
    try:
        return list(check())
    except Exception as error:
        # A broken environment is what the doctor is for: the other checks may show the cause.
        problem = f"check failed: {type(error).__name__}: {error}"
        return [failed(name, "check", problem, "Fix the problems above and run this again")]


def _configs(root: Path) -> tuple[Configs | None, list[CheckResult]]:
    """Return the configs, or None if they are invalid, and the lines about them."""
    from pipeline.errors import ConfigErrors

    if not (root / "configs").is_dir():
        fix = "Run this in the project's folder (with configs/)"
        return None, [failed("config", str(root), "no project found", fix, needed=False)]
    try:
        from pipeline.config.load_project import load_project

        configs = load_project(root)
    except ConfigErrors as errors:
        return None, [
            failed(
                "config",
                error.where,
                " ".join(
                    [error.message]
                    + ([f"Expected: {error.expected}."] if error.expected else [])
                    + ([f"Found: {error.found}."] if error.found else [])
                ),
                error.hint or "Fix the file",
            )
            for error in errors.errors
        ]
    except Exception as error:
        problem = f"cannot be read: {type(error).__name__}: {error}"
        return None, [failed("config", "configs", problem, install_command("build"))]
    count = f"{len(configs.fixtures)} fixtures, {len(configs.guests)} guests"
    return configs, [passed("config", "configs", count)]


def _folders(root: Path, configs: Configs | None) -> dict[str, Path]:
    named = {"temporary": Path(tempfile.gettempdir())}
    if configs is not None:
        named["artifacts"] = root / "artifacts"
        named["cache"] = root / configs.project.cache
        named["toolchains"] = root / configs.project.toolchains
    try:
        from pipeline.cache.user_cache import user_cache_folder

        named["fetched"] = user_cache_folder()
    except ImportError:
        # The check of the packages reports this.
        pass
    return named
