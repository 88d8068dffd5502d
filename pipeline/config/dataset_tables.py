"""Tables of a dataset: the location of its images, their tensors and labels."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pipeline.config.tables import Seconds, Table, Text
from pipeline.config.tensor_tables import Tensor

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Shards = Annotated[int, msgspec.Meta(ge=1, le=10000)]


class Accuracy(Table, frozen=True):
    """Minimum accuracy on the labelled images, natively and in the guest.

    An image counts for ``top1`` if its class has the largest value of the output, and for ``top5``
    if it is among the five largest; shares are from 0 to 1.
    """

    output: Text | None = None
    """Name of the output to evaluate."""
    top1: Share | None = None
    """Minimum share of images whose class ranks first."""
    top5: Share | None = None
    """Minimum share of images whose class is among the top five."""


class Dataset(Table, frozen=True):
    """Many images that become tensors for the model's only input, split into shards.

    The images are in one of ``folder``, ``glob``, ``archive`` and ``bucket``. The shard of an image
    depends only on its name. Labels come from the folders or from a file.
    """

    tensor: Tensor
    """How each image becomes a tensor: as for a case, without an image."""
    bad: Literal["skip", "fail"]
    """What to do with an unreadable image: report and skip it, or fail."""
    folder: Text | None = None
    """Folder of the images, searched recursively; relative to the project, or absolute."""
    glob: Text | None = None
    """Pattern of the images, such as photos/**/*.jpg; relative to the project, or absolute."""
    archive: Text | None = None
    """Source of a zip, tar or tar.gz archive of images."""
    bucket: Text | None = None
    """URL of a bucket's folder of images in a scheme of fsspec, such as s3://photos/val."""
    shards: Shards = 1
    """Number of steps that the images are split into; each needs 10 or more."""
    seconds: Seconds = 600.0
    """Time limit of one shard, in seconds."""
    label_folders: bool = False
    """Whether an image's label is the name of its folder."""
    labels: Text | None = None
    """Source with a line for each image: its path, then a tab, comma or space, then its label."""
    classes: Text | None = None
    """Source with the label of each class, one per line; without it labels are numbers."""
    accuracy: Accuracy | None = None
    """Minimum accuracy on the images."""


def picture_tensor(dataset: Dataset) -> Tensor:
    """Return the table of a dataset's tensors as for a case with an image."""
    return msgspec.structs.replace(dataset.tensor, image="picture", signal=None)
