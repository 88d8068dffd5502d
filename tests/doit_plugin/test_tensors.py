"""What a tensor is made of comes from sources, and decides what is built anew."""

from __future__ import annotations

import numpy

from tests.tiny import Project

PICTURE = """image = "red"
resize = "opencv-linear"
colour = "RGB"
range = "0-255"
type = "f32"
layout = "NCHW"
"""


def test_an_array_takes_the_place_of_a_picture(project: Project) -> None:
    project.edit(PICTURE, 'array = { source = "saved", member = "x" }\ntype = "f32"\n')
    project.edit(
        "[model]", '[source.saved]\nurls = ["file:saved.npz"]\nlicense = "CC0-1.0"\n\n[model]'
    )
    values = numpy.zeros((1, 3, 8, 8))
    values[0, 0] = 200
    numpy.savez(project.root / "saved.npz", x=values)
    run = project.doit()
    assert run.returncode == 0, run.output
    assert {"source:tiny.saved", "tensor:tiny.red"} <= run.steps("built")
    tensor = project.folder / "red-1x3x8x8-f32.raw"
    assert tensor.read_bytes() == values.astype("<f4").tobytes()
    numpy.savez(project.root / "saved.npz", x=numpy.full((1, 3, 8, 8), numpy.nan))
    run = project.doit()
    assert "The array has NaN or infinite values." in run.output
    assert "nan at [0, 0, 0, 0]" in run.output


def test_a_source_that_a_tensor_names_must_be_declared(project: Project) -> None:
    project.edit(PICTURE, 'sound = { source = "recording", rate = 8000 }\ntype = "f32"\n')
    run = project.doit()
    assert run.returncode == 1
    assert "No source named 'recording'" in run.output
