"""The adapter of the core ABI to components, over a host with the canonical ABI's rules."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
import wasmtime

from pipeline.host.abi.enums import FUNCTIONS
from tests.guest.component_host import SIZES, ComponentHost, HostTensor

END = 65536
TENSOR, DIMS, DATA, OUT, BUFFER = 1024, 1100, 2048, 512, 4096
OUTPUT = HostTensor((1, 3), 1, struct.pack("<3f", 0.25, 0.5, 0.25))
EIGHT = struct.pack("<2f", 1, 2)


def put_tensor(
    host: ComponentHost,
    data: bytes = EIGHT,
    dims: tuple[int, ...] = (1, 2),
    kind: int = 1,
    size: int | None = None,
) -> int:
    """Write a tensor record with padding that is not zero; return its address."""
    host.write(DIMS, struct.pack(f"<{len(dims)}I", *dims))
    host.write(DATA, data)
    length = len(data) if size is None else size
    record = struct.pack("<IIB3xII", DIMS, len(dims), kind, DATA, length)
    host.write(TENSOR, record[:9] + b"\xff\xff\xff" + record[12:])
    return TENSOR


def started(host: ComponentHost) -> ComponentHost:
    """Load a named graph and make a context of it: both are number 0."""
    host.write(64, b"net")
    assert host.call("load_by_name", 64, 3, OUT) == 0
    assert host.u32(OUT) == 0
    assert host.call("init_execution_context", 0, OUT) == 0
    assert host.u32(OUT) == 0
    return host


@pytest.fixture
def host() -> ComponentHost:
    return started(ComponentHost(outputs=[OUTPUT]))


def test_a_graph_a_tensor_and_an_output_pass_through(host: ComponentHost) -> None:
    assert host.call("set_input", 0, 0, put_tensor(host)) == 0
    # Changed after set_input, without effect.
    host.write(DATA, bytes(8))
    host.write(DIMS, bytes(8))
    assert host.call("compute", 0) == 0
    assert host.computed == [{"0": HostTensor((1, 2), 1, EIGHT)}]
    host.write(BUFFER, b"\x77" * 16)
    assert host.call("get_output", 0, 0, BUFFER, 16, OUT) == 0
    assert host.u32(OUT) == 12
    assert host.read(BUFFER, 16) == OUTPUT.data + b"\x77" * 4


def test_inputs_are_kept_between_computations_and_replaced_one_by_one(host: ComponentHost) -> None:
    big = bytes(range(256)) * 1024
    for index, data, dims in (
        (0, EIGHT, (2,)),
        (4294967295, big, (65536,)),
        (10, EIGHT[:4], (1, 1, 1)),
        (0, big, (1, 65536)),
    ):
        assert host.memory.data_len(host.store) > DATA + len(data) or host.memory.grow(
            host.store, 9
        )
        assert host.call("set_input", 0, index, put_tensor(host, data, dims)) == 0
    expected = {
        "0": HostTensor((1, 65536), 1, big),
        "10": HostTensor((1, 1, 1), 1, EIGHT[:4]),
        "4294967295": HostTensor((65536,), 1, big),
    }
    assert host.call("compute", 0) == 0
    assert host.call("compute", 0) == 0
    assert host.computed == [expected, expected]
    assert host.call("set_input", 0, 10, put_tensor(host, EIGHT[4:], ())) == 0
    assert host.call("compute", 0) == 0
    assert host.computed[2] == {**expected, "10": HostTensor((), 1, EIGHT[4:])}


def test_memory_is_used_again(host: ComponentHost) -> None:
    data = bytes(range(200)) * 100
    for _ in range(3):
        assert host.call("set_input", 0, 0, put_tensor(host, data, (5000,))) == 0
        assert host.call("compute", 0) == 0
        assert host.call("get_output", 0, 0, BUFFER, 12, OUT) == 0
    settled = host.memory.size(host.store)
    for count in range(300):
        assert host.call("set_input", 0, 0, put_tensor(host, data, (5000,))) == 0
        assert host.call("compute", 0) == 0
        assert host.call("get_output", 0, 0, BUFFER, 12, OUT) == 0
        assert host.call("init_execution_context", 0, OUT) == 0
        made = host.u32(OUT)
        assert made == count + 1
        assert host.call("set_input", made, 3, put_tensor(host)) == 0
        assert host.call("finalize_execution_context", made) == 0
    assert host.memory.size(host.store) == settled
    assert (host.count("tensor"), host.count("context")) == (1, 1)


@pytest.mark.parametrize(
    ("core", "wit"),
    list(enumerate((0, 1, 2, 4, 5, 6))),
    ids=("f16", "f32", "f64", "u8", "i32", "i64"),
)
def test_each_element_type_has_its_number_in_the_wit(
    core: int, wit: int, host: ComponentHost
) -> None:
    data = bytes(3 * SIZES[wit])
    assert host.call("set_input", 0, 0, put_tensor(host, data, (3,), core)) == 0
    assert host.call("set_input", 0, 0, put_tensor(host, data + b"1", (3,), core)) == 1
    assert host.call("compute", 0) == 0
    assert host.computed[0]["0"] == HostTensor((3,), wit, data)


@pytest.mark.parametrize("kind", range(7))
def test_an_output_of_each_type_is_measured_before_it_is_taken(kind: int) -> None:
    output = HostTensor((2, 5), kind, bytes(range(10 * SIZES[kind])))
    host = started(ComponentHost(outputs=[output]))
    assert host.call("compute", 0) == 0
    size = len(output.data)
    host.write(BUFFER, b"\x77" * size)
    for most in (0, size - 1):
        assert host.call("get_output", 0, 0, BUFFER, most, OUT) == 7
        assert host.u32(OUT) == size
    assert host.read(BUFFER, size) == b"\x77" * size
    assert host.call("get_output", 0, 0, BUFFER, size, OUT) == 0
    assert host.read(BUFFER, size) == output.data


def test_data_that_its_dims_do_not_announce_does_not_overrun_the_buffer() -> None:
    host = started(
        ComponentHost(outputs=[HostTensor((1,), 4, b"longer"), HostTensor((0,), 1, b"")])
    )
    assert host.call("compute", 0) == 0
    host.write(BUFFER, b"\x77" * 8)
    assert host.call("get_output", 0, 0, BUFFER, 3, OUT) == 7
    assert host.u32(OUT) == 6
    assert host.read(BUFFER, 8) == b"\x77" * 8
    assert host.call("get_output", 0, 1, BUFFER, 0, OUT) == 0
    assert host.u32(OUT) == 0


def test_graphs_and_contexts_are_numbered_from_0_and_never_used_again(host: ComponentHost) -> None:
    for number in range(1, 40):
        assert host.call("load_by_name", 64, 3, OUT) == 0
        assert host.u32(OUT) == number
        assert host.call("init_execution_context", number, OUT) == 0
        assert host.u32(OUT) == number
    assert host.call("compute", 5) == 0
    assert host.call("unload", 5) == 0
    assert [host.call("unload", 5), host.call("compute", 5)] == [1, 1]
    assert host.call("init_execution_context", 5, OUT) == 1
    assert host.call("finalize_execution_context", 5) == 1
    assert (host.count("graph"), host.count("context"), host.count("tensor")) == (39, 39, 0)
    assert host.call("load_by_name", 64, 3, OUT) == 0
    assert host.u32(OUT) == 40


@pytest.mark.parametrize(("code", "errno"), list(enumerate((1, 2, 4, 5, 6, 7, 8, 5, 5))), ids=str)
@pytest.mark.parametrize("call", ["load", "load_by_name", "init_execution_context", "compute"])
def test_each_error_code_has_its_errno_and_the_error_is_dropped(
    call: str, code: int, errno: int, host: ComponentHost
) -> None:
    host.refuses = {call: code}
    host.write(OUT, b"\x77" * 4)
    arguments = {
        "load": (64, 0, 0, 0, OUT),
        "load_by_name": (64, 3, OUT),
        "init_execution_context": (0, OUT),
        "compute": (0,),
    }[call]
    assert host.call(call, *arguments) == errno
    assert host.read(OUT, 4) == b"\x77" * 4
    assert host.count("error") == 0
    host.refuses = {}
    assert host.call(call, *arguments) == 0


def test_a_code_of_a_later_version_is_a_runtime_error(host: ComponentHost) -> None:
    host.refuses = {"compute": 9}
    assert host.call("compute", 0) == 5


@pytest.mark.parametrize(("core", "wit"), [(0, 0), (4, 4), (5, 6), (6, 5)])
def test_autodetect_and_ggml_are_the_other_way_round_in_the_wit(
    core: int, wit: int, host: ComponentHost
) -> None:
    host.write(64, struct.pack("<IIII", DATA, 3, END, 0))
    host.write(DATA, b"xml")
    assert host.call("load", 64, 2, core, 1, OUT) == 0
    assert host.loaded[-1] == ([b"xml", b""], wit, 1)
    # Misaligned, which components' lists must not be.
    host.write(65, struct.pack("<IIII", DATA, 2, DATA + 1, 2))
    assert host.call("load", 65, 2, core, 2, OUT + 1) == 0
    assert host.loaded[-1] == ([b"xm", b"ml"], wit, 2)
    assert host.u32(OUT + 1) == 2


@pytest.mark.parametrize(
    ("arguments", "errno"),
    [
        ((64, 1, 0, 0, END - 3), 1),
        ((END - 4, 1, 0, 0, OUT), 1),
        ((64, 0x20000000, 0, 0, OUT), 1),
        ((80, 1, 0, 0, OUT), 1),
        ((88, 1, 0, 0, OUT), 1),
        ((64, 1, 7, 0, OUT), 2),
        ((64, 1, -1, 0, OUT), 2),
        ((64, 1, 0, 3, OUT), 1),
    ],
)
def test_load_checks_before_the_host_is_called(
    arguments: tuple[int, ...], errno: int, host: ComponentHost
) -> None:
    end = host.memory.data_len(host.store)
    arguments = tuple(end - (END - each) if END - 8 < each < END else each for each in arguments)
    host.write(64, struct.pack("<II", DATA, 3))
    host.write(80, struct.pack("<IIII", end - 2, 3, 8, 0xFFFFFFFF))
    before = len(host.loaded)
    assert host.call("load", *arguments) == errno
    assert len(host.loaded) == before


NAMES = {
    b"net": 0,
    "größe €😀\0".encode(): 0,
    b"\xf4\x8f\xbf\xbf\xef\xbf\xbf": 0,
    b"": 0,
    b"\x80": 1,
    b"a\xff": 1,
    b"\xc0\xaf": 1,
    b"\xc1\xbf": 1,
    b"\xe0\x9f\xbf": 1,
    b"\xed\xa0\x80": 1,
    b"\xf0\x8f\xbf\xbf": 1,
    b"\xf4\x90\x80\x80": 1,
    b"\xf8\x88\x80\x80\x80": 1,
    b"a\xe2\x82": 1,
    b"\xe2\x82a": 1,
}


@pytest.mark.parametrize(("name", "errno"), list(NAMES.items()))
def test_a_name_must_be_utf_8(name: bytes, errno: int, host: ComponentHost) -> None:
    host.write(64, name + b"\x80\x80\x80")
    assert host.call("load_by_name", 64, len(name), OUT) == errno
    assert (host.loaded[-1] == name.decode(errors="ignore")) is (errno == 0)


def test_load_by_name_checks_its_pointers(host: ComponentHost) -> None:
    end = host.memory.data_len(host.store)
    host.write(end - 3, b"net")
    assert host.call("load_by_name", end - 3, 3, OUT) == 0
    assert host.call("load_by_name", end - 3, 4, OUT) == 1
    assert host.call("load_by_name", 64, -1, OUT) == 1
    assert host.call("load_by_name", 64, 3, end - 3) == 1
    assert host.call("init_execution_context", 0, end - 3) == 1
    assert host.call("init_execution_context", 2, OUT) == 1
    assert host.call("init_execution_context", -1, OUT) == 1


def bad_records(end: int) -> Iterator[bytes]:
    """Yield records of tensors that no host may read."""
    yield struct.pack("<IIB3xII", end - 4, 2, 1, DATA, 8)
    yield struct.pack("<IIB3xII", DIMS, 0x40000000, 1, DATA, 8)
    yield struct.pack("<IIB3xII", DIMS, 0xFFFFFFFF, 1, DATA, 8)
    yield struct.pack("<IIB3xII", DIMS, 2, 1, end - 7, 8)
    yield struct.pack("<IIB3xII", DIMS, 2, 1, 0xFFFFFFFC, 8)
    yield struct.pack("<IIB3xII", DIMS, 2, 6, DATA, 8)
    yield struct.pack("<IIB3xII", DIMS, 2, 255, DATA, 8)
    yield struct.pack("<IIB3xII", DIMS, 2, 1, DATA, 7)
    yield struct.pack("<IIB3xII", DIMS, 2, 1, DATA, 12)


def test_a_refused_input_leaves_the_one_before(host: ComponentHost) -> None:
    assert host.call("set_input", 0, 0, put_tensor(host)) == 0
    end = host.memory.data_len(host.store)
    for record in bad_records(end):
        host.write(TENSOR, record)
        assert host.call("set_input", 0, 0, TENSOR) == 1, record
    for dims in ((65536, 65536), (2**31, 2**31, 4), (3,), (0, 2)):
        assert host.call("set_input", 0, 0, put_tensor(host, EIGHT, dims)) == 1, dims
    assert host.call("set_input", 0, 0, end - 19) == 1
    assert host.call("set_input", 1, 0, put_tensor(host)) == 1
    assert host.call("compute", 0) == 0
    assert host.computed == [{"0": HostTensor((1, 2), 1, EIGHT)}]


def test_outputs_are_those_of_the_inputs(host: ComponentHost) -> None:
    host.write(OUT, b"\x77" * 4)
    assert host.call("get_output", 0, 0, BUFFER, 12, OUT) == 5
    assert host.call("compute", 0) == 0
    assert host.call("set_input", 0, 0, put_tensor(host)) == 0
    assert host.call("get_output", 0, 0, BUFFER, 12, OUT) == 5
    host.refuses = {"compute": 3}
    assert host.call("compute", 0) == 5
    assert host.call("get_output", 0, 0, BUFFER, 12, OUT) == 5
    assert host.read(OUT, 4) == b"\x77" * 4
    assert host.count("tensor") == 0
    host.refuses = {}
    assert host.call("compute", 0) == 0
    end = host.memory.data_len(host.store)
    assert host.call("get_output", 0, 1, BUFFER, 12, OUT) == 1
    assert host.call("get_output", 1, 0, BUFFER, 12, OUT) == 1
    assert host.call("get_output", 0, 0, end - 11, 12, OUT) == 1
    assert host.call("get_output", 0, 0, BUFFER, -1, OUT) == 1
    assert host.call("get_output", 0, 0, BUFFER, 12, end - 3) == 1
    assert host.read(OUT, 4) == b"\x77" * 4
    assert host.call("get_output", 0, 0, end - 12, 12, OUT) == 0


def test_extensions_answer(host: ComponentHost) -> None:
    host.write(128, b"{}  ")
    assert host.call("load_by_name_with_config", 64, 3, 128, 2, OUT) == 0
    assert host.call("load_by_name_with_config", 64, 3, 128, 0, OUT) == 0
    assert host.call("load_by_name_with_config", 64, 3, 128, 4, OUT) == 6
    assert host.call("load_by_name_with_config", 64, 3, 128, -1, OUT) == 1
    assert host.call("compute_single", 0) == 6
    assert host.call("get_output_single", 0, 0, BUFFER, 12, OUT) == 6
    assert host.call("fini_single", 0) == 6


def test_without_memory_for_an_input_the_errno_says_so() -> None:
    assert ComponentHost(pages=(1, 1)).call("load_by_name", 64, 3, OUT) == 3
    host = started(ComponentHost(outputs=[OUTPUT], pages=(1, 2)))
    data = bytes(60000)
    assert host.call("set_input", 0, 0, put_tensor(host, data[:40000], (10000,))) == 0
    assert host.call("set_input", 0, 0, put_tensor(host, data, (15000,))) == 3
    assert host.call("set_input", 0, 1, put_tensor(host, data, (15000,))) == 3
    assert host.call("compute", 0) == 0
    assert host.computed == [{"0": HostTensor((10000,), 1, data[:40000])}]


def test_a_guest_with_all_extensions_finds_them_here() -> None:
    host = ComponentHost()
    for name, parameters in FUNCTIONS.items():
        function = host.exports[name]
        assert isinstance(function, wasmtime.Func)
        kind = function.type(host.store)
        assert (len(kind.params), len(kind.results)) == (len(parameters), 1)
