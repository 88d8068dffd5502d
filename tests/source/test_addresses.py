"""Addresses as values, and what messages show of them."""

from __future__ import annotations

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.http.urls import http_fault, printable_line, redacted_url
from pipeline.source.addresses import FileUrl, HttpUrl, PypiUrl, parse_url


def test_each_kind_becomes_its_value() -> None:
    text = "pypi:scikit-image==0.26.0#src/skimage/data/coffee.png"
    member = "src/skimage/data/coffee.png"
    assert parse_url(text) == PypiUrl(text, "scikit-image", "0.26.0", member)
    assert parse_url("file:/abs/a b.onnx") == FileUrl("file:/abs/a b.onnx", "/abs/a b.onnx")
    assert parse_url("https://h.example/a") == HttpUrl("https://h.example/a")
    assert parse_url("http://[::1]:80/a") == HttpUrl("http://[::1]:80/a")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.onnx",
        "ftp://h.example/a",
        "file:",
        "file://h.example/a",
        "file:a\0b",
        "https:/h.example/a",
        "https://",
        "https://h.example:port/a",
        "https://[::1/a",
        "https://h.example/a b",
        "https://h.example/a\n",
        "http://h.example/a",
        "http://127.0.0.1.h.example/a",
        "http://localhost.h.example/a",
        "pypi:a#b",
        "pypi:a==1",
        "pypi:a==1#",
        "pypi:a>=1#b",
        "pypi:a==1.*#b",
        "pypi:a==1#../b",
        "pypi:a==1#/b",
        "pypi:../a==1#b",
    ],
)
def test_what_is_no_address_is_one_clear_error(text: str) -> None:
    with pytest.raises(PipelineError) as caught:
        parse_url(text)
    assert caught.value.code is Code.CONFIG
    assert caught.value.expected
    assert "pypi:NAME==VERSION#PATH" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "https://me:hush@h.example/a.bin?token=hush#hush",
        "https://hush@h.example/a.bin",
        "https://me:hu@hush@h.example/a.bin",
        "https://me:pass/hush@h.example/a.bin?hush",
        "HTTPS://me:hush@h.example/",
    ],
)
def test_nothing_secret_is_shown(text: str) -> None:
    assert "hush" not in redacted_url(text)
    assert redacted_url(text).lower().startswith("https://")


def test_anothers_words_cannot_steer_a_terminal() -> None:
    assert printable_line("a\x1b[31m\r\nb\u202e") == "a?[31m??b?"
    assert len(printable_line("x" * 10_000)) == 200


def test_plain_http_is_for_every_loopback_address() -> None:
    fine = ["http://localhost/a", "http://127.8.9.1:99/a", "http://[::1]/a"]
    assert [http_fault(url) for url in fine] == ["", "", ""]
    assert http_fault("http://10.0.0.1/a")
    assert http_fault("http://2130706433/a")
