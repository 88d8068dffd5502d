"""The input of a case as images: the source's picture, and the one that the tensor holds."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.tensor_tables import Tensor

# Enough to see what it is.
_LONGEST = 256


def write_pictures(
    folder: Path, number: str, source: Path, raw: Path, tensor: Tensor, dims: tuple[int, ...]
) -> None:
    """Write ``input<number>.source.png`` and ``input<number>.tensor.png``.

    The first is the source's picture, made smaller; the second has the tensor's own size, with
    range, mean and scale undone: swapped colours and a wrong layout show. Raises PipelineError
    (TENSOR).
    """
    from PIL import Image

    from pipeline.tensor.decode_image import decode
    from pipeline.tensor.spec import TensorSpec
    from pipeline.tensor.tensor_file import read_tensor
    from pipeline.tensor.tensor_preview import picture_of

    ground = tensor.background or (0, 0, 0)
    picture = decode(source, "RGB", background=ground, pixels=tensor.pixels)
    picture.thumbnail((_LONGEST, _LONGEST))
    picture.save(folder / f"input{number}.source.png", format="PNG")
    assert tensor.layout is not None
    spec = TensorSpec.of(tensor, dims)
    pixels = picture_of(read_tensor(raw, spec), tensor.layout, spec)
    held = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    held.save(folder / f"input{number}.tensor.png", format="PNG")
