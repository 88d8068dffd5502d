"""The devices that OpenVINO finds."""

from __future__ import annotations

import json

from pipeline.cli.doctor.check import CheckResult, failed, passed
from pipeline.cli.doctor.subprocess_probe import ProbeError, probe

_PROGRAM = """
import json, openvino
core = openvino.Core()
names = {device: core.get_property(device, "FULL_DEVICE_NAME") for device in core.available_devices}
print(json.dumps(names))
"""
_FIX = "pip install --force-reinstall openvino; its CPU plug-in needs an x86-64 or ARM64 processor"


def devices() -> list[CheckResult]:
    """Return a line for each device; fixtures are verified on the CPU."""
    try:
        names: dict[str, str] = json.loads(probe(_PROGRAM))
    except (ProbeError, ValueError) as problem:
        return [failed("device", "CPU", f"OpenVINO fails: {problem}", _FIX)]
    lines = [passed("device", device, name) for device, name in sorted(names.items())]
    if "CPU" not in names:
        lines.append(failed("device", "CPU", "not found by OpenVINO", _FIX))
    return lines
