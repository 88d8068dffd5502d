"""Guests are compiled to the same bytes everywhere, and told in the user's own file names."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.errors import Code, PipelineError
from tests.guest.compiling import Built, classify_files, compile_classify, compile_files
from tests.tiny import BUILTIN, ROOT

MAIN = "int main(void) { return 0; }\n"


def written(folder: Path, files: dict[str, str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return [folder / name for name in files]


def refused(
    tmp_path: Path, toolchains: Path, files: dict[str, str], seconds: float = 300
) -> PipelineError:
    paths = written(tmp_path / "src", files)
    sources = [path for path in paths if path.suffix == ".c"]
    headers = [path for path in paths if path.suffix == ".h"]
    into = tmp_path / "built"
    with pytest.raises(PipelineError) as caught:
        compile_files(sources, headers, into=into, toolchains=toolchains, seconds=seconds)
    assert [path.name for path in into.iterdir()] == ["scratch"]
    return caught.value


def test_classify_imports_the_functions_it_uses_and_wasi_alone(classify: Built) -> None:
    modules = {name.partition(".")[0] for name in classify.imports}
    assert modules == {"wasi_ephemeral_nn", "wasi_snapshot_preview1"}
    assert [name for name in classify.imports if name.startswith("wasi_ephemeral_nn.")] == [
        "wasi_ephemeral_nn.compute",
        "wasi_ephemeral_nn.get_output",
        "wasi_ephemeral_nn.init_execution_context",
        "wasi_ephemeral_nn.load",
        "wasi_ephemeral_nn.load_by_name",
        "wasi_ephemeral_nn.set_input",
    ]
    assert list(classify.imports) == sorted(classify.imports)


def test_another_folder_gives_the_same_bytes(
    classify: Built, tmp_path: Path, toolchains: Path
) -> None:
    other = tmp_path / "ein anderer" / "Ort"
    shutil.copytree(BUILTIN / "guests", other / "guests")
    twin = compile_classify(tmp_path / "twin", toolchains, root=other)
    assert twin.wasm.read_bytes() == classify.wasm.read_bytes()
    for place in (str(other), str(ROOT), str(tmp_path), "guests/classify"):
        assert place.encode() not in twin.wasm.read_bytes()


def test_settings_of_zig_in_the_environment_have_no_part_in_it(
    classify: Built, tmp_path: Path, toolchains: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With it, zig would take its C library from there.
    monkeypatch.setenv("ZIG_LIB_DIR", str(tmp_path / "another"))
    twin = compile_classify(tmp_path / "twin", toolchains)
    assert twin.wasm.read_bytes() == classify.wasm.read_bytes()


def test_classify_compiles_without_a_warning(tmp_path: Path, toolchains: Path) -> None:
    sources, _ = classify_files()
    flags = ("-std=c11", "-O2", "-s", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ziglang", "cc", "--target=wasm32-wasi", *flags),
            *(*map(str, sources), "-o", str(tmp_path / "strict.wasm")),
        ],
        env={
            **os.environ,
            "ZIG_GLOBAL_CACHE_DIR": str(toolchains / "zig"),
            "ZIG_LOCAL_CACHE_DIR": str(tmp_path / "zig"),
        },
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_names_that_look_like_options_or_hold_spaces_are_names(
    tmp_path: Path, toolchains: Path
) -> None:
    paths = written(
        tmp_path / "src", {"-o.c": MAIN, "a b.c": "int other(void) { return 1; }\n", "ü.h": "\n"}
    )
    built = compile_files(paths[:2], paths[2:], into=tmp_path / "built", toolchains=toolchains)
    assert built.wasm.read_bytes().startswith(b"\0asm")


def test_an_error_is_told_at_its_line_of_the_users_file(tmp_path: Path, toolchains: Path) -> None:
    files = {"good.c": "void f(void);\n", "my main.c": "int main(void)\n{\n    return 0\n}\n"}
    error = refused(tmp_path, toolchains, files)
    assert error.code is Code.GUEST_BUILD
    assert error.where == f"{tmp_path / 'src' / 'my main.c'}:3:13"
    assert error.found == "expected ';' after return statement"
    assert "    3 |     return 0" in error.detail
    assert "scratch" not in error.render()


def test_an_error_in_a_header_is_told_there(tmp_path: Path, toolchains: Path) -> None:
    files = {"main.c": '#include "shapes.h"\n' + MAIN, "shapes.h": "\n#error no shapes\n"}
    error = refused(tmp_path, toolchains, files)
    assert error.where == f"{tmp_path / 'src' / 'shapes.h'}:2:2"
    assert error.found == "no shapes"


def test_a_header_that_is_not_listed_is_told_with_what_to_do(
    tmp_path: Path, toolchains: Path
) -> None:
    error = refused(tmp_path, toolchains, {"main.c": '#include "shapes.h"\n' + MAIN})
    assert error.where == f"{tmp_path / 'src' / 'main.c'}:1:10"
    assert error.found == "'shapes.h' file not found"
    assert "List every included file" in error.hint


def test_an_error_of_the_linker_is_told_with_the_source(tmp_path: Path, toolchains: Path) -> None:
    files = {
        "other.c": "void g(void) {}\n",
        "main.c": "int f(void);\nint main(void) { return f(); }",
    }
    error = refused(tmp_path, toolchains, files)
    assert error.where == str(tmp_path / "src" / "main.c")
    assert error.found == "undefined symbol: f"


def test_endless_errors_are_bounded(tmp_path: Path, toolchains: Path) -> None:
    line = "int main(void) { return x" + " + x" * 100_000 + "; }\n"
    error = refused(tmp_path, toolchains, {"main.c": line + "nonsense;\n" * 1000})
    assert error.where == f"{tmp_path / 'src' / 'main.c'}:1:25"
    assert len(error.detail) <= 20 * 201
    assert len(error.render()) <= 6000


def test_a_compiler_that_does_not_end_is_ended_with_its_children(
    tmp_path: Path, toolchains: Path, classify: Built
) -> None:
    twice = '#if __INCLUDE_LEVEL__ < 60\n#include "twice.h"\n#include "twice.h"\n#endif\n'
    files = {"main.c": '#include "twice.h"\n' + MAIN, "twice.h": twice}
    error = refused(tmp_path, toolchains, files, seconds=3)
    assert error.code is Code.TIME_LIMIT
    assert error.where == "guest.wasm"
    assert error.expected == "at most 3 s"
    scratch = str(tmp_path / "built" / "scratch")
    left = [process for process in psutil.process_iter() if scratch in working_folder(process)]
    _, alive = psutil.wait_procs(left, timeout=10)
    assert alive == []
    # A compiler that was killed leaves a cache that the next one can use.
    again = compile_classify(tmp_path / "again", toolchains)
    assert again.wasm.read_bytes() == classify.wasm.read_bytes()


def working_folder(process: psutil.Process) -> str:
    try:
        return str(process.cwd())
    except psutil.Error:
        return ""


def test_a_foreign_import_is_refused_after_the_build(tmp_path: Path, toolchains: Path) -> None:
    launch = '__attribute__((import_module("env"), import_name("launch"))) int launch(void);\n'
    error = refused(tmp_path, toolchains, {"main.c": launch + "int main(void){return launch();}"})
    assert error.code is Code.GUEST_IMPORTS
    assert error.found == "env.launch"


def test_two_files_of_one_name_are_refused(tmp_path: Path, toolchains: Path) -> None:
    sources = [
        *written(tmp_path / "a", {"main.c": MAIN}),
        *written(tmp_path / "b", {"main.c": MAIN}),
    ]
    with pytest.raises(PipelineError) as caught:
        compile_files(sources, (), into=tmp_path / "built", toolchains=toolchains)
    assert caught.value.code is Code.GUEST_BUILD
    assert (caught.value.where, caught.value.found) == (str(sources[1]), str(sources[0]))


def test_without_ziglang_it_says_what_to_install(
    tmp_path: Path, toolchains: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ziglang" else found(name)
    )
    error = refused(tmp_path, toolchains, {"main.c": MAIN})
    assert error.code is Code.TOOLCHAIN
    assert error.hint == "Install it: pip install ziglang"
