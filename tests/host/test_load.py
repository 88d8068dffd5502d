"""What the embedded host does when a graph is loaded, beyond the conformance cases."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from pipeline.host.graph_registry import NamedGraph
from tests.host.conftest import Ir
from tests.host.script import END, FILL, Script

UNTOUCHED = bytes([FILL]) * 4
Models = dict[str, Ir]


def test_handles_count_up_from_zero(models: Models, tmp_path: Path) -> None:
    script = Script()
    outs = [script.room() for _ in range(12)]
    for out in outs:
        script.load(models["add"].xml, models["add"].bin, out)
    ran = script.run(tmp_path)
    assert ran.errnos == [0] * 12
    assert [ran.u32(out) for out in outs] == list(range(12))


@pytest.mark.parametrize("out", [END, END - 3, -1, -4])
def test_an_out_pointer_out_of_bounds_is_refused_before_work(
    models: Models, tmp_path: Path, out: int
) -> None:
    script = Script()
    script.load(models["add"].xml, models["add"].bin, out)
    good = script.room()
    script.load(models["add"].xml, models["add"].bin, good)
    ran = script.run(tmp_path)
    assert ran.errnos == [1, 0]
    assert ran.u32(good) == 0
    assert "outside the guest's memory" in ran.messages


def test_misaligned_pointers_are_accepted(models: Models, tmp_path: Path) -> None:
    script = Script()
    parts = (models["add"].xml, models["add"].bin)
    spans = b"".join(struct.pack("<II", script.put(b"?" + part) + 1, len(part)) for part in parts)
    out = script.room(9) + 3
    script.call("load", script.put(b"?" + spans) + 1, 2, 0, 0, out)
    ran = script.run(tmp_path)
    assert ran.errnos == [0]
    assert ran.u32(out) == 0


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_openvino_needs_two_builders(models: Models, tmp_path: Path, count: int) -> None:
    script = Script()
    array = script.builders(*[models["add"].xml, models["add"].bin, b"", b""])
    script.call("load", array, count, 0, 0, script.room())
    ran = script.run(tmp_path)
    assert ran.errnos == [1]
    assert f"got {count}" in ran.messages


def test_a_path_in_place_of_a_model_gives_5_and_no_handle(models: Models, tmp_path: Path) -> None:
    xml, weights = models["add"].xml, models["add"].bin
    script = Script()
    out, next_out = script.room(), script.room()
    script.load(str(models["add"].folder / "model.xml").encode(), weights, out)
    script.load(xml, weights, next_out)
    ran = script.run(tmp_path)
    assert ran.errnos == [5, 0]
    assert ran.bytes_at(out, 4) == UNTOUCHED
    assert ran.u32(next_out) == 0


@pytest.mark.parametrize(
    ("encoding", "said"),
    [(3, "torch"), (6, "ggml"), (7, "no encoding"), (42, "no encoding"), (-1, "no encoding")],
)
def test_an_encoding_without_a_backend_gives_2_and_what_to_do(
    models: Models, tmp_path: Path, encoding: int, said: str
) -> None:
    script = Script()
    out = script.room()
    script.call("load", script.builders(b"bytes"), 1, encoding, 0, out)
    ran = script.run(tmp_path)
    assert ran.errnos == [2]
    assert said in ran.messages
    assert ran.bytes_at(out, 4) == UNTOUCHED


@pytest.mark.parametrize(("numbers", "errno"), [("wasmedge", 0), ("wit", 2)])
def test_autodetect_is_5_or_6(models: Models, tmp_path: Path, numbers: str, errno: int) -> None:
    script = Script()
    script.call("load", script.builders(models["add"].xml, models["add"].bin), 2, 5, 0, 0)
    assert script.run(tmp_path, encoding_numbers=numbers).errnos == [errno]


@pytest.mark.parametrize(("target", "errno"), [(0, 0), (2, 1), (3, 0), (4, 1), (-1, 1)])
def test_targets(models: Models, tmp_path: Path, target: int, errno: int) -> None:
    script = Script()
    array = script.builders(models["add"].xml, models["add"].bin)
    script.call("load", array, 2, 0, target, script.room())
    ran = script.run(tmp_path)
    assert ran.errnos == [errno]
    assert ("0 cpu on CPU" in ran.messages) == (errno == 1)


def test_a_named_graph_is_compiled_once(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.host.openvino_c.runtime import Core

    compiled: list[object] = []
    real = Core.compile

    def compile_model(core: Core, *arguments: Any) -> Any:
        compiled.append(arguments)
        return real(core, *arguments)

    monkeypatch.setattr(Core, "compile", compile_model)
    script = Script()
    name = script.put(b"add")
    for _ in range(3):
        script.call("load_by_name", name, 3, script.room())
    assert script.run(tmp_path, graphs=[NamedGraph("add", models["add"].folder)]).errnos == [0] * 3
    assert len(compiled) == 1


def test_a_graph_is_read_when_the_guest_asks_for_it_and_not_before(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.host.backends.openvino import OpenVINO

    read: list[object] = []
    real = OpenVINO.load_files

    def load_files(self: OpenVINO, *arguments: Any) -> Any:
        read.append(arguments)
        return real(self, *arguments)

    monkeypatch.setattr(OpenVINO, "load_files", load_files)
    graphs = [NamedGraph("add", models["add"].folder)]
    assert Script().run(tmp_path, graphs=graphs).errnos == []
    assert read == []
    script = Script()
    script.call("load_by_name", script.put(b"add"), 3, script.room())
    assert script.run(tmp_path, graphs=graphs).errnos == [0]
    assert len(read) == 1


def test_handles_of_one_guest_are_unknown_to_the_next(models: Models, tmp_path: Path) -> None:
    from pipeline.host.host import Host
    from tests.host.script import write_guest

    first, second = Script(), Script()
    first.ready(models["add"].xml, models["add"].bin)
    second.call("compute", 0)
    with Host() as host:
        host.run(write_guest(tmp_path, first.wat()), stdout=tmp_path / "first")
        outcome = host.run(write_guest(tmp_path, second.wat()), stdout=tmp_path / "second")
    assert "does not exist" in outcome.messages[0]


def test_limits_give_7(models: Models, tmp_path: Path) -> None:
    from pipeline.host.session.session import Limits

    size = len(models["add"].xml) + len(models["add"].bin)
    script = Script()
    script.load(models["add"].xml, models["add"].bin, script.room())
    script.load(models["add"].xml, models["add"].bin, script.room())
    script.call("unload", 0)
    script.load(models["add"].xml, models["add"].bin, script.room())
    assert script.run(tmp_path, limits=Limits(graphs=1)).errnos == [0, 7, 0, 0]
    assert script.run(tmp_path, limits=Limits(bytes=size)).errnos == [0, 7, 0, 0]


@pytest.mark.parametrize("size", [0, 8])
def test_a_named_ir_with_too_few_weights_gives_5(models: Models, tmp_path: Path, size: int) -> None:
    folder = tmp_path / "cut"
    folder.mkdir()
    (folder / "model.xml").write_bytes(models["add"].xml)
    (folder / "model.bin").write_bytes(models["add"].bin[:size])
    script = Script()
    script.call("load_by_name", script.put(b"cut"), 3, script.room())
    ran = script.run(tmp_path, graphs=[NamedGraph("cut", folder)])
    assert ran.errnos == [5]
    assert "load_by_name" in ran.messages


def test_the_weights_of_a_named_ir_are_not_read_into_memory(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        assert path.suffix != ".bin", f"{path} was read"
        return real(path)

    script = Script()
    script.call("load_by_name", script.put(b"add"), 3, script.room())
    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert script.run(tmp_path, graphs=[NamedGraph("add", models["add"].folder)]).errnos == [0]


@pytest.mark.parametrize("word", [b"numpy", b"opset1", b"f32", b"Add", b"x"])
def test_a_model_with_what_is_no_text_gives_5(models: Models, tmp_path: Path, word: bytes) -> None:
    xml = models["add"].xml
    spoilt = xml.replace(b'"' + word + b'"', b'"' + word + b'\xc5"')
    assert spoilt != xml
    script = Script()
    script.load(spoilt, models["add"].bin, script.room())
    ran = script.run(tmp_path)
    assert ran.errnos == [5]
    assert "the host failed" not in ran.messages
