"""A secret goes only to a server that the user has paired with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.http.paired_secrets import is_paired, paired_secret


@pytest.fixture(autouse=True)
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("TOKEN", "t")
    (tmp_path / "wasi-nn").mkdir()
    return tmp_path / "wasi-nn/hosts.toml"


@pytest.mark.parametrize(
    ("paired", "url", "allowed"),
    [
        ("TOKEN=https://a.example", "https://a.example/ac/", True),
        ("TOKEN=https://a.example/", "https://A.example:443/ac/", True),
        ("OTHER=s3://b TOKEN=s3://bucket", "s3://bucket/folder", True),
        ("TOKEN=https://a.example", "https://a.example:444/", False),
        ("TOKEN=https://a.example", "http://a.example/", False),
        ("TOKEN=https://a.example", "https://a.example.evil.example/", False),
        ("TOKEN=https://a.example", "https://a.example@evil.example/", False),
        ("TOKEN=a.example", "https://a.example/", False),
        ("OTHER=https://a.example", "https://a.example/", False),
        ("TOKEN=s3://bucket", "s3://bucket-of-others/folder", False),
        ("", "https://a.example/", False),
    ],
)
def test_only_a_paired_origin_has_a_secret(
    monkeypatch: pytest.MonkeyPatch, hosts: Path, paired: str, url: str, allowed: bool
) -> None:
    monkeypatch.setenv("WASI_NN_HOSTS", paired)
    assert is_paired("TOKEN", url) is allowed
    monkeypatch.setenv("WASI_NN_HOSTS", "")
    pairs = [pair.split("=") for pair in paired.split()]
    lines = [f"{name} = [{origin!r}]" for name, origin in pairs]
    hosts.write_text("\n".join(["[hosts]", *lines]))
    assert is_paired("TOKEN", url) is allowed


@pytest.mark.parametrize("text", ["[hosts", "hosts = 1", "[hosts]\nTOKEN = 'https://a.example'"])
def test_an_invalid_file_of_hosts_is_one_error(hosts: Path, text: str) -> None:
    hosts.write_text(text)
    with pytest.raises(PipelineError) as caught:
        paired_secret("TOKEN", "https://a.example", where="configs/project.toml")
    assert caught.value.where == str(hosts)


def test_the_error_names_the_pair_that_is_missing() -> None:
    with pytest.raises(PipelineError) as caught:
        paired_secret("TOKEN", "https://evil.example/x", where="configs/project.toml")
    assert "TOKEN=https://evil.example" in caught.value.hint
    assert "t" not in caught.value.found.split()
