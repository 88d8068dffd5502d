"""The environment of a process that runs guests: what programs need to work, and no secrets.

A model is computed by large C++ libraries in the host's process. If one of them gives a guest bytes
of the process, tokens and passwords of the user should not be among them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pipeline.telemetry import SWITCHES

_NAMES = frozenset(
    {
        *("PATH", "HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "SYSTEMROOT", "PWD"),
        *("TMPDIR", "TMP", "TEMP", "TZ", "LANG", "LANGUAGE", "VIRTUAL_ENV"),
        *("TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "XDG_CACHE_HOME"),
        *SWITCHES,
    }
)
# Of Python, the locale, the dynamic linker, OpenMP and the libraries for inference.
_PREFIXES = (
    *("PYTHON", "LC_", "LD_", "DYLD_", "MALLOC_", "OMP_", "KMP_", "TBB_", "MKL_", "OPENBLAS_"),
    *("ONEDNN_", "DNNL_", "OPENVINO_", "OV_", "ORT_", "TF_", "WASMTIME_", "WASI_NN_"),
)


def without_secrets(environment: Mapping[str, str], passed: Collection[str] = ()) -> dict[str, str]:
    """Return the variables that are known to hold no secrets, and those that are ``passed`` on.

    >>> without_secrets({"PATH": "/bin", "LC_ALL": "C", "API_TOKEN": "x", "MODEL": "m"}, ["MODEL"])
    {'PATH': '/bin', 'LC_ALL': 'C', 'MODEL': 'm'}
    """
    return {name: value for name, value in environment.items() if not may_be_secret(name, passed)}


def may_be_secret(name: str, passed: Collection[str] = ()) -> bool:
    """Whether a variable is neither known to hold no secret nor ``passed`` on."""
    return not (name in _NAMES or name in passed or name.startswith(_PREFIXES))
