"""The cache folder that all of a user's projects share."""

from __future__ import annotations

import os
from pathlib import Path

USER_CACHE_VARIABLE = "WASI_NN_CACHE"


def user_cache_folder() -> Path:
    """Return the cache folder of all of the user's projects; WASI_NN_CACHE overrides it."""
    if named := os.environ.get(USER_CACHE_VARIABLE):
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("wasi-nn")
