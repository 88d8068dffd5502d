"""The guest ``classify`` refuses every malformed fixture.txt, with its line."""

from __future__ import annotations

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.guest.running import GOOD, SCORES, Run, refusal
from tests.guest.scripted_host import ScriptedHost

CASE = "input 0 cat.raw f32 1x2"
MALFORMED = {
    "an unknown word": (GOOD + "colour BGR\n", ":9: a line begins with", "colour"),
    "an unknown encoding": (GOOD.replace("openvino", "ggml"), ":2: the encoding", "ggml"),
    "a second encoding": (GOOD + "encoding onnx\n", ":9: there is an encoding", "onnx"),
    "no encoding": (GOOD.replace("encoding", "#"), "there is no line 'encoding NAME'", ""),
    "no case": ("encoding openvino\n", "there is no line 'case NAME'", ""),
    "an empty file": ("", "there is no line 'encoding NAME'", ""),
    "no file of the graph": (GOOD.replace("file m", "# m"), "there is no line 'file NAME'", ""),
    "a fifth file": (GOOD + "file a\nfile b\nfile c\n", ":11: there are over 4 files", "c"),
    "a case twice": (GOOD + "case cat\n", ":9: there is such a case", "cat"),
    "a case without inputs": (GOOD + "case dog\noutput 0 o f32 1\n", "case dog has no input", ""),
    "a case without outputs": (
        GOOD + "case dog\ninput 0 cat.raw f32 1x2\n",
        "case dog has no output",
        "",
    ),
    "an input before any case": ("input 0 a f32 1\n", ":1: this belongs after a case", "input"),
    "an output before any case": ("output 0 a f32 1\n", ":1: this belongs after a case", "output"),
    "an output's file twice": (
        GOOD + "output 1 cat.prob.raw f32 1\n",
        ":9: another output has this file",
        "cat.prob.raw",
    ),
    "too few words": (GOOD.replace(" f32 1x2", ""), "write 'input INDEX FILE TYPE DIMS'", "cat"),
    "too many words": (GOOD.replace("1x2", "1x2 3"), "write 'input INDEX FILE TYPE DIMS'", "1x2 3"),
    "an unknown type": (GOOD.replace("f32 1x2", "bf16 1x2"), ":7: the element type", "bf16"),
    "an index that skips": (GOOD.replace(CASE, CASE.replace("0", "1")), ":7: the indices", "1"),
    "an index that is none": (GOOD.replace(CASE, CASE.replace("0", "-0")), ":7: the ind", "-0"),
    "a negative dim": (GOOD.replace("1x2", "-1x2"), ":7: this is no dim", "-1"),
    "an empty dim": (GOOD.replace("1x2", "1xx2"), ":7: this is no dim", "''"),
    "a dim left out": (GOOD.replace("1x2", "2x"), ":7: this is no dim", "''"),
    "a hexadecimal dim": (GOOD.replace("1x2", "0xf2"), ":7: this is no dim", "'f2'"),
    "a dim past 2^32": (GOOD.replace("1x2", "4294967298"), ":7: this is no dim", "4294967298"),
    "a dim past 2^64": (GOOD.replace("1x2", "9" * 40), ":7: this is no dim", "999"),
    "a product of 2^32": (GOOD.replace("1x2", "1024x1048576"), ":7: the tensor is larger", ""),
    "a product of 2^64": (GOOD.replace("1x2", "x".join(["65536"] * 4)), ":7: the tensor is l", ""),
    "nine dims": (GOOD.replace("1x2", "x".join("111111112")), ":7: the tensor has over 8", ""),
    "a path": (GOOD.replace("cat.raw", "../cat.raw"), ":7: this is not the name", "../cat.raw"),
    "an absolute path": (GOOD.replace("m.xml", "/m.xml"), ":3: this is not the name", "/m.xml"),
    "a path of Windows": (GOOD.replace("m.xml", "a\\m.xml"), ":3: this is not the name", "m.xml"),
    "the folder itself": (GOOD.replace("m.xml", "."), ":3: this is not the name", "'.'"),
    "the folder above": (GOOD.replace("cat.prob.raw", ".."), ":8: this is not the name", "'..'"),
    "a long name": (GOOD.replace("m.xml", "m" * 256), ":3: this name is too long", "mmm"),
    "a long line": (GOOD + "#" * 1024 + "\n", ":9: the line has over 1023 bytes", ""),
    "65 cases": (
        GOOD + "".join(f"case {n}\n" for n in range(64)),
        ":72: there are over 64 cases",
        "63",
    ),
    "100001 lines": (GOOD + "\n" * 100_000, "has over 100000 lines", ""),
    "a zero byte": (GOOD + "case a\0b\n", ":9: the line has the control character 0x00", ""),
    "a zero byte at the end": (GOOD + "#\0", ":9: the line has the control character 0x00", ""),
    "an escape": (GOOD + "\x1b[31mred\n", ":9: the line has the control character 0x1b", ""),
    "a return within a line": (
        GOOD + "case a\rb\n",
        ":9: the line has the control character 0x0d",
        "",
    ),
}


@pytest.mark.parametrize("how", MALFORMED)
def test_a_malformed_descriptor_is_one_clear_line(run: Run, how: str) -> None:
    text, told, word = MALFORMED[how]
    host = ScriptedHost(outputs=[SCORES])
    line = refusal(run(host, text=text))
    assert line.startswith("fixture/fixture.txt")
    assert told in line
    assert word in line
    assert line.isprintable()
    assert host.calls == []


def test_the_largest_of_everything_is_accepted(run: Run) -> None:
    lines = ["encoding openvino", *(["file m.xml"] * 4)]
    for case in range(64):
        lines.append(f"case {case}")
        lines += [f"input {n} cat.raw f32 {'x'.join('11111112')}" for n in range(32)]
        lines += [f"output {n} {case}-{n} u8 1" for n in range(32)]
    host = ScriptedHost(outputs=[b"1"] * 32)
    ended = run(host, text="\n".join(lines) + "\n" + "#" * 1023)
    assert ended.exit_code == 0, ended.stderr
    assert len(host.inputs) == 64 * 32


WORDS = st.sampled_from(
    [
        *("encoding", "openvino", "file", "case", "input", "output", "#", "0", "1", "f32", "u8"),
        *("1x2", "4294967295", "..", "a", "x", "\n", "\t", "\r", "\0"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(st.binary(max_size=300), st.lists(WORDS).map(" ".join)))
def test_no_descriptor_traps_the_guest(
    module: wasmtime.Module,
    engine: wasmtime.Engine,
    tmp_path_factory: pytest.TempPathFactory,
    text: bytes | str,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-descriptor"
    (folder / "fixture").mkdir(parents=True, exist_ok=True)
    data = text.encode() if isinstance(text, str) else text
    (folder / "fixture" / "fixture.txt").write_bytes(data)
    line = refusal(ScriptedHost().run(module, engine, folder))
    assert line.startswith("fixture/")
