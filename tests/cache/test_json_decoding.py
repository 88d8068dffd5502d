"""JSON is decoded to typed values in many threads at once."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.tiny import ROOT

# In a process of its own, which a crash would end.
PROGRAM = """
import sys, threading
from typing import Optional
import msgspec
from pipeline.cache.json_decoding import convert_value, decode_json, decode_msgpack, json_decoder

def described(number):
    inner = msgspec.defstruct(f"Inner{number}", [("x", int), ("names", "dict[str, list[int]]", {})])
    return msgspec.defstruct(
        f"Outer{number}", [("x", int), ("text", "str"), ("inner", Optional[inner], None)]
    )

sys.setswitchinterval(1e-6)
ways = (
    lambda kind: decode_json(b'{"x": 1, "text": "a", "inner": {"x": 2}}', kind),
    lambda kind: convert_value({"x": 1, "text": "a", "inner": {"x": 2}}, kind),
    lambda kind: json_decoder(kind).decode(b'{"x": 1, "text": "a", "inner": {"x": 2}}'),
    lambda kind: decode_msgpack(msgspec.msgpack.encode({"x": 1, "text": "a"}), kind),
)
for number in range(300):
    kind, gate = described(number), threading.Barrier(8)
    threads = [
        threading.Thread(target=lambda way=way: (gate.wait(), way(kind))) for way in ways * 2
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
"""


def test_a_type_is_described_by_one_thread_at_a_time() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_other_module_describes_types() -> None:
    """But for JSON without a type."""
    known = {"json_decoding.py", "pypi_index.py"}
    calls = re.compile(r"msgspec\.(convert|(json|msgpack|toml|yaml)\.(decode|Decoder))\(")
    assert [
        path.name
        for path in (ROOT / "pipeline").rglob("*.py")
        if path.name not in known and calls.search(path.read_text())
    ] == []
