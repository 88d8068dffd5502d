"""The guest ``classify``: what it hands to a host, prints, writes and refuses."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy
import pytest
from numpy.typing import NDArray

from tests.guest.running import GOOD, SCORES, Run, refusal
from tests.guest.scripted_host import ScriptedHost, Tensor


def test_the_host_is_given_just_what_the_files_hold(run: Run) -> None:
    host = ScriptedHost(outputs=[SCORES])
    assert run(host).exit_code == 0
    assert host.builders == [b"<net/>", b"weights"]
    assert host.encoding == 0
    assert host.inputs == [Tensor(0, (1, 2), 1, struct.pack("<2f", 1, 2))]
    assert host.calls == ["load", "init_execution_context", "set_input", "compute", "get_output"]


def test_the_largest_values_are_printed_and_all_bytes_written(run: Run, folder: Path) -> None:
    ended = run(ScriptedHost(outputs=[SCORES]))
    assert ended.stdout == "cat output 0 f32 1x3\n  1 0.625\n  0 0.25\n  2 0.125\n"
    assert ended.stderr == ""
    assert (folder / "out" / "cat.prob.raw").read_bytes() == SCORES
    assert len(list((folder / "out").iterdir())) == 1


def test_without_out_it_only_prints(run: Run, folder: Path) -> None:
    (folder / "out").rmdir()
    ended = run(ScriptedHost(outputs=[SCORES]))
    assert ended.exit_code == 0
    assert "  1 0.625\n" in ended.stdout


def test_an_output_that_cannot_be_written_is_an_error(run: Run, folder: Path) -> None:
    (folder / "out" / "cat.prob.raw").mkdir()
    ended = run(ScriptedHost(outputs=[SCORES]))
    assert refusal(ended).startswith("out/cat.prob.raw: cannot be written: ")


def test_a_graph_by_name_needs_no_files(run: Run) -> None:
    host = ScriptedHost(outputs=[SCORES])
    ended = run(host, "--graph", "squeeze net", text=GOOD.replace("file m.xml\nfile m.bin\n", ""))
    assert ended.exit_code == 0, ended.stderr
    assert host.name == "squeeze net"
    assert host.calls[0] == "load_by_name"


def test_a_file_larger_than_one_host_call_may_move_is_read_whole(run: Run, folder: Path) -> None:
    size = 140 * 2**20
    with (folder / "fixture" / "m.bin").open("wb") as file:
        file.truncate(size)
        file.seek(size - 3)
        file.write(b"end")
    host = ScriptedHost(outputs=[SCORES])
    ended = run(host)
    assert ended.exit_code == 0, ended.stderr
    assert len(host.builders[1]) == size
    assert host.builders[1].endswith(b"\0end")


TWO_CASES = GOOD + "case dog\ninput 0 cat.raw f32 2x1\noutput 0 dog.raw f32 3\n"


@pytest.mark.parametrize(
    ("args", "cases"),
    [((), ["cat", "dog"]), (("dog",), ["dog"]), (("dog", "cat"), ["dog", "cat"])],
)
def test_only_the_named_cases_are_inferred(
    run: Run, args: tuple[str, ...], cases: list[str]
) -> None:
    host = ScriptedHost(outputs=[SCORES])
    ended = run(host, *args, text=TWO_CASES)
    assert [line.split()[0] for line in ended.stdout.splitlines() if "output" in line] == cases
    assert host.calls.count("load") == 1
    assert host.calls.count("init_execution_context") == len(cases)


def test_an_unknown_case_is_told_before_the_graph_is_loaded(run: Run) -> None:
    host = ScriptedHost(outputs=[SCORES])
    line = refusal(run(host, "cat", "fox", text=TWO_CASES))
    assert line == "fixture/fixture.txt: there is no case 'fox' but cat dog"
    assert host.calls == []


@pytest.mark.parametrize("args", [("--graph",), ("--help",), ("--graph", "a", "-x")])
def test_an_option_that_is_none_shows_the_usage(run: Run, args: tuple[str, ...]) -> None:
    assert refusal(run(ScriptedHost(), *args)).endswith("usage: classify [--graph NAME] [CASE...]")


def test_several_inputs_and_outputs_of_each_type(run: Run, folder: Path) -> None:
    types = {"f16": 2, "f32": 4, "f64": 8, "u8": 1, "i32": 4, "i64": 8}
    lines = ["encoding onnx", "file m.xml", "case c"]
    for index, (name, size) in enumerate(types.items()):
        (folder / "fixture" / f"{name}.in").write_bytes(bytes(range(3 * size)))
        lines.append(f"input {index} {name}.in {name} 3x1")
    for index, name in enumerate(types):
        lines.append(f"output {index} {name}.out {name} 2")
    outputs = [bytes(range(2 * size)) for size in types.values()]
    host = ScriptedHost(outputs=outputs)
    ended = run(host, text="\r\n".join(lines))
    assert ended.exit_code == 0, ended.stderr
    assert host.encoding == 1
    assert host.inputs == [
        Tensor(index, (3, 1), index, bytes(range(3 * size)))
        for index, size in enumerate(types.values())
    ]
    for name, data in zip(types, outputs, strict=True):
        assert (folder / "out" / f"{name}.out").read_bytes() == data


def test_tensors_without_elements_are_passed(run: Run, folder: Path) -> None:
    (folder / "fixture/cat.raw").write_bytes(b"")
    host = ScriptedHost(outputs=[b""])
    ended = run(host, text=GOOD.replace("1x2", "1x0x2").replace("1x3", "0x3"))
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert host.inputs == [Tensor(0, (1, 0, 2), 1, b"")]
    assert ended.stdout == "cat output 0 f32 0x3\n"
    assert (folder / "out/cat.prob.raw").read_bytes() == b""


VALUES: dict[str, tuple[type, list[float]]] = {
    "f16": (numpy.float16, [6e-8, 65504, -1.5, 0.1, 0, 1]),
    "f32": (numpy.float32, [1e-40, 3e38, -1.5, 0.1, 0, 1]),
    "f64": (numpy.float64, [1e-300, 1e300, -1.5, 0.1, 0, 1]),
    "u8": (numpy.uint8, [0, 255, 7, 128, 127, 1]),
    "i32": (numpy.int32, [-(2**31), 2**31 - 1, -7, 128, 0, 1]),
    "i64": (numpy.int64, [-(2**63), 2**62, -7, 2**40, 0, 1]),
}


def shown(run: Run, type_: str, data: bytes, count: int) -> list[str]:
    text = f"encoding openvino\nfile m.xml\ncase c\ninput 0 cat.raw f32 2\noutput 0 o {type_} "
    ended = run(ScriptedHost(outputs=[data]), text=text + f"{count}\n")
    assert ended.exit_code == 0, ended.stderr
    return ended.stdout.splitlines()[1:]


@pytest.mark.parametrize("type_", VALUES)
def test_the_top_five_are_right_in_each_type(run: Run, type_: str) -> None:
    kind, values = VALUES[type_]
    array: NDArray[Any] = numpy.array(values, kind)
    order = sorted(range(len(values)), key=lambda index: -float(array[index]))[:5]
    assert shown(run, type_, array.tobytes(), len(values)) == [
        f"  {index} {float(array[index]):.6g}" for index in order
    ]


@pytest.mark.parametrize("kind", [numpy.float16, numpy.float32, numpy.float64])
def test_what_is_no_number_comes_last(run: Run, kind: type) -> None:
    values = [numpy.nan, -numpy.inf, -numpy.nan, 3, numpy.inf, numpy.nan]
    name = f"f{numpy.dtype(kind).itemsize * 8}"
    assert shown(run, name, numpy.array(values, kind).tobytes(), 6) == [
        "  4 inf",
        "  3 3",
        "  1 -inf",
        "  0 nan",
        "  2 nan",
    ]


def test_of_equal_values_the_first_comes_first(run: Run) -> None:
    lines = shown(run, "u8", bytes([5, 9, 5, 9, 5, 5, 5]), 7)
    assert [line.split()[0] for line in lines] == ["1", "3", "0", "2", "4"]


ERRNOS = {
    1: "invalid_argument",
    2: "invalid_encoding",
    3: "missing_memory",
    4: "busy",
    5: "runtime_error",
    6: "unsupported_operation",
    7: "too_large",
    8: "not_found",
    99: "an unknown errno",
}


@pytest.mark.parametrize("number", ERRNOS)
def test_each_errno_has_its_name(run: Run, number: int) -> None:
    line = refusal(run(ScriptedHost(errnos={"compute": number})))
    assert line == f"cat: compute of the case: errno {number}, {ERRNOS[number]}"


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("load", "m.xml: load openvino"),
        ("init_execution_context", "cat: init_execution_context"),
        ("set_input", "cat: set_input 0 (cat.raw)"),
        ("get_output", "cat: get_output 0 (cat.prob.raw)"),
    ],
)
def test_a_refused_call_is_told_with_its_file_and_index(
    run: Run, folder: Path, function: str, told: str
) -> None:
    ended = run(ScriptedHost(outputs=[SCORES], errnos={function: 1}))
    assert refusal(ended).startswith(told)
    assert refusal(ended).endswith("errno 1, invalid_argument")
    assert list((folder / "out").iterdir()) == []


def test_a_refused_name_is_told(run: Run) -> None:
    ended = run(ScriptedHost(errnos={"load_by_name": 8}), "--graph", "nix")
    assert refusal(ended) == "--graph: load_by_name nix: errno 8, not_found"


def test_a_host_that_leaves_bytes_written_untouched_is_good(run: Run, folder: Path) -> None:
    assert run(ScriptedHost(outputs=[SCORES], written=-1)).exit_code == 0
    assert (folder / "out" / "cat.prob.raw").read_bytes() == SCORES


@pytest.mark.parametrize("written", [0, 8, 16, 2**32 - 1])
def test_a_host_that_wrote_another_size_is_an_error(run: Run, folder: Path, written: int) -> None:
    line = refusal(run(ScriptedHost(outputs=[SCORES], written=written)))
    assert line.endswith(f"the host wrote {written} bytes, not 12")
    assert list((folder / "out").iterdir()) == []


def test_a_tensor_of_another_size_is_refused_with_both_numbers(run: Run, folder: Path) -> None:
    (folder / "fixture" / "cat.raw").write_bytes(b"1234567")
    host = ScriptedHost(outputs=[SCORES])
    line = refusal(run(host))
    assert line == "fixture/cat.raw: has 7 bytes, where its dims and type make 8"
    assert "set_input" not in host.calls


@pytest.mark.parametrize("name", ["m.bin", "cat.raw"])
def test_a_missing_file_is_told(run: Run, folder: Path, name: str) -> None:
    (folder / "fixture" / name).unlink()
    assert refusal(run(ScriptedHost())).startswith(f"fixture/{name}: cannot be opened: No such")


def test_a_folder_in_place_of_a_file_is_told(run: Run, folder: Path) -> None:
    (folder / "fixture" / "m.bin").unlink()
    (folder / "fixture" / "m.bin").mkdir()
    assert refusal(run(ScriptedHost())) == "fixture/m.bin: is not a file"


def test_without_a_fixture_it_says_what_to_map(run: Run, folder: Path) -> None:
    (folder / "fixture").rename(folder / "elsewhere")
    assert "map a fixture's folder as 'fixture'" in refusal(run(ScriptedHost()))
