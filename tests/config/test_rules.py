"""The rules across keys: one fault is one error, on the line of the key, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.load_project import load_project
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

ONNX = (
    ('framework = "caffe"', 'framework = "onnx"'),
    ('{ weights = "weights", topology = "topology" }', '{ model = "weights" }'),
    ('"opencv"\n', '"onnxruntime"\n'),
)
TWIN = ('executor = "opencv"', 'executor = "onnxruntime"\nfiles = { model = "topology" }')
TENSORFLOW = (
    ('framework = "caffe"', 'framework = "tensorflow"'),
    ('{ weights = "weights", topology = "topology" }', '{ graph = "weights" }'),
    TWIN,
)
SAVED_MODEL = (
    *TENSORFLOW,
    ("graph =", '"saved_model.pb" = "weights", "variables/variables.index" ='),
)
PYTORCH = (
    ('framework = "caffe"', 'framework = "pytorch"\narchitecture = "mobilenet_v2"'),
    ('{ weights = "weights", topology = "topology" }', '{ weights = "weights" }'),
    TWIN,
)
PICTURE = FIXTURE[FIXTURE.index("image =") : FIXTURE.index("[guest]")]
SIGNAL = """\
type = "f32"
signal = { rate = 8, frequencies = [1, 2], harmonics = 1, peak = 1 }
"""
SOUND = (
    ("inputs.data = { shape = [1, 3, 8, 8], mean = [104, 117, 123] }", "inputs.data.shape = [8]"),
    (PICTURE, SIGNAL),
)
_TOP = "top1 = 285\nvalue = 0.45\nwithin = 0.01"
WORDS = (
    ("inputs.data = { shape = [1, 3, 8, 8], mean = [104, 117, 123] }", "inputs.data.shape = [8]"),
    (PICTURE, 'type = "i64"\ntext = { source = "weights", vocabulary = "topology" }\n'),
)
GREY = (
    ("[1, 3, 8, 8], mean = [104, 117, 123]", "[1, 1, 8, 8]"),
    ('colour = "BGR"', 'colour = "GRAY"\nmean = [1]'),
)
TWO_INPUTS = (
    ("inputs.data =", "inputs.DATA = { shape = [8] }\ninputs.data ="),
    ("[guest]", f"[tensor.cat.DATA]\n{SIGNAL}[guest]"),
)
CALIBRATED = (
    "[guest]",
    FIXTURE[FIXTURE.index("[tensor.cat.data]") : FIXTURE.index("[guest]")].replace(
        "tensor.cat", "calibration.dog"
    )
    + "[guest]",
)
# One channel of any length; the case has none of it.
BOUNDED = (
    (
        "inputs.data = { shape = [1, 3, 8, 8], mean = [104, 117, 123] }",
        "inputs.data = { shape = [1, 8], bounds = [[1, 1], [0, 16]] }",
    ),
    (PICTURE, 'type = "f32"\nshape = [1, 0]\nconstant = 1\n'),
)
SEEDED = (
    PYTORCH[0],
    ('{ weights = "weights", topology = "topology" }', "{}\nseed = 1"),
    ('executor = "opencv"', 'executor = "torch"'),
)
SHA256 = 'sha256 = "72b912ace512e8621f8ff168a7d72af55910d3c7c9445af8dfbff4c2ee960142"'

# What is edited, a part of the line that the error names, and words of its message.
FAULTS = {
    "a model file of a missing source": (
        [('weights = "weights"', 'weights = "wieghts"')],
        "files =",
        "No source named 'wieghts'; did you mean 'weights'?",
    ),
    "a twin of a missing source": (
        [('executor = "opencv"', 'executor = "onnxruntime"\nfiles.model = "x"')],
        "files.model",
        "No source named 'x'.",
    ),
    "labels of a missing source": (
        [("top1 = 285", 'top1 = 285\nlabels = "imagenet"')],
        "labels =",
        "No source named 'imagenet'.",
    ),
    "an address of an unknown kind": (
        [("https://example", "ftp://example")],
        "ftp:",
        "Unsupported URL",
    ),
    "the second address": (
        [("pypi:some-package==1.2.1", "pypi:some-package>=1.2.1")],
        "some-package",
        "Unsupported URL",
    ),
    "a file address that leaves the project": (
        [("file:chelsea.png", "file:../chelsea.png")],
        "chelsea.png",
        "Unsupported URL",
    ),
    "no digest": ([(SHA256, "size = 5")], "[source.weights]", "has no digest"),
    "no digest, and a mirror": (
        [('["file:chelsea.png"]', '["file:chelsea.png", "https://example.org/chelsea.png"]')],
        "[source.chelsea]",
        "has no digest",
    ),
    "only a sha1, without a size": (
        [(SHA256, 'sha1 = "9116a64c0fbe4459d18f4bb6b56d647b63920377"')],
        "[source.weights]",
        "has neither sha256 nor size",
    ),
    "only a sha384, without a size": (
        [(SHA256, f'sha384 = "{"0f" * 48}"')],
        "[source.weights]",
        "has neither sha256 nor size",
    ),
    "a source with a name that is no file name": (
        [("[source.chelsea]", '[source."Chel/sea"]'), ('image = "chelsea"', 'image = "Chel/sea"')],
        '[source."Chel',
        "is not valid in a file name",
    ),
    "a case with a name that is no file name": (
        [("[tensor.cat.", '[tensor."../cat".'), ("[expect.cat]", '[expect."../cat"]')],
        "[tensor",
        "is not valid in a file name",
    ),
    "too few means": ([("[104, 117, 123]", "[104]")], "mean", "has 1 value for 3 channels"),
    "too many scales": (
        [("mean = [104, 117, 123]", "scale = [1, 1, 1, 1]")],
        "scale",
        "has 4 values for 3 channels",
    ),
    "a signature of Caffe": (
        [('framework = "caffe"', 'framework = "caffe"\nsignature = "enc"')],
        'signature = "enc"',
        "signature needs a TFLite file or a SavedModel",
    ),
    "a mean without channels": (
        [*SOUND, ("shape = [8]", "shape = [8]\ninputs.data.mean = [1]")],
        "inputs.data.mean",
        "no channels",
    ),
    "an input larger than any memory": (
        [("[1, 3, 8, 8]", "[1, 3, 100000, 100000]")],
        "shape",
        "The input exceeds the memory of any guest",
    ),
    "caffe without weights": (
        [('weights = "weights", ', "")],
        "files =",
        "needs the file 'weights'",
    ),
    "caffe with a misspelt file": (
        [("topology =", "topolgy =")],
        "files =",
        "Caffe has no file 'topolgy'; did you mean 'topology'?",
    ),
    "onnx with data outside of its folder": (
        [*ONNX, ("{ model", '{ "../data.bin" = "topology", model')],
        "data.bin",
        "leaves the model's folder",
    ),
    "paddle without its weights": (
        [ONNX[0], ONNX[1], ('"onnx"', '"paddle"'), TWIN],
        'files = { model = "weights"',
        "Paddle needs the file 'params'",
    ),
    "pytorch weights of no architecture": (
        [*PYTORCH, ('architecture = "mobilenet_v2"\n', "")],
        "[model]",
        "The state dict has no architecture",
    ),
    "int8 without calibration": (
        [('precision = "f32"', 'precision = "int8"\nloss = 0.1')],
        "precision",
        "requires calibration tensors",
    ),
    "int8 without a bound": (
        [('precision = "f32"', 'precision = "int8"'), CALIBRATED],
        "precision",
        "int8 requires a maximum loss",
    ),
    "int4 without calibration": (
        [('precision = "f32"', 'precision = "int4"\nloss = 0.1')],
        "precision",
        "int4 requires calibration tensors",
    ),
    "int4 without a bound": (
        [('precision = "f32"', 'precision = "int4"'), CALIBRATED],
        "precision",
        "int4 requires a maximum loss",
    ),
    "groups of weights of 8 bits": (
        [('precision = "f32"', 'precision = "int8"\nloss = 0.1\ngroup_size = 32'), CALIBRATED],
        "group_size",
        "'group_size' requires precision int4, not int8",
    ),
    "groups of one weight": (
        [('precision = "f32"', 'precision = "int4"\nloss = 0.1\ngroup_size = 1'), CALIBRATED],
        "group_size",
        "group_size",
    ),
    "a calibration with the name of a case": (
        [
            ('precision = "f32"', 'precision = "int8"\nloss = 0.1'),
            (CALIBRATED[0], CALIBRATED[1].replace("calibration.dog", "calibration.cat")),
        ],
        "[calibration.cat",
        "is both a case and a calibration",
    ),
    "calibration of what is not quantised": (
        [CALIBRATED],
        "[calibration",
        "requires precision int8 or int4, not f32",
    ),
    "a seed beside weights": (
        [("precision", "seed = 1\nprecision")],
        "files =",
        "Caffe with a seed has no file 'weights'",
    ),
    "a seed for another framework": (
        [*ONNX, ("precision", "seed = 1\nprecision")],
        "seed =",
        "seed is not supported for ONNX",
    ),
    "a seed of a PyTorch model without an architecture": (
        [*SEEDED, ('architecture = "mobilenet_v2"\n', "")],
        "[model]",
        "The seed has no architecture",
    ),
    "a seed beside a state dict": (
        [*SEEDED, ("{}", '{ weights = "weights" }')],
        "files =",
        "PyTorch with a seed has no file 'weights'",
    ),
    "a case's shape outside the bounds": (
        [*BOUNDED, ("[1, 0]", "[1, 17]")],
        "shape = [1, 17]",
        "The size of axis 1 is outside the input's bounds.",
    ),
    "a case's shape of an input without bounds": (
        [*BOUNDED, (", bounds = [[1, 1], [0, 16]]", "")],
        "shape = [1, 0]",
        "The size of axis 1 is outside the input's bounds.",
    ),
    "a case's shape of other axes": (
        [*BOUNDED, ("[1, 0]", "[0]")],
        "shape = [0]",
        "The shape has another number of axes than the input.",
    ),
    "a case's shape that no memory holds": (
        [*BOUNDED, ("[0, 16]", "[0, 4294967296]"), ("[1, 0]", "[1, 4294967296]")],
        "shape = [1, 4294967296]",
        "exceeds the memory of any guest",
    ),
    "an empty tensor of a signal": (
        [*BOUNDED, ("constant = 1", SIGNAL.split("\n")[1])],
        "signal =",
        "has no elements, which cannot come from signal",
    ),
    "an input without elements": (
        [*BOUNDED, ("shape = [1, 8]", "shape = [1, 0]"), ("shape = [1, 0]\nc", "c")],
        "inputs.data",
        "Invalid value",
    ),
    "a calibration with a shape": (
        [
            ('precision = "f32"', 'precision = "int8"\nloss = 0.1'),
            (CALIBRATED[0], CALIBRATED[1].replace("layout", "shape = [1,3,8,8]\nlayout")),
        ],
        "shape = [1,3,8,8]",
        "Calibration tensors have the input's shape.",
    ),
    "an architecture without weights": (
        [*PYTORCH, ("{ weights", "{ torchscript")],
        "architecture",
        "needs a PyTorch state dict",
    ),
    "a layout that names an axis twice": (
        [("8, 8], mean", '8, 8], model_layout = "NCHH", mean')],
        "inputs.data",
        "does not name each axis of the input once",
    ),
    "a layout of the tensor alone": (
        [("8, 8], mean", '8, 8], layout = "NCHW", mean')],
        "inputs.data",
        "layout is set without model_layout",
    ),
    "layouts of other axes": (
        [("8, 8], mean", '8, 8], layout = "NCHW", model_layout = "NCDW", mean')],
        "inputs.data",
        "layout and model_layout have different axes",
    ),
    "a size outside of its bounds": (
        [("8, 8], mean", "8, 8], bounds = [[1, 1], [3, 3], [1, 7], [1, 8]], mean")],
        "inputs.data",
        "axis 2 is outside its bounds",
    ),
    "bounds of too few axes": (
        [("8, 8], mean", "8, 8], bounds = [[1, 1]], mean")],
        "inputs.data",
        "The bounds do not cover every axis",
    ),
    "one channel reversed": (
        [*GREY, ("[1, 1, 8, 8]", "[1, 1, 8, 8], reverse_channels = true")],
        "inputs.data",
        "reverse_channels needs three channels",
    ),
    "tensorflow without a model": (
        [*TENSORFLOW, ("graph", "grpah")],
        "grpah",
        "needs one of its model files",
    ),
    "a frozen graph and more": (
        [*TENSORFLOW, ("{ graph", '{ "saved_model.pb" = "weights", graph')],
        "graph =",
        "TensorFlow has no file 'saved_model.pb'",
    ),
    "a SavedModel that leaves its folder": (
        [*SAVED_MODEL, ("variables/", "../variables/")],
        "saved_model.pb",
        "leaves the model's folder",
    ),
    "a SavedModel with an absolute path": (
        [*SAVED_MODEL, ("variables/", "/variables/")],
        "saved_model.pb",
        "leaves the model's folder",
    ),
    "a SavedModel with a path of Windows": (
        [*SAVED_MODEL, ("variables/", "variables\\\\")],
        "saved_model.pb",
        "leaves the model's folder",
    ),
    "a SavedModel with a file that is a folder": (
        [*SAVED_MODEL, ("variables/variables", "saved_model.pb/variables")],
        "saved_model.pb",
        "Two paths of the model collide",
    ),
    "a SavedModel with one file twice": (
        [*SAVED_MODEL, ("variables/variables.index", "Saved_Model.pb")],
        "aved_model.pb",
        "Two paths of the model collide",
    ),
    "a mean image that is no source": (
        [('image = "chelsea"', 'image = "chelsea"\nmean_image = "maen"')],
        "mean_image",
        "No source named 'maen'",
    ),
    "a case with an unknown input": (
        [("[tensor.cat.data]", "[tensor.cat.dta]")],
        "[tensor",
        "no input 'dta'; did you mean 'data'?",
    ),
    "a case that nothing is expected of": (
        [("[expect.cat]", '[expect]\n"car-x-y" = { top1 = 1 }\n[expect.cat]')],
        "car-x-y",
        "No case named 'car-x-y'.",
    ),
    "an expectation of a misspelt case": (
        [("[expect.cat]", "[expect.cta]")],
        "[expect",
        "No case named 'cta'; did you mean 'cat'?",
    ),
    "no expectation": (
        [("[expect.cat]\ntop1 = 285\nvalue = 0.45\nwithin = 0.01\n", "[expect]\n")],
        "[tensor.cat",
        "Case 'cat' has no expectation.",
    ),
    "an expectation of nothing": (
        [("top1 = 285\nvalue = 0.45\nwithin = 0.01\n", "")],
        "[expect.cat]",
        "has no expected output",
    ),
    "an expectation of nothing and of something": (
        [("top1 = 285", "golden_only = true\ntop1 = 285")],
        "golden_only",
        "golden_only = true and an expected output",
    ),
    "repeats an index": (
        [("top1 = 285", "strongest = [3, 1, 3]")],
        "strongest",
        "repeats an index",
    ),
    "a value without a difference": (
        [("within = 0.01\n", "")],
        "value =",
        "has a value but no within",
    ),
    "a difference without a value": ([("value = 0.45\n", "")], "within =", "no value"),
    "a missing guest": (
        [('"classify"', '"clasify"')],
        "program",
        "No guest named 'clasify'; did you mean 'classify'?",
    ),
    "more memory than a guest can address": ([('"256 MiB"', '"5 GiB"')], "memory", "32-bit"),
    "an executor that does not read the framework": (
        [('executor = "opencv"', 'executor = "onnxruntime"')],
        "executor",
        "onnxruntime cannot run Caffe models",
    ),
    "an executor that reads no twin": (
        [(*TENSORFLOW[0],), (*TENSORFLOW[1],)],
        "executor",
        "opencv cannot run TensorFlow models",
    ),
    "a twin without its file": (
        [*TENSORFLOW, ("files = { model", "files = { modle")],
        "modle",
        "onnxruntime has no file 'modle'; did you mean 'model'?",
    ),
    "a wider tolerance without a reason": (
        [
            ("absolute = 1e-5\n", ""),
            ('reason = "its last layer divides by what is nearly zero"', ""),
        ],
        "relative =",
        "The key 'relative' widens the measured tolerance, and no reason is given.",
    ),
    "a smaller cosine with an empty reason": (
        [
            ("absolute = 1e-5\nrelative = 1e-3\n", "cosine = 0.9\n"),
            ("its last layer divides by what is nearly zero", " "),
        ],
        "cosine =",
        "The key 'cosine' widens",
    ),
    "a reason for nothing": (
        [("absolute = 1e-5\nrelative = 1e-3\n", "")],
        "reason =",
        "nothing is widened",
    ),
    "names of a twin that there is not": (
        [("relative = 1e-3", 'relative = 1e-3\noutputs = { prob = "x" }')],
        "outputs",
        "names of a twin, but",
    ),
    "a twin's name for an unknown input": (
        [*TENSORFLOW, ("relative = 1e-3", 'relative = 1e-3\ninputs.dta = "x"')],
        "inputs.dta",
        "no input 'dta'; did you mean 'data'?",
    ),
    "an empty box": (
        [(_TOP, "detections = { boxes = [{ box = [0.5, 0.1, 0.5, 0.9], index = 1 }] }")],
        "detections",
        "The box is empty.",
    ),
    "a mask of an unknown source": (
        [(_TOP, 'mask = { source = "wights" }')],
        "mask",
        "No source named 'wights'; did you mean 'weights'?",
    ),
    "a text without words to look up": (
        [*WORDS, (', vocabulary = "topology"', "")],
        "text =",
        "needs a vocabulary or a tokenizer",
    ),
    "a text with both": (
        [*WORDS, ("vocabulary", 'tokenizer = "weights", vocabulary')],
        "text =",
        "needs a vocabulary or a tokenizer",
    ),
    "a mask of a vocabulary": (
        [*WORDS, ("vocabulary", 'give = "mask", vocabulary')],
        "give",
        "A vocabulary gives ids only.",
    ),
    "words of a tokenizer in lower case": (
        [*WORDS, ("vocabulary", "lower = true, tokenizer")],
        "lower",
        "lower does not apply to a tokenizer",
    ),
    "one name of the twin for two": (
        [*TENSORFLOW, ("relative = 1e-3", 'relative = 1e-3\noutputs.a = "x"\noutputs.b = "x"')],
        "outputs.b",
        "IR map to one name",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_error_says_what_is_wrong_with(tmp_path: Path, fault: str) -> None:
    edits, part, words = FAULTS[fault]
    text = edited(FIXTURE, *edits)
    [error] = errors_of(write_project(tmp_path, text))
    assert words in error.message
    assert error.where == f"{FIXTURE_PATH}:{line_with(text, part)}"


GOOD = {
    "onnx": ONNX,
    "a frozen graph": TENSORFLOW,
    "a sound": SOUND,
    "a case without elements": BOUNDED,
    "a case of another size": [*BOUNDED, ("[1, 0]", "[1, 16]")],
    "a seed of a PyTorch architecture": SEEDED,
    "a grey picture": GREY,
    "a SavedModel": SAVED_MODEL,
    "a loopback server": [("https://example.org", "http://127.0.0.1:8000")],
    "only a sha1 and a size": [
        (SHA256, 'sha1 = "9116a64c0fbe4459d18f4bb6b56d647b63920377"\nsize = 5')
    ],
    "a source that is not used": [
        ("[model]", '[source.spare]\nurls = ["file:x"]\nlicense = "MIT"\n[model]')
    ],
    "four GiB": [('"256 MiB"', '"4096 MiB"')],
    "nothing but the golden check": [(_TOP, "golden_only = true")],
    "no tolerance at all": [
        ("absolute = 1e-5\nrelative = 1e-3\n", ""),
        ('reason = "its last layer divides by what is nearly zero"\n', ""),
    ],
    "the strongest": [(_TOP, "strongest = [1, 2]")],
    "tokens": [(_TOP, "tokens = [101, 7592, 102]")],
    "boxes": [(_TOP, "detections = { boxes = [{ box = [0.1, 0.1, 0.5, 0.9] }], score = 0.5 }")],
    "a stored mask and vector": [
        (_TOP, 'mask = { source = "weights" }\nvector = { source = "weights", cosine = 0.99 }')
    ],
    "words": WORDS,
    "a tokenizer": [*WORDS, ("vocabulary", 'give = "mask", tokenizer')],
    "names of a twin": [
        *TENSORFLOW,
        ("relative = 1e-3", 'relative = 1e-3\ninputs.data = "x:0"\noutputs.prob = "y:0"'),
    ],
}


@pytest.mark.parametrize("variant", GOOD)
def test_nothing_is_wrong_with(tmp_path: Path, variant: str) -> None:
    load_project(write_project(tmp_path, edited(FIXTURE, *GOOD[variant])))


def test_a_case_without_a_tensor_for_an_input(tmp_path: Path) -> None:
    text = edited(FIXTURE, ("inputs.data =", "inputs.rate.shape = [1]\ninputs.data ="))
    [error] = errors_of(write_project(tmp_path, text))
    assert error.message == "Case 'cat' has no tensor for the input 'rate'."
    assert error.where == f"{FIXTURE_PATH}:{line_with(text, '[tensor.cat.data]')}"


# Where a key cannot be read, nothing is concluded from what might have stood there.
CONSEQUENCES = {
    "the sources": ("[source.weights]\nurls", "[sorce.weights]\nurls"),
    "the framework": ('"caffe"', '"cafe"'),
    "the executor": ('"opencv"', "3"),
    "a digest": (SHA256, 'sha256 = "72B9"'),
    "the addresses": ('["file:net.prototxt"]', "3"),
    "the shape": ("[1, 3, 8, 8]", '"1x3x8x8"'),
    "one size of the shape": ("[1, 3, 8, 8]", "[1, -3, 8, 8]"),
    "a mean": ("[104, 117, 123]", '"104,117,123"'),
    "the inputs": ("inputs.data =", "input.data ="),
    "what is expected": ("top1 = 285\nvalue = 0.45", "top = 285\nvalue = 0.45"),
    "the largest difference": ("within = 0.01", "within = 0"),
    "the image": ('image = "chelsea"', "image = 3"),
    "the colour": ('colour = "BGR"', 'color = "BGR"'),
    "the guest": ("[guest]", "[gest]"),
    "the guest's memory": ('"256 MiB"', '"lots"'),
}


@pytest.mark.parametrize("what", CONSEQUENCES)
def test_nothing_follows_from_a_key_that_cannot_be_read(tmp_path: Path, what: str) -> None:
    old, new = CONSEQUENCES[what]
    text = edited(FIXTURE, (old, new))
    if what == "the sources":
        text = text.replace("[source.", "[sorce.")
    [error] = errors_of(write_project(tmp_path, text))
    changed = [
        number
        for number, lines in enumerate(
            zip(FIXTURE.splitlines(), text.splitlines(), strict=True), start=1
        )
        if lines[0] != lines[1]
    ]
    assert error.where == f"{FIXTURE_PATH}:{changed[0]}"


# The same of the rules for one tensor: a variant, and the key in it that cannot be read.
TENSOR_CONSEQUENCES = {
    "the colour of a grey picture": (GREY, ('colour = "GRAY"', "colour = 3")),
    "a type that is close to one of whole numbers": (GREY, ('type = "f32"', 'type = "u88"')),
    "a layout": (GREY, ('layout = "NCHW"', "layout = 3")),
    "one edge of a crop": ((), ("[tensor.cat.data]", "[tensor.cat.data]\ncrop.rows = [9, true]")),
    "the rate of a sound": (SOUND, ("rate = 8", 'rate = "fast"')),
    "one frequency of a sound": (SOUND, ("[1, 2]", "[1, inf]")),
    "the shape of a sound": (SOUND, ("shape = [8]", "shape = 8")),
    "a sound as a whole": (SOUND, ("signal = {", "signal = 1 #")),
}


@pytest.mark.parametrize("what", TENSOR_CONSEQUENCES)
def test_nothing_about_a_tensor_follows_from(tmp_path: Path, what: str) -> None:
    variant, (old, new) = TENSOR_CONSEQUENCES[what]
    text = edited(FIXTURE, *variant, (old, new))
    [error] = errors_of(write_project(tmp_path, text))
    assert error.where == f"{FIXTURE_PATH}:{line_with(text, new.splitlines()[-1])}"


def test_a_tensor_is_checked_though_the_shape_of_its_input_cannot_be_read(tmp_path: Path) -> None:
    text = edited(
        FIXTURE, ("[1, 3, 8, 8]", '"1x3x8x8"'), ("[tensor.cat.data]", "[tensor.cat.data]\nmean=[1]")
    )
    shape, mean = errors_of(write_project(tmp_path, text))
    assert shape.where == f"{FIXTURE_PATH}:{line_with(text, '1x3x8x8')}"
    assert mean.where == f"{FIXTURE_PATH}:{line_with(text, 'mean=[1]')}"


@pytest.mark.parametrize(
    ("edit", "line", "words"),
    [
        (("main.c", "mian.c"), 3, "No file"),
        (("guests/classify/main.c", "../main.c"), 3, "outside the project"),
        (("guests/classify/main.c", "/etc/passwd"), 3, "outside the project"),
        (("guests/classify/main.c", "guests\\\\classify\\\\main.c"), 3, "outside the project"),
        (("guests/classify/main.c", "guests/classify"), 3, "No file"),
        (('main.c"]', 'main.c"]\nheaders = ["a.h"]'), 4, "No file"),
    ],
)
def test_the_files_of_a_guest(tmp_path: Path, edit: tuple[str, str], line: int, words: str) -> None:
    [error] = errors_of(write_project(tmp_path, guest=edited(GUEST, edit)))
    assert words in error.message
    assert error.where == f"{GUEST_PATH}:{line}"


WASM = """\
description = "built elsewhere"
language = "wasm"

[file]
urls = ["file:guests/classify/main.c"]
license = "MIT"
"""
FETCHED = ("file:guests/classify/main.c", "https://x.example/a.wasm")


@pytest.mark.parametrize(
    ("edits", "line", "words"),
    [
        ([("main.c", "mian.c")], 5, "No file 'guests/classify/mian.c'"),
        ([("guests/classify/main.c", "../main.c")], 5, "Unsupported URL."),
        ([FETCHED], 4, "The guest has no digest."),
        ([('"wasm"\n', '"wasm"\nsources = ["guests/classify/main.c"]\n')], 3, "has no sources"),
        ([('"wasm"', '"rust"\nsources = ["guests/classify/main.c"]')], 5, "Only a guest in wasm"),
        ([(WASM[WASM.index("[file]") :], "")], 2, "The guest has no file."),
        ([(WASM[WASM.index("[file]") :], ""), ('"wasm"', '"zig"')], 2, "The guest has no sources."),
    ],
)
def test_the_file_of_a_guest_that_is_built(
    tmp_path: Path, edits: list[tuple[str, str]], line: int, words: str
) -> None:
    assert load_project(write_project(tmp_path / "whole", guest=WASM)).guests["classify"].file
    [error] = errors_of(write_project(tmp_path / "edited", guest=edited(WASM, *edits)))
    assert words in error.message
    assert error.where == f"{GUEST_PATH}:{line}"


@pytest.mark.parametrize("key", ['stdout = "285"', "exit = 3"])
def test_what_a_guest_prints_is_an_expectation(tmp_path: Path, key: str) -> None:
    text = FIXTURE[: FIXTURE.index("top1 = 285")] + key + "\n"
    assert load_project(write_project(tmp_path, text)).fixtures


@pytest.mark.parametrize("stem", ["model", "Alex", "a/b", "a.b", "", "alexnet\\n"])
def test_the_stem_of_an_ir_is_a_file_name_of_its_own(tmp_path: Path, stem: str) -> None:
    text = edited(FIXTURE, ("[model]\n", f'[model]\nstem = "{stem}"\n'))
    [error] = errors_of(write_project(tmp_path, text))
    assert error.where == f"{FIXTURE_PATH}:{line_with(text, 'stem = ')}"
    assert "but not 'model'" in error.expected


COMPILER = """
[compiler.asc]
urls = ["npm:assemblyscript==0.28.20#dist/asc.js"]
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
license = "Apache-2.0"
"""


@pytest.mark.parametrize(
    ("edit", "line", "words"),
    [
        (('sha256 = "' + "0" * 64 + '"', ""), 5, "Source 'asc' has no digest."),
        (("npm:assemblyscript==0.28.20#dist/asc.js", "npm:nix"), 6, "Unsupported URL"),
        (("[compiler.asc]", '[compiler."a b"]'), 5, "is not valid in a file name"),
    ],
)
def test_the_files_of_a_compiler(
    tmp_path: Path, edit: tuple[str, str], line: int, words: str
) -> None:
    [error] = errors_of(write_project(tmp_path, guest=GUEST + edited(COMPILER, edit)))
    assert error.where == f"{GUEST_PATH}:{line}"
    assert words in error.message


def test_a_file_of_the_project_needs_a_digest_to_be_of_a_compiler(tmp_path: Path) -> None:
    own = edited(COMPILER, ("npm:assemblyscript==0.28.20#dist/asc.js", "file:asc.js"))
    [error] = errors_of(
        write_project(tmp_path, guest=GUEST + edited(own, ('sha256 = "' + "0" * 64 + '"', "")))
    )
    assert error.message == "Source 'asc' has no digest."


def test_a_file_of_a_guest_that_is_a_link_out_of_the_project(tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    secret = tmp_path / "secret.c"
    secret.write_text("int secret;")
    source = project / "guests/classify/main.c"
    source.unlink()
    source.symlink_to(secret)
    [error] = errors_of(project)
    assert error.where == f"{GUEST_PATH}:3"


def test_a_file_of_a_guest_that_is_a_link_to_itself(tmp_path: Path) -> None:
    source = write_project(tmp_path) / "guests/classify/main.c"
    source.unlink()
    source.symlink_to("main.c")
    [error] = errors_of(tmp_path)
    assert error.where == f"{GUEST_PATH}:3"
