"""Files that are no model are called what they are, wherever a model is expected."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.config.model_tables import Model
from pipeline.errors import Code, PipelineError
from pipeline.model.convert.make_ir import make_ir
from pipeline.model.convert.request import Request
from pipeline.model.inspect.detect_framework import detect_framework
from pipeline.model.inspect.model_bytes import check_model_bytes


def archive(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, data in members.items():
            made.writestr(name.replace("__", "/").replace("_", "."), data)
    return stream.getvalue()


HEADER = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
SAFETENSORS = len(HEADER).to_bytes(8, "little") + HEADER + bytes(4)
KERAS = archive(config_json=b"{}", model_weights_h5=b"", metadata_json=b"{}")
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
FOREIGN = {
    "a Git LFS pointer": (LFS, "is a Git LFS pointer"),
    "a page": (b"\xef\xbb\xbf \n<!DOCTYPE html><title>Sign in</title>", "is a web page"),
    "nothing": (b"", "is empty"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "Keras or other HDF5"),
    "Keras": (KERAS, "Keras archives"),
    "safetensors": (SAFETENSORS, "safetensors file holds only weights"),
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("name", ["net.onnx", "net.tflite", "net.pb", "net.pt", "net.bin"])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, kind: str, name: str) -> None:
    data, said = FOREIGN[kind]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(PipelineError, match=said) as refused:
        detect_framework([tmp_path / name])
    assert refused.value.hint


@pytest.mark.parametrize("kind", FOREIGN)
def test_so_it_is_where_a_config_names_it(tmp_path: Path, kind: str) -> None:
    data, said = FOREIGN[kind]
    (tmp_path / "sha256-0").write_bytes(data)
    model = Model(framework="onnx", files={}, inputs={}, precision="f32")
    files = {"model": tmp_path / "sha256-0"}
    request = Request(name="net", model=model, files=files, python=tmp_path, seconds=1)
    with pytest.raises(PipelineError, match=said):
        make_ir(request, tmp_path)


def test_almost_safetensors_are_left_to_the_converter(tmp_path: Path) -> None:
    for data in (SAFETENSORS[:20], (1 << 40).to_bytes(8, "little") + b"{" + bytes(40)):
        (tmp_path / "net.onnx").write_bytes(data)
        check_model_bytes(tmp_path / "net.onnx")


def test_one_file_of_a_saved_model_leads_to_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    assert main(["convert", str(tmp_path / "saved_model.pb"), "-o", str(tmp_path / "out")]) == 1
    assert f"Give the folder instead: {tmp_path}" in capsys.readouterr().err


class Module:
    """A class of the user's own."""


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_pickled_module_is_called_so_and_never_loaded(
    tmp_path: Path, protocol: int, zipped: bool
) -> None:
    data = pickle.dumps({"model": Module()}, protocol)
    # The older form begins with pickles of a number, a version and sizes.
    before: list[object] = [0x1950A86A20F9469CFC6C, 1001, {}]
    heads = b"".join(pickle.dumps(each, 2) for each in before)
    path = tmp_path / "net.pt"
    path.write_bytes(archive(net__data_pkl=data) if zipped else heads + data)
    with pytest.raises(PipelineError, match="is a pickled PyTorch module") as refused:
        detect_framework([path])
    assert refused.value.code is Code.MODEL
    assert "test_model_bytes.Module" in refused.value.found


def test_a_state_dict_is_none(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes(archive(net__data_pkl=pickle.dumps(OrderedDict(w=1.0), 2)))
    assert detect_framework([path]) == ("pytorch", {"weights": path})
    path.write_bytes(archive(net__data_pkl=pickle.dumps(OrderedDict(w=Fraction(1, 2)), 2)))
    with pytest.raises(PipelineError, match="is a pickled PyTorch module"):
        detect_framework([path])
