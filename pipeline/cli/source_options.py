"""The options that say what a source model is, which its files do not tell."""

from __future__ import annotations

import argparse
from typing import get_args

from pipeline.config.model_tables import Framework


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--framework``, ``--architecture`` and ``--signature``."""
    parser.add_argument(
        "--framework", choices=get_args(Framework), help="the model's framework (default: detected)"
    )
    parser.add_argument(
        "--architecture",
        metavar="NAME",
        help="module of a PyTorch state dict: mobilenet_v2, or package.module:callable",
    )
    parser.add_argument(
        "--signature",
        metavar="NAME",
        help="signature of a TFLite file or SavedModel (default: the only one, or serving_default)",
    )
