"""Loading a project's configs: all that is wrong in all files, each with its line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config.load_project import load_project
from pipeline.errors import Code
from tests.config.sample import (
    FIXTURE,
    FIXTURE_PATH,
    GUEST,
    GUEST_PATH,
    edited,
    errors_of,
    line_with,
    write_project,
)

ROOT = Path(__file__).parents[2]


def test_a_good_project_is_loaded_whole(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "configs/fixtures/another.toml").write_text(FIXTURE)
    configs = load_project(tmp_path)
    assert list(configs.fixtures) == ["another", "net"]
    assert configs.guests.keys() - configs.builtin_guests == {"classify"}
    fixture = configs.fixtures["net"]
    assert fixture.model.inputs["data"].mean == (104.0, 117.0, 123.0)
    assert fixture.tensor["cat"]["data"].image == "chelsea"
    assert configs.guests["classify"].sources == ("guests/classify/main.c",)
    assert configs.project.cache == "artifacts/.cache"
    assert configs.root == tmp_path


def test_four_faults_in_one_file_are_four_errors_with_their_lines(tmp_path: Path) -> None:
    text = edited(
        FIXTURE,
        ('license = "BSD-2-Clause"', 'license = "BSD-2-Clause"\nlicence = "BSD"'),
        ("mean = [104, 117, 123]", "mean = [104, 117]"),
        ('image = "chelsea"', 'image = "chelsae"'),
        ('type = "f32"', "type = 32"),
    )
    errors = errors_of(write_project(tmp_path, text))
    assert [(error.where, error.message) for error in errors] == [
        (
            f"{FIXTURE_PATH}:{line_with(text, 'licence =')}",
            "Unknown key 'licence' in [source.weights].",
        ),
        (
            f"{FIXTURE_PATH}:{line_with(text, 'mean =')}",
            "The mean has 2 values for 3 channels.",
        ),
        (
            f"{FIXTURE_PATH}:{line_with(text, 'chelsae')}",
            "No source named 'chelsae'; did you mean 'chelsea'?",
        ),
        (
            f"{FIXTURE_PATH}:{line_with(text, '= 32')}",
            "Invalid value of tensor.cat.data.type.",
        ),
    ]
    assert {error.code for error in errors} == {Code.CONFIG}
    assert errors[3].expected.startswith("one of bf16, f16, f32")
    assert errors[3].found == "the number 32"


def test_the_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    write_project(
        tmp_path,
        edited(FIXTURE, ('"classify"', '"clasify"')),
        edited(GUEST, ('"c"', '"cobol"'), ("main.c", "mian.c")),
    )
    (tmp_path / "configs/project.toml").write_text('offline = "yes"\n')
    (tmp_path / "configs/fixtures/cut.toml").write_text("a = 1\nb = \n")
    errors = errors_of(tmp_path)
    assert [error.where for error in errors] == [
        "configs/project.toml:1",
        "configs/fixtures/cut.toml:2",
        f"{FIXTURE_PATH}:{line_with(FIXTURE, 'program')}",
        f"{GUEST_PATH}:2",
        f"{GUEST_PATH}:3",
    ]
    assert "did you mean 'classify'" in errors[2].message
    assert "mian.c" in errors[4].message


def test_one_mistake_a_thousand_times_is_a_hundred_errors_and_a_number(tmp_path: Path) -> None:
    text = FIXTURE + "\n".join(f"[unknown{number}]" for number in range(1000))
    errors = errors_of(write_project(tmp_path, text))
    assert len(errors) == 101
    assert errors[-1].message == "The file has 900 more errors."
    assert errors[-1].where == FIXTURE_PATH


def test_a_guest_whose_own_file_is_broken_still_exists(tmp_path: Path) -> None:
    errors = errors_of(write_project(tmp_path, guest="language =\n"))
    assert [error.where for error in errors] == [f"{GUEST_PATH}:1"]


def test_settings_are_read(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "configs/project.toml").write_text('toolchains = "/var/tools"\noffline = true\n')
    project = load_project(tmp_path).project
    assert (project.toolchains, project.offline) == ("/var/tools", True)


@pytest.mark.parametrize("folder", ["../../.ssh", "a/../..", "", "a\\\\..\\\\b", "a\\u0007b"])
def test_a_folder_of_the_settings_is_a_plain_path(tmp_path: Path, folder: str) -> None:
    write_project(tmp_path)
    (tmp_path / "configs/project.toml").write_text(f'\ncache = "{folder}"\n')
    assert [error.where for error in errors_of(tmp_path)] == ["configs/project.toml:2"]


@pytest.mark.parametrize(
    ("raw", "line", "words"),
    [
        (b'a = 1\nb = "\xff"\n', 2, "not UTF-8"),
        (b"a = 1\na = 2\n", 2, "Invalid TOML: cannot overwrite a value"),
        (b"a = 1\n\nb = [1,\n2\n", 4, "Invalid TOML: unclosed array"),
        (b"[a\n", 1, "Invalid TOML: expected ']'"),
        (b"a = 2024-02-30\n", 1, "Invalid TOML: invalid date"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, 1, "Nesting too deep, or number too large"),
        (b"a = " + b"9" * 5000, 1, "Nesting too deep, or number too large"),
    ],
)
def test_a_file_that_is_not_toml(tmp_path: Path, raw: bytes, line: int, words: str) -> None:
    (write_project(tmp_path) / FIXTURE_PATH).write_bytes(raw)
    [error] = errors_of(tmp_path)
    assert error.where == f"{FIXTURE_PATH}:{line}"
    assert words in error.message


def test_a_number_too_long_to_be_written_out(tmp_path: Path) -> None:
    text = edited(FIXTURE, ("top1 = 285", f"top1 = 0x{'f' * 9000}"))
    [error] = errors_of(write_project(tmp_path, text))
    assert error.found == "a number of hundreds of digits"


def test_a_mark_of_byte_order_is_allowed_and_lines_end_in_either_way(tmp_path: Path) -> None:
    file = write_project(tmp_path) / FIXTURE_PATH
    file.write_bytes(b"\xef\xbb\xbf" + FIXTURE.replace("\n", "\r\n").encode())
    load_project(tmp_path)
    text = edited(FIXTURE, ("top1 = 285", "top1 = -1"))
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    [error] = errors_of(tmp_path)
    assert error.where == f"{FIXTURE_PATH}:{line_with(text, 'top1')}"


def test_a_folder_with_the_name_of_a_file(tmp_path: Path) -> None:
    (write_project(tmp_path) / "configs/fixtures/folder.toml").mkdir()
    [error] = errors_of(tmp_path)
    assert (error.where, error.message) == (
        "configs/fixtures/folder.toml",
        "Cannot read the config: not a regular file.",
    )


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(write_project(tmp_path) / "configs/fixtures/pipe.toml")
    [error] = errors_of(tmp_path)
    assert error.where == "configs/fixtures/pipe.toml"


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (write_project(tmp_path) / "configs/project.toml").symlink_to("nowhere")
    [error] = errors_of(tmp_path)
    assert error.where == "configs/project.toml"
    assert "no such file" in error.message


@pytest.mark.parametrize("part", ["a", '"a.b"', "'a b'", "a ", r'"\""', r'"\\"'])
@pytest.mark.parametrize(("before", "after"), [("", " = 0"), ("[", "]"), ("x = [{", " = 0}]")])
def test_a_key_of_many_parts_is_refused_before_it_is_parsed(
    tmp_path: Path, part: str, before: str, after: str
) -> None:
    """To parse it takes the square of its length: 40 s for 400 KB."""
    key = ".".join([part] * 100_000)
    write_project(tmp_path, f"{FIXTURE}\n{before}{key}{after}\n")
    [error] = errors_of(tmp_path)
    assert error.message == "A dotted key has too many parts."
    assert error.where == f"{FIXTURE_PATH}:{len(FIXTURE.splitlines()) + 2}"


@pytest.mark.parametrize(
    "before",
    [
        'x = "\\""',
        "x = 'a\\'",
        'x = """\n"a\\""""',
        'x = """a"""""',
        "x = '''\n'\"a''''",
        "x = 0 # '''",
        'x = 0 # """',
    ],
)
def test_a_key_of_many_parts_is_found_after_any_string(tmp_path: Path, before: str) -> None:
    text = f"{FIXTURE}\n{before}\n"
    write_project(tmp_path, f"{text}{'.'.join('a' * 33)} = 0\n")
    [error] = errors_of(tmp_path)
    assert error.message == "A dotted key has too many parts."
    assert error.where == f"{FIXTURE_PATH}:{text.count(chr(10)) + 1}"


@pytest.mark.parametrize(
    "around", ["x = 0 # {}\n", "x = '{}'\n", 'x = """\n{}"""\n', "x = ['''\n{}''']\n"]
)
def test_a_text_with_many_dots_is_no_key(tmp_path: Path, around: str) -> None:
    write_project(tmp_path, around.format(".".join("a" * 40)) + FIXTURE)
    [error] = errors_of(tmp_path)
    assert error.message.startswith("Unknown key 'x'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{0} = 0", "Unknown key"),
        ("{0}{1}= 0", "Unknown key"),
        ("x = '{0}'", "Unknown key 'x'"),
        ('x = "{2}', "Invalid TOML"),
        ('x = """{2}', "Invalid TOML"),
        ("x = {3}", "Nesting too deep"),
        ("x = {3}{4}", "Nesting too deep"),
        ("{5}", "Invalid TOML"),
    ],
    ids=[
        "key",
        "key and spaces",
        "text",
        "open",
        "open lines",
        "arrays",
        "closed arrays",
        "quotes",
    ],
)
def test_a_long_text_is_read_in_linear_time(tmp_path: Path, text: str, message: str) -> None:
    """Reading one in quadratic time would take minutes."""
    half = 200_000
    long = text.format("a" * half, " " * half, r"\"" * half, "[" * half, "]" * half, "'" * half)
    write_project(tmp_path, f"{long}\n{FIXTURE}")
    [error] = errors_of(tmp_path)
    assert error.message.startswith(message)


def test_a_file_without_measure_is_not_read(tmp_path: Path) -> None:
    (write_project(tmp_path) / FIXTURE_PATH).write_text("#" * 2**21)
    [error] = errors_of(tmp_path)
    assert "larger than" in error.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (write_project(tmp_path) / FIXTURE_PATH).chmod(0)
    [error] = errors_of(tmp_path)
    assert "permission denied" in error.message


@pytest.mark.parametrize("emptied", ["no folder", "an empty folder", "a file"])
def test_a_project_without_fixtures(tmp_path: Path, emptied: str) -> None:
    (write_project(tmp_path) / FIXTURE_PATH).unlink()
    if emptied != "an empty folder":
        (tmp_path / "configs/fixtures").rmdir()
    if emptied == "a file":
        (tmp_path / "configs/fixtures").write_text("")
    [error] = errors_of(tmp_path)
    assert (error.where, error.message) == (
        "configs/fixtures",
        "The project has no fixtures.",
    )


def test_files_that_are_no_configs_are_left_alone(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "configs/fixtures/.#net.toml").symlink_to("someone@host")
    (tmp_path / "configs/fixtures/README.md").write_text("notes")
    assert list(load_project(tmp_path).fixtures) == ["net"]


@pytest.mark.parametrize("name", ["Net", "-net", "net net", "n" * 65, "n\ne"])
def test_a_fixture_whose_name_cannot_be_a_folder(tmp_path: Path, name: str) -> None:
    write_project(tmp_path)
    (tmp_path / FIXTURE_PATH).rename(tmp_path / f"configs/fixtures/{name}.toml")
    [error] = errors_of(tmp_path)
    assert "Invalid fixture name" in error.message
    assert error.where.isprintable()


def test_the_name_of_the_alias_is_taken(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / FIXTURE_PATH).rename(tmp_path / "configs/fixtures/model.toml")
    [error] = errors_of(tmp_path)
    assert error.where == "configs/fixtures/model.toml"
    assert "model.xml" in error.message


def test_a_good_project_imports_nothing_that_only_a_broken_one_needs(tmp_path: Path) -> None:
    write_project(tmp_path)
    program = (
        "import sys; from pathlib import Path; before = set(sys.modules); "
        "from pipeline.config.load_project import load_project; load_project(Path(sys.argv[1])); "
        "new = {name.partition('.')[0] for name in sys.modules.keys() - before "
        "if sys.modules[name]}; "
        "foreign = new - sys.stdlib_module_names; "
        "late = {'difflib', 'pipeline.config.toml_lines', 'pipeline.config.schema_check'}; "
        "print(*sorted(foreign), *(late & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # msgspec brings typing_extensions along where it is installed.
    assert set(done.stdout.split()) - {"typing_extensions"} == {"msgspec", "pipeline"}
