"""Load all configs of a project, and report all their errors together.

Every run starts here, so modules that only report errors are imported on demand.
"""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from pipeline import builtin
from pipeline.cache.confined_path import confined
from pipeline.cache.json_decoding import convert_value
from pipeline.config.mistake import Mistake
from pipeline.config.rules import fixture_findings, guest_findings, name_fault, project_findings
from pipeline.config.schema import Fixture, Guest, Project
from pipeline.config.variants import variant_findings, variants
from pipeline.config.wording import Path as KeyPath
from pipeline.config.wording import quoted
from pipeline.errors import Code, ConfigErrors, PipelineError

T = TypeVar("T", bound=msgspec.Struct)
Check = Callable[[str, T, Collection[KeyPath]], list[Mistake]]

_MOST_BYTES = 2**20
_MOST_PARTS = 32
# Per file: more are one mistake that repeats.
_MOST_ERRORS = 100
_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\[^\n])*+"?|'[^'\n]*+'?)"""
_NEXT_PART = rf"[ \t]*+\.[ \t]*+{_PART}"
# Consumes strings and comments whole, closed or not, so a search takes time linear in the text.
_LONG_KEY = re.compile(
    r'''"""(?:[^"\\]|\\.|"(?!""))*+(?:"{3,5}+)?'''
    r"""|'''(?:[^']|'(?!''))*+(?:'{3,5}+)?"""
    r"|#[^\n]*+"
    rf"|(?P<long>{_PART}(?:{_NEXT_PART}){{{_MOST_PARTS}}})|{_PART}(?:{_NEXT_PART})*+",
    re.DOTALL,
)
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class Configs(msgspec.Struct, frozen=True):
    """All configs of the project in ``root``; fixtures and guests by name, sorted.

    ``fixtures`` includes the variants, each after its fixture; ``variant_of`` maps a variant to
    its fixture. ``guests`` includes the built-in ones that the project has none of its own for,
    whose names are in ``builtin_guests``.
    """

    root: Path
    project: Project
    fixtures: Mapping[str, Fixture]
    guests: Mapping[str, Guest]
    variant_of: Mapping[str, str] = {}
    builtin_guests: frozenset[str] = frozenset()

    def guest_folder(self, name: str) -> Path:
        """Return the folder that a guest's config and the paths in it are relative to."""
        return builtin.FOLDER if name in self.builtin_guests else self.root


def load_project(root: Path) -> Configs:
    """Return the configs under ``root``.

    Reads ``configs/project.toml`` if there is one, ``configs/fixtures/*.toml`` and
    ``configs/guests/*.toml``, and the built-in guests. Raises ConfigErrors with all errors in all
    files, sorted by file and line.
    """
    fixture_names = _names_in(root, "configs/fixtures")
    own_guests = _names_in(root, "configs/guests")
    inherited = [each for each in builtin_guest_names() if each not in own_guests]
    guest_names = sorted([*own_guests, *inherited])
    errors: list[PipelineError] = []

    def check_fixture(name: str, fixture: Fixture, broken: Collection[KeyPath]) -> list[Mistake]:
        # A guest whose file is invalid still exists.
        found = fixture_findings(fixture, guest_names, broken)
        return [*found, *variant_findings(name, fixture, fixture_names, guest_names, broken)]

    def check_guest(_: str, guest: Guest, broken: Collection[KeyPath]) -> list[Mistake]:
        return guest_findings(guest, lambda path: _is_file_inside(root, path), broken)

    def check_settings(_: str, project: Project, broken: Collection[KeyPath]) -> list[Mistake]:
        return project_findings(project, broken)

    project: Project | None = Project()
    settings = root / "configs" / "project.toml"
    # A dangling link exists too, and is reported as unreadable.
    if settings.exists() or settings.is_symlink():
        project = _load(root, "configs/project.toml", Project, check_settings, errors)
    if not fixture_names:
        errors.append(
            PipelineError(
                Code.CONFIG,
                "The project has no fixtures.",
                where="configs/fixtures",
                expected="a file such as configs/fixtures/squeezenet.toml",
            )
        )
    if "model" in fixture_names:
        errors.append(
            PipelineError(
                Code.CONFIG,
                "A fixture cannot be named 'model': its model.xml would be its own alias.",
                where="configs/fixtures/model.toml",
                hint="Rename the file.",
            )
        )
    fixtures = _load_folder(root, "configs/fixtures", fixture_names, Fixture, check_fixture, errors)
    guests = _load_folder(root, "configs/guests", own_guests, Guest, check_guest, errors)
    if errors or project is None:
        raise ConfigErrors(tuple(errors))
    whole: dict[str, Fixture] = {}
    variant_of: dict[str, str] = {}
    for name, fixture in fixtures.items():
        family = variants(name, fixture)
        whole |= {name: fixture, **family}
        variant_of |= dict.fromkeys(family, name)
    guests = dict(sorted({**guests, **{each: _builtin_guest(each) for each in inherited}}.items()))
    return Configs(root, project, whole, guests, variant_of, frozenset(inherited))


def builtin_guest_names() -> Sequence[str]:
    """Return the names of the guests that come with the package."""
    return _names_in(builtin.FOLDER, "configs/guests")


def _builtin_guest(name: str) -> Guest:
    text = (builtin.FOLDER / "configs" / "guests" / f"{name}.toml").read_text(encoding="utf-8")
    return convert_value(tomllib.loads(text), Guest)


def _names_in(root: Path, folder: str) -> Sequence[str]:
    """Return the sorted names of a folder's TOML files."""
    try:
        names = [path.name for path in (root / folder).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise ConfigErrors((_unreadable(folder, error),)) from None
    # Editors keep temporary files here, with a leading dot.
    toml = (name for name in names if name.endswith(".toml") and not name.startswith("."))
    return sorted(name.removesuffix(".toml") for name in toml)


def _load_folder(
    root: Path,
    folder: str,
    names: Sequence[str],
    kind: type[T],
    check: Check[T],
    errors: list[PipelineError],
) -> Mapping[str, T]:
    tables: dict[str, T] = {}
    for name in names:
        where = f"{folder}/{name}.toml"
        if fault := name_fault(name):
            errors.append(
                PipelineError(
                    Code.CONFIG,
                    f"Invalid {kind.__name__.lower()} name {quoted(name)}.",
                    where=_printable(where),
                    expected=fault,
                    found=quoted(name),
                    hint="Rename the file.",
                )
            )
        table = _load(root, where, kind, check, errors)
        if table is not None:
            tables[name] = table
    return tables


def _load(
    root: Path, where: str, kind: type[T], check: Check[T], errors: list[PipelineError]
) -> T | None:
    """Return a file's table as far as it is valid; append its errors to ``errors``."""
    try:
        text, data = _read(root, where)
    except PipelineError as error:
        errors.append(error)
        return None
    findings: list[Mistake] = []
    broken: Collection[KeyPath] = ()
    try:
        table = convert_value(data, kind)
    except msgspec.ValidationError:
        from pipeline.config.schema_check import check_schema

        checked = check_schema(data, kind)
        table, broken = checked.value, checked.broken
        findings += checked.findings
    findings += check(Path(where).stem, table, broken)
    if findings:
        errors += _placed(_printable(where), text, findings)
    return table


def _read(root: Path, where: str) -> tuple[str, dict[str, object]]:
    """Return a file's text and its parsed content; raises PipelineError."""
    try:
        raw = _bytes(root / where)
    except OSError as error:
        raise _unreadable(where, error) from None
    try:
        text = raw.decode("utf-8-sig")
        # tomllib needs the square of a key's length.
        if long := next((each for each in _LONG_KEY.finditer(text) if each["long"]), None):
            raise PipelineError(
                Code.CONFIG,
                "A dotted key has too many parts.",
                where=f"{_printable(where)}:{text.count(chr(10), 0, long.start()) + 1}",
                expected=f"at most {_MOST_PARTS} parts",
            )
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message, found = "The file is not UTF-8.", f"byte 0x{raw[error.start]:02x}"
        hint = "Save it as UTF-8."
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        reason = _PLACE.sub("", str(error))
        line = int((place and place[1]) or max(1, len(text.splitlines())))
        message, found, hint = f"Invalid TOML: {reason[0].lower()}{reason[1:]}.", "", ""
    except (ValueError, RecursionError):
        # Limits of tomllib: the depth of nesting, and the digits of a number.
        line, message, found = 1, "Nesting too deep, or number too large.", ""
        hint = "Flatten the value, or shorten the number."
    raise PipelineError(
        Code.CONFIG, message, where=f"{_printable(where)}:{line}", found=found, hint=hint
    )


def _bytes(path: Path) -> bytes:
    # Opening a pipe would block.
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError("not a regular file")
    if status.st_size > _MOST_BYTES:
        raise OSError(f"larger than {_MOST_BYTES} bytes")
    return path.read_bytes()


def _unreadable(where: str, error: OSError) -> PipelineError:
    reason = (error.strerror or str(error)).lower()
    message = f"Cannot read the config: {reason}."
    return PipelineError(Code.CONFIG, message, where=_printable(where))


def _placed(where: str, text: str, findings: Sequence[Mistake]) -> list[PipelineError]:
    """Return findings as errors with the lines of their keys, sorted by line."""
    from pipeline.config.toml_lines import key_lines, line_of

    lines = key_lines(text)
    placed = sorted(
        ((line_of(lines, each.path), each) for each in findings), key=lambda one: one[0]
    )
    errors = [
        PipelineError(
            Code.CONFIG,
            finding.message,
            where=f"{where}:{line}",
            expected=finding.expected,
            found=finding.found,
            hint=finding.hint,
        )
        for line, finding in placed[:_MOST_ERRORS]
    ]
    if len(placed) > _MOST_ERRORS:
        left = len(placed) - _MOST_ERRORS
        message = f"The file has {left} more {'error' if left == 1 else 'errors'}."
        errors.append(PipelineError(Code.CONFIG, message, where=where))
    return errors


def _is_file_inside(root: Path, path: str) -> bool:
    """Return whether a path is a file inside the project after resolving links."""
    found, fault = confined(root, path)
    try:
        return not fault and found.is_file()
    except OSError:
        return False


def _printable(where: str) -> str:
    return where if where.isprintable() else ascii(where)[1:-1]
