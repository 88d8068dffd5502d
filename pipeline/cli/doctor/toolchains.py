"""Locked environments of converters and compilers of guests: installed, creatable, or missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.cli.doctor.check import CheckResult, failed, passed
from pipeline.scratch import scratch_folder

if TYPE_CHECKING:
    from pipeline.config.load_project import Configs
    from pipeline.config.schema import Fixture
    from pipeline.toolchain.environment import Toolchain


def toolchains(configs: Configs) -> Iterator[CheckResult]:
    """Yield a line for each toolchain; those of the default fixtures are needed."""
    from pipeline.toolchain.environment import TOOLCHAINS

    needed = {
        name for fixture in configs.fixtures.values() if fixture.default for name in _used(fixture)
    }
    for toolchain in TOOLCHAINS.values():
        yield _toolchain(toolchain, configs, needed=toolchain.name in needed)


def _toolchain(toolchain: Toolchain, configs: Configs, *, needed: bool) -> CheckResult:
    from pipeline.cache.digest import Digest
    from pipeline.toolchain.environment import environment_folder, installed
    from pipeline.toolchain.environment_record import is_recorded
    from pipeline.toolchain.interpreters import find_interpreter
    from pipeline.toolchain.toolchain_lock import lock_file

    name = toolchain.name
    if installed(toolchain):
        return passed("toolchain", name, f"{toolchain.package} is installed in this Python")
    lock = lock_file(configs.root, name)
    if not lock.is_file():
        problem = f"{lock} does not exist"
        return failed("toolchain", name, problem, "Restore it, or reinstall", needed=needed)
    folder = environment_folder(toolchain, lock, configs.root / configs.project.toolchains)
    if is_recorded(folder, Digest.of_file(lock).sha256):
        return passed("toolchain", name, f"installed in {folder}")
    with scratch_folder() as scratch:
        found = find_interpreter(toolchain.pythons, scratch)
    make = f"doit toolchain:{name}"
    if found is not None:
        problem = f"will be created on demand, with Python {found.version}"
        return failed("toolchain", name, problem, make, needed=False)
    problem = f"cannot be created: Python {' or '.join(toolchain.pythons)} not found"
    fix = f"uv python install {toolchain.pythons[0]}"
    # With network access, uv installs it.
    return failed("toolchain", name, problem, fix, needed=needed and configs.project.offline)


def _used(fixture: Fixture) -> Iterator[str]:
    from pipeline.config.model_tables import QUANTISED
    from pipeline.model.convert.make_ir import TOOLCHAINS as CONVERTERS
    from pipeline.verify.executors import EXECUTORS

    if converter := CONVERTERS.get(fixture.model.framework):
        yield converter
    if fixture.model.precision in QUANTISED:
        yield "nncf"
    executor = EXECUTORS[fixture.golden.executor] if fixture.golden.executor else None
    if executor is not None and executor.toolchain:
        yield executor.toolchain


def compilers(configs: Configs) -> Iterator[CheckResult]:
    """Yield a line for each guest language; those of the default fixtures are needed."""
    from pipeline.guest.languages import LANGUAGES

    programs = {each.guest.program for each in configs.fixtures.values() if each.default}
    needed = {guest.language for name, guest in configs.guests.items() if name in programs}
    for name, language in LANGUAGES.items():
        compiler = language.compiler()
        missing = language.missing_compiler(compiler)
        if missing is not None:
            problem = missing.message.rstrip(".")
            yield failed("compiler", name, problem, missing.hint, needed=name in needed)
        else:
            what = ", ".join([*language.packages, *map(str, compiler.values())])
            yield passed("compiler", name, what or "found")
