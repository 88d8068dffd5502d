"""OpenVINO's C API as the host binds it, compared with its Python API."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.host.graph_registry import NamedGraph
from pipeline.host.openvino_c.library import LEAST, CallFailed, LibraryMissing, library, version
from pipeline.host.openvino_c.runtime import ELEMENTS, Core
from tests.host.conftest import Ir
from tests.host.script import Script, write_guest


def test_the_library_is_that_of_the_package() -> None:
    import openvino

    assert openvino.get_version() == version(library())


@pytest.mark.parametrize("name", ["add", "subtract", "types", "dynamic", "scalar"])
def test_ports_are_those_of_the_python_api(models: dict[str, Ir], name: str) -> None:
    import openvino

    core = Core()
    folder = models[name].folder
    mine = core.compile(core.read_file(folder / "model.xml", folder / "model.bin"), "CPU", {})
    theirs = openvino.Core().compile_model(folder / "model.xml", "CPU")
    for side in ("input", "output"):
        assert [(port.name, port.element, port.dims) for port in mine.ports(side)] == [
            (
                min(port.names),
                port.element_type.get_type_name(),
                tuple((dim.get_min_length(), dim.get_max_length()) for dim in port.partial_shape),
            )
            for port in getattr(theirs, f"{side}s")
        ]


def test_element_types_have_the_numbers_of_the_installed_header() -> None:
    import re
    from importlib.util import find_spec

    spec = find_spec("openvino")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0])
    header = (folder / "include/openvino/c/ov_common.h").read_text()
    [body] = re.findall(r"typedef enum \{([^}]*)\} ov_element_type_e;", header)
    documented = re.findall(r"//!< (\w+) element type", body)
    names = ["u1" if name == "binary" else name.lower() for name in documented]
    assert tuple(names) == ELEMENTS


def library_in(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Put a library of its own source in place of OpenVINO's."""
    (folder / "openvino/libs").mkdir(parents=True)
    (folder / "openvino/__init__.py").touch()
    (folder / "lib.c").write_text(source)
    library = folder / "openvino/libs/libopenvino_c.so.9999"
    compiler = [sys.executable, "-m", "ziglang", "cc", "-shared", "-o", str(library)]
    subprocess.run([*compiler, str(folder / "lib.c")], check=True)
    monkeypatch.syspath_prepend(str(folder))


def missing(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delitem(sys.modules, "openvino", raising=False)
    library.cache_clear()
    try:
        with pytest.raises(LibraryMissing) as caught:
            library()
    finally:
        library.cache_clear()
    return str(caught.value)


def test_a_version_without_a_function_names_both_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.metadata import version as version_of

    library_in(tmp_path, monkeypatch, "int ov_core_create(void **core) { return 0; }")
    found = missing(monkeypatch)
    assert f"OpenVINO {version_of('openvino')} has no function ov_" in found
    assert f"needs OpenVINO {LEAST} or later" in found


def test_a_package_without_the_library_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: dict[str, Ir]
) -> None:
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino/__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "has no C library" in missing(monkeypatch)
    script = Script()
    script.call("load_by_name", script.put(b"add"), 3, script.room())
    library.cache_clear()
    try:
        ran = script.run(tmp_path, graphs=[NamedGraph("add", models["add"].folder)])
    finally:
        library.cache_clear()
    assert ran.errnos == [2]
    assert f"pip install 'openvino>={LEAST}'" in ran.messages


def test_errors_are_openvinos_own_words() -> None:
    core = Core()
    with pytest.raises(CallFailed, match="Unable to read the model"):
        core.read_memory(b'<?xml version="1.0"?><net name="n" version="1"/>', bytearray())
    with pytest.raises(CallFailed, match=r"(?i)invalid"):
        core.library["ov_core_get_available_devices"](None, None)


def test_weights_live_as_long_as_what_was_compiled_of_them(models: dict[str, Ir]) -> None:
    """The library uses them in place, so nothing of them may be freed or moved."""
    core, ir = Core(), models["add"]
    weights = bytearray(ir.bin)
    compiled = core.compile(core.read_memory(ir.xml, weights), "CPU", {})
    # While they are used, Python refuses to change their size.
    with pytest.raises(BufferError):
        weights.append(0)
    request = compiled.request()
    del compiled
    with pytest.raises(BufferError):
        weights.append(0)
    tensor = request.new_tensor("f32", [1, 4])
    request.set("input", 0, tensor)
    request.run()
    assert request.output(0).data.cast("f").tolist() == [0, 10, 20, 30]
    del request
    weights.append(0)


def test_a_guest_runs_without_numpy_and_the_python_api(
    tmp_path: Path, models: dict[str, Ir]
) -> None:
    script = Script()
    script.ready(models["add"].xml, models["add"].bin)
    script.call("load_by_name", script.put(b"add"), 3, script.room())
    script.call("set_input", 0, 0, script.tensor(1, [1, 4], bytes(16)))
    script.call("compute", 0)
    script.call("get_output", 0, 0, script.room(16), 16, script.room())
    wasm = write_guest(tmp_path, script.wat())
    graph = f"add=openvino::{models['add'].folder}"
    program = (
        "import sys\nfrom pipeline.cli.main import main\n"
        f"code = main(['run', '--graph', {graph!r}, {str(wasm)!r}])\n"
        "loaded = {'numpy', 'openvino', 'asyncio', 'importlib.metadata'} & set(sys.modules)\n"
        "print(code, sorted(loaded), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, cwd=tmp_path
    )
    assert done.stderr.decode().splitlines() == ["0 []"]


def test_devices_are_listed_only_if_one_is_asked_for(
    tmp_path: Path, models: dict[str, Ir], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listing them loads what OpenVINO has for each kind of device."""
    listed: list[Core] = []
    real = Core.devices

    def devices(core: Core) -> tuple[str, ...]:
        listed.append(core)
        return real(core)

    monkeypatch.setattr(Core, "devices", devices)
    script = Script()
    script.ready(models["add"].xml, models["add"].bin)
    script.call("load_by_name", script.put(b"add"), 3, script.room())
    graph = NamedGraph("add", models["add"].folder)
    assert script.run(tmp_path, graphs=[graph]).errnos == [0, 0, 0]
    assert listed == []
    script.call("load", script.builders(b"", b""), 2, 0, 1, script.room())
    assert script.run(tmp_path, graphs=[graph]).errnos == [0, 0, 0, 1]
    assert listed


def test_several_threads_get_their_own_failures_told(models: dict[str, Ir]) -> None:
    """Their texts may be exchanged, but each call that fails raises, and no other."""
    from concurrent.futures import ThreadPoolExecutor

    core, ir = Core(), models["add"]

    def read(number: int) -> Any:
        try:
            return core.read_memory(ir.xml if number % 2 else b"<net/>", bytearray(ir.bin))
        except CallFailed:
            return None

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, range(64)))
    assert [each is None for each in found] == [number % 2 == 0 for number in range(64)]
