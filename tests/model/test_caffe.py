"""Caffe's files: read without Caffe, written from a seed, refused where they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.model.caffe.caffemodel import read_blobs, write_caffemodel
from pipeline.model.caffe.layers import (
    check_input_shapes,
    check_repeated_fields,
    check_weights,
    weighted_layers,
)
from pipeline.model.caffe.prototxt import Message, read_prototxt
from pipeline.model.caffe.seeded_weights import draw_weights

ROOT = Path(__file__).parents[2]
ALEXNET = ROOT / "configs/topologies/alexnet.prototxt"
PUBLISHED = ROOT.parent / "shared/data/bvlc/alexnet.deploy.prototxt"
SMALL = """\
name: "small"  # a comment
input: 'data' input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
layer { name: "one" type: "Convolution" bottom: "data" top: "one"
  convolution_param { num_output: 4 kernel_size: [3, 3] pad: 1 stride: 2 bias_term: false } }
layer { name: "pool" type: "Pooling" bottom: "one" top: "pool"
  pooling_param { pool: MAX kernel_h: 2 kernel_w: 2 stride: 2 } }
layer { name: "both" type: "Concat" bottom: "pool" bottom: "pool" top: "both" }
layer { name: "full" type: "InnerProduct" bottom: "both" top: "full"
  inner_product_param < num_output: 5 > }
"""


def written(folder: Path, text: str, name: str = "net.prototxt") -> Path:
    (folder / name).write_text(text)
    return folder / name


def draw(folder: Path, topology: Path, seed: int = 1) -> Path:
    target = folder / f"{seed}.caffemodel"
    job = Job(
        inputs={"topology": topology},
        outputs={"weights": target},
        parameters={"name": "net", "seed": seed},
        scratch=folder,
    )
    draw_weights(job)
    return target


def layers(net: Message) -> list[tuple[object, ...]]:
    """Return what a net computes, without what only training reads."""
    return [
        (
            layer.text("name"),
            layer.text("type"),
            layer.texts("bottom"),
            layer.texts("top"),
            *(layer.message(param) for param in PARAMS),
        )
        for layer in net.messages("layer")
        if layer.text("type") != "Input"
    ]


PARAMS = (
    "convolution_param",
    "inner_product_param",
    "lrn_param",
    "pooling_param",
    "dropout_param",
    "softmax_param",
)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published topology is not beside us")
def test_our_alexnet_is_the_published_one_for_one_picture() -> None:
    def plain(net: Message) -> list[tuple[object, ...]]:
        return [
            tuple(sorted(part.fields) if isinstance(part, Message) else part for part in layer)
            for layer in layers(net)
        ]

    ours, theirs = read_prototxt(ALEXNET), read_prototxt(PUBLISHED)
    assert plain(ours) == plain(theirs)
    shapes = [
        net.messages("layer")[0].message("input_param").message("shape").texts("dim")
        for net in (ours, theirs)
    ]
    assert shapes[0] == ("1", *shapes[1][1:])


def test_the_shapes_of_alexnets_weights() -> None:
    found = {name: layer.shapes[0] for name, layer in weighted_layers(ALEXNET).items()}
    assert found == {
        "conv1": (96, 3, 11, 11),
        "conv2": (256, 48, 5, 5),
        "conv3": (384, 256, 3, 3),
        "conv4": (384, 192, 3, 3),
        "conv5": (256, 192, 3, 3),
        "fc6": (4096, 9216),
        "fc7": (4096, 4096),
        "fc8": (1000, 4096),
    }


def test_shapes_are_those_that_caffe_computes(tmp_path: Path) -> None:
    found = weighted_layers(written(tmp_path, SMALL))
    # 9 → 5 by the convolution, → 3 by a pooling that rounds up; 2 × 4 channels.
    assert found["one"].shapes == ((4, 3, 3, 3),)
    assert found["full"].shapes == ((5, 72), (5,))


def test_opencv_reads_what_is_drawn_and_agrees_on_the_shapes(tmp_path: Path) -> None:
    import cv2

    topology = written(tmp_path, SMALL)
    model = draw(tmp_path, topology)
    net = cv2.dnn.readNetFromCaffe(str(topology), str(model))
    net.setInput(numpy.ones((1, 3, 9, 9), numpy.float32))
    assert net.forward().shape == (1, 5)
    assert read_blobs(model) == {"one": ((4, 3, 3, 3),), "full": ((5, 72), (5,))}


def test_the_same_seed_draws_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    topology = written(tmp_path, SMALL)
    first = draw(tmp_path, topology).read_bytes()
    assert draw(tmp_path, topology).read_bytes() == first
    assert draw(tmp_path, topology, seed=2).read_bytes() != first


def test_no_two_biases_of_a_layer_are_equal(tmp_path: Path) -> None:
    import cv2

    topology = written(tmp_path, SMALL)
    net = cv2.dnn.readNetFromCaffe(str(topology), str(draw(tmp_path, topology)))
    biases = net.getLayer("full").blobs[1].ravel()
    assert len(set(biases.tolist())) == 5


@pytest.mark.parametrize("field", ["stride", "pad", "dilation", "kernel_size"])
@pytest.mark.parametrize("written_as", ["{0}: 2 {0}: 1", "{0}: [2, 1]"])
def test_different_values_for_height_and_width_are_refused(
    tmp_path: Path, field: str, written_as: str
) -> None:
    """Model Optimizer reads the first for both axes."""
    layer = """layer { name: "one" type: "Convolution" bottom: "x" top: "y"
      convolution_param { num_output: 4 FIELDS } }"""
    repeated = layer.replace("FIELDS", written_as.format(field))
    with pytest.raises(PipelineError) as caught:
        check_repeated_fields(written(tmp_path, repeated))
    assert "layer one" in caught.value.where
    assert caught.value.found == f"{field}: 2 {field}: 1"
    check_repeated_fields(written(tmp_path, layer.replace("FIELDS", f"{field}: [2, 2]")))


@pytest.mark.parametrize("false", ["false", "False", "f", "0"])
@pytest.mark.parametrize("true", ["true", "True", "t", "1"])
def test_booleans_are_read_as_protobufs_text_format_writes_them(
    tmp_path: Path, true: str, false: str
) -> None:
    net = f"""
        input: "x" input_dim: 1 input_dim: 3 input_dim: 6 input_dim: 6
        layer {{ name: "one" type: "Convolution" bottom: "x" top: "one"
                convolution_param {{ num_output: 4 kernel_size: 1 bias_term: {false} }} }}
        layer {{ name: "down" type: "Pooling" bottom: "one" top: "down"
                pooling_param {{ kernel_size: 3 stride: 2 ceil_mode: {false} }} }}
        layer {{ name: "floor" type: "Pooling" bottom: "one" top: "floor"
                pooling_param {{ kernel_size: 3 stride: 2 round_mode: FLOOR }} }}
        layer {{ name: "all" type: "Pooling" bottom: "one" top: "all"
                pooling_param {{ global_pooling: {true} }} }}
        layer {{ name: "two" type: "Concat" bottom: "down" bottom: "floor" top: "two"
                concat_param {{ axis: -3 }} }}
        layer {{ name: "full" type: "InnerProduct" bottom: "two" top: "full"
                inner_product_param {{ num_output: 2 axis: -3 }} }}
        layer {{ name: "last" type: "InnerProduct" bottom: "all" top: "last"
                inner_product_param {{ num_output: 2 bias_term: {true} }} }}
    """
    found = {name: layer.shapes for name, layer in weighted_layers(written(tmp_path, net)).items()}
    assert found == {
        "one": ((4, 3, 1, 1),),
        "full": ((2, 8 * 2 * 2), (2,)),
        "last": ((2, 4), (2,)),
    }


def test_weights_of_another_net_are_refused_by_the_layer(tmp_path: Path) -> None:
    topology = written(tmp_path, SMALL)
    other = written(tmp_path, SMALL.replace("num_output: 5", "num_output: 6"), "other.prototxt")
    with pytest.raises(PipelineError) as caught:
        check_weights(other, draw(tmp_path, topology))
    error = caught.value
    assert error.code is Code.MODEL
    assert "layer full" in error.message
    assert (error.expected, error.found) == ("6x72 and 6", "5x72 and 5")


def test_weights_without_a_layer_of_the_topology_are_refused(tmp_path: Path) -> None:
    write_caffemodel(
        tmp_path / "half", "half", {"one": ("Convolution", [numpy.ones((4, 3, 3, 3))])}
    )
    with pytest.raises(PipelineError) as caught:
        check_weights(written(tmp_path, SMALL), tmp_path / "half")
    assert caught.value.found == "no weights"


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("layer {", 1, "}"),
        ('name: "net"\nlayer { name "x }', 2, "a name, string"),
        ("name:", 1, "a value of name"),
        ("a: 1\n}", 2, "a field name"),
        ("a: }", 1, "a value"),
        ("a { b: [1, 2", 1, "]"),
        ("a {" * 100, 1, "nested messages"),
    ],
)
def test_what_is_no_prototxt_is_one_error_with_the_line(
    tmp_path: Path, text: str, line: int, expected: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        read_prototxt(written(tmp_path, text))
    assert caught.value.where == f"net.prototxt:{line}"
    assert expected in caught.value.expected


def test_weights_in_the_place_of_the_topology_are_one_error(tmp_path: Path) -> None:
    model = draw(tmp_path, written(tmp_path, SMALL))
    with pytest.raises(PipelineError):
        weighted_layers(model)
    with pytest.raises(PipelineError, match="no layers"):
        weighted_layers(written(tmp_path, "", "empty.prototxt"))


@pytest.mark.parametrize("sizes", ["kernel_size: 3 stride: 0", "kernel_size: x"])
def test_sizes_that_cannot_be_are_one_error(tmp_path: Path, sizes: str) -> None:
    text = SMALL.replace("kernel_size: [3, 3] pad: 1 stride: 2", sizes)
    with pytest.raises(PipelineError) as caught:
        weighted_layers(written(tmp_path, text))
    assert "layer one" in caught.value.message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_caffemodel_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "net.caffemodel"
    path.write_bytes(data)
    try:
        read_blobs(path)
    except PipelineError as error:
        assert error.code is Code.MODEL  # noqa: PT017 - either is right


@given(st.data())
def test_a_cut_or_changed_caffemodel_is_read_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = draw(folder, written(folder, SMALL)).read_bytes()
    cut = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    if cut:
        cut[data.draw(st.integers(0, min(len(cut) - 1, 60)))] ^= data.draw(st.integers(1, 255))
    (folder / "cut").write_bytes(cut)
    try:
        check_weights(folder / "net.prototxt", folder / "cut")
    except PipelineError as error:
        assert error.code is Code.MODEL  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    ("topology", "input_name"),
    [
        ('layer { name: "data" type: "Input" top: "data" }', "data"),
        ('input: "rows"', "rows"),
        ('input: "a" input: "b" input_shape { dim: 1 }', "b"),
        ('layer { name: "i" type: "Input" top: "d" input_param { } }', "d"),
    ],
)
def test_an_input_without_a_shape_is_refused_by_name(
    tmp_path: Path, topology: str, input_name: str
) -> None:
    (tmp_path / "net.prototxt").write_text(topology)
    with pytest.raises(PipelineError, match=f"The input {input_name} of the topology has no shape"):
        check_input_shapes(tmp_path / "net.prototxt")


def test_inputs_with_shapes_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(
        'input: "a" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9 '
        'layer { name: "i" type: "Input" top: "d" input_param { shape { dim: 1 } } }'
    )
    check_input_shapes(tmp_path / "net.prototxt")
