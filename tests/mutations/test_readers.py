"""Whatever bytes a file has, a reader reads it or raises one error."""

from __future__ import annotations

import io
import pickle
import shutil
import struct
import wave
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import Image

from pipeline.config.load_project import load_project
from pipeline.config.tensor_tables import StoredArray, TokenText
from pipeline.errors import ConfigErrors, PipelineError
from pipeline.model.caffe.caffemodel import read_blobs, write_caffemodel
from pipeline.model.caffe.layers import check_input_shapes, check_repeated_fields, weighted_layers
from pipeline.model.convert.external_data import check_external_data
from pipeline.model.convert.signatures import with_signature
from pipeline.model.convert.torch_archive import check_pickle
from pipeline.model.inspect.dynamic_range import rounds_activations
from pipeline.model.inspect.model_bytes import check_model_bytes
from pipeline.tensor.decode_image import decode
from pipeline.tensor.mean_image import read_mean_image
from pipeline.tensor.sound import read_wave
from pipeline.tensor.stored_array import read_array
from pipeline.tensor.text_lines import read_lines
from pipeline.tensor.tokens import is_tokenizer, token_ids, tokenized
from pipeline.verify.expectation import labels_of
from tests.config.sample import FIXTURE, FIXTURE_PATH, write_project
from tests.host.test_model_formats import onnx_model
from tests.model.test_caffe import SMALL
from tests.model.test_model_bytes import archive
from tests.model.test_signatures import saved_model, tflite
from tests.tensor.test_image import COLOUR, png
from tests.tensor.test_mean_image import blob, mean_tensor
from tests.tensor.test_tokens import write_tokenizer

Reader = Callable[[Path], object]


def saved(write: Callable[[Any], None]) -> bytes:
    stream = io.BytesIO()
    write(stream)
    return stream.getvalue()


def picture(form: str, mode: str = "RGB", **options: Any) -> bytes:
    pixels = numpy.random.default_rng(1).integers(0, 256, (9, 7, 3), numpy.uint8)
    image = Image.fromarray(pixels).convert(mode)
    return saved(lambda stream: image.save(stream, form, **options))


def photo() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x0131], exif[0x011A] = 6, "camera", 72.0
    return picture("JPEG", exif=exif)


def keyed_png() -> bytes:
    clear = struct.pack(">HHH", 1, 2, 3)
    return png(16, COLOUR, [clear * 2, bytes(12)], clear, 2)


def texture() -> bytes:
    pixel = struct.pack("<II4sIIIII", 32, 4, b"DXT1", 0, 0, 0, 0, 0)
    head = struct.pack("<IIIIIII44x", 124, 0x1007, 4, 4, 16, 0, 0) + pixel + bytes(20)
    return b"DDS " + head + bytes(8)


def sound(stream: Any) -> None:
    with wave.open(stream, "wb") as writer:
        writer.setparams((1, 2, 16000, 0, "NONE", ""))
        writer.writeframes(bytes(range(64)))


def caffemodel() -> bytes:
    path = Path("net.caffemodel")
    write_caffemodel(path, "net", {"one": ("Convolution", [numpy.ones((2, 3, 1, 1))])})
    return path.read_bytes()


def read_tflite(path: Path) -> object:
    return with_signature("tflite", {"model": path}, "dec", path.parent)


def read_saved_model(path: Path) -> object:
    return with_signature("tensorflow", {"saved_model.pb": path}, "dec", path.parent)


def read_topology(path: Path) -> object:
    check_input_shapes(path)
    check_repeated_fields(path)
    return weighted_layers(path)


def read_pickle(path: Path) -> object:
    check_model_bytes(path)
    check_pickle(path)
    return path


def state_dict(*, zipped: bool) -> bytes:
    data = pickle.dumps(OrderedDict(weight=[1.0, 2.0], name="net"), 4)
    return archive(net__data_pkl=data) if zipped else data


def read_vocabulary(path: Path) -> object:
    tokens = TokenText(source="a", vocabulary="b", unknown=0)
    return token_ids(path, path, tokens, 8, "x"), labels_of(read_lines(path, "x"))


def tokenizer() -> bytes:
    with TemporaryDirectory() as folder:
        return write_tokenizer(Path(folder) / "tokenizer.json").read_bytes()


def read_tokens(path: Path) -> object:
    text = path.with_name("text")
    text.write_text("A sandbox.")
    is_tokenizer(path)
    return tokenized(text, path, TokenText(source="a", tokenizer="b"), 8, "x")


def read_config(path: Path) -> object:
    config = path.parent / FIXTURE_PATH
    config.write_bytes(path.read_bytes())
    return load_project(path.parent)


def read_picture(path: Path) -> object:
    return decode(path, "RGB", background=(1, 2, 3), profile=True, pixels=100_000)


def int_proto() -> onnx.TensorProto:
    return helper.make_tensor("x", onnx.TensorProto.INT32, (2, 3), range(-3, 3))


def stored(path: Path) -> object:
    return read_array(path, StoredArray(source="a"), (2, 3), "x")


def read_mean(path: Path) -> object:
    return read_mean_image(path, mean_tensor(), (1, 3, 2, 2), "x")


MEAN = numpy.full((3, 2, 2), 7.0)
LINES = "[PAD]\nthe\r\ncat\u2028\nn01440764 tench\n".encode()
ARRAY = numpy.arange(6.0).reshape(2, 3)
READERS: dict[str, tuple[Callable[[], bytes], Reader]] = {
    "onnx": (lambda: onnx_model("weights.bin"), check_external_data),
    "tflite": (lambda: tflite(["enc", "dec"]), read_tflite),
    "dynamic range": (lambda: tflite(["enc", "dec"]), rounds_activations),
    "pickle": (lambda: state_dict(zipped=False), read_pickle),
    "zipped pickle": (lambda: state_dict(zipped=True), read_pickle),
    "saved_model": (lambda: saved_model("enc", "dec"), read_saved_model),
    "caffemodel": (caffemodel, read_blobs),
    "prototxt": (SMALL.encode, read_topology),
    "npy": (lambda: saved(lambda stream: numpy.save(stream, ARRAY)), stored),
    "npz": (lambda: saved(lambda stream: numpy.savez_compressed(stream, ARRAY)), stored),
    "raw tensor proto": (lambda: numpy_helper.from_array(ARRAY).SerializeToString(), stored),
    "tensor proto": (lambda: int_proto().SerializeToString(), stored),
    "mean image": (lambda: blob(numpy.full((1, 3, 2, 2), 7)), read_mean),
    "stored mean image": (lambda: saved(lambda stream: numpy.save(stream, MEAN)), read_mean),
    "wav": (lambda: saved(sound), lambda path: read_wave(path, "x")),
    "tokenizer": (tokenizer, read_tokens),
    "lines": (lambda: LINES, read_vocabulary),
    "toml": (FIXTURE.encode, read_config),
    "photo": (photo, read_picture),
    "png": (lambda: picture("PNG"), read_picture),
    "keyed png": (keyed_png, read_picture),
    "palette": (lambda: picture("PNG", "P", transparency=1), read_picture),
    "gif": (lambda: picture("GIF", "P"), read_picture),
    "bmp": (lambda: picture("BMP"), read_picture),
    "tiff": (lambda: picture("TIFF", "CMYK", compression="tiff_lzw"), read_picture),
    "webp": (lambda: picture("WEBP", "RGBA"), read_picture),
    "ppm": (lambda: picture("PPM", "L"), read_picture),
    "dds": (texture, read_picture),
}


def mutated(data: bytes, random: Random) -> bytes:
    """Return the bytes with one to four changes, of any kind."""
    made = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(made) + 1)
        size = random.choice((1, 1, 1, 2, 4, random.randint(1, 40)))
        match random.randrange(6):
            case 0:
                del made[at:]
            case 1:
                del made[at : at + size]
            case 2:
                made[at:at] = made[at : at + size]
            case 3:
                made[at : at + size] = random.randbytes(len(made[at : at + size]))
            case 4:
                extreme = random.choice((b"\0", b"\xff", b"\x7f", b"\x80"))
                made[at : at + size] = extreme * len(made[at : at + size])
            case 5:
                made[at:at] = random.randbytes(size)
    return bytes(made)


def try_all(name: str, folder: Path, count: int) -> None:
    make, read = READERS[name]
    data, random = make(), Random(f"{name} {count}")
    path = folder / "file"
    path.write_bytes(data)
    read(path)
    for number in range(count):
        shutil.rmtree(folder / "signature", ignore_errors=True)
        path.write_bytes(mutated(data, random))
        try:
            read(path)
        except (PipelineError, ConfigErrors):
            continue
        except Exception as error:
            error.add_note(f"mutation {number} of {name}: {path.read_bytes()!r}"[:2000])
            raise


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_project(tmp_path)


# Pillow warns of what it skips.
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_is_read_or_one_error(name: str, folder: Path) -> None:
    try_all(name, folder, 60)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", READERS)
def test_ten_thousand_changed_files_are_read_or_one_error(name: str, folder: Path) -> None:
    try_all(name, folder, 10_000)
