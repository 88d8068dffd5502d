"""What a config may say of a dataset: where its pictures are, their tensors and labels."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pipeline.config.tables import Seconds, Table, Text
from pipeline.config.tensor_tables import Tensor

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Shards = Annotated[int, msgspec.Meta(ge=1, le=10000)]


class Accuracy(Table, frozen=True):
    """How many labelled pictures the fixture must classify right, natively and in the guest.

    A picture counts for ``top1`` when its class has the largest value of the output, and for
    ``top5`` when it is among the five largest; shares are from 0 to 1.
    """

    output: Text | None = None
    """The name of the output that is looked at."""
    top1: Share | None = None
    """The least share of pictures whose class must come first."""
    top5: Share | None = None
    """The least share of pictures whose class must be among the first five."""


class Dataset(Table, frozen=True):
    """Many pictures that become tensors of the model's one input, shared out among steps.

    The pictures are in one of ``folder``, ``glob``, ``archive`` and ``bucket``. Which shard a
    picture falls to depends on its name alone. Labels come from the folders or from a file.
    """

    tensor: Tensor
    """How each picture becomes a tensor: as for a case, without an image."""
    bad: Literal["skip", "fail"]
    """What becomes of a picture that cannot be read: it is reported and left out, or an error."""
    folder: Text | None = None
    """The folder of the pictures, relative to the project, or absolute; with those below it."""
    glob: Text | None = None
    """The pictures by a pattern such as photos/**/*.jpg, relative to the project, or absolute."""
    archive: Text | None = None
    """The source that is a zip, tar or tar.gz file of pictures."""
    bucket: Text | None = None
    """The address of a folder of pictures that fsspec knows, such as s3://photos/val."""
    shards: Shards = 1
    """How many steps the pictures are shared out among; each must have 10 or more."""
    seconds: Seconds = 600.0
    """The wall time for one shard, in seconds."""
    label_folders: bool = False
    """Whether the folder that a picture lies in is its label."""
    labels: Text | None = None
    """The source with a line for each picture: its path, then a tab, comma or space, its label."""
    classes: Text | None = None
    """The source with the label of each class, one a line; without it labels are numbers."""
    accuracy: Accuracy | None = None
    """What share of the pictures must be classified right."""


def picture_tensor(dataset: Dataset) -> Tensor:
    """Return the table of the tensors, as it would be for a case with a picture."""
    return msgspec.structs.replace(dataset.tensor, image="picture", signal=None)
