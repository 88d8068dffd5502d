"""Connect to a cluster's scheduler, checking its version of Dask."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

from pipeline.errors import Code, PipelineError

_CONNECT_SECONDS = 15


def connected(address: str) -> Any:
    """Return a connected client; raises PipelineError (CLUSTER)."""
    try:
        import distributed
    except ImportError:
        raise PipelineError(
            Code.CLUSTER,
            "Dask, required by --cluster, is not installed.",
            hint="pip install 'wasi-nn-pipeline[dask]'",
        ) from None
    # Checked first: a client that cannot connect hangs when it is closed.
    ours, theirs = version("distributed"), _scheduler_version(address)
    if ours != theirs:
        raise PipelineError(
            Code.CLUSTER,
            "The cluster's scheduler has a different version of Dask.",
            where=address,
            expected=f"distributed {ours}",
            found=f"distributed {theirs}",
            hint="Install the same version on both sides.",
        )
    connect: Any = distributed.Client
    try:
        return connect(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except Exception as error:
        raise unusable(error) from None


def _scheduler_version(address: str) -> str:
    from distributed import Security
    from distributed.core import rpc

    security: Any = Security
    call: Any = rpc

    async def ask() -> Any:
        arguments = security().get_connection_args("client")
        async with call(address, timeout=_CONNECT_SECONDS, connection_args=arguments) as scheduler:
            return await scheduler.versions(packages=[])

    try:
        identity = asyncio.run(asyncio.wait_for(ask(), 2 * _CONNECT_SECONDS))
    except Exception as error:
        raise PipelineError(
            Code.CLUSTER,
            "The cluster's scheduler cannot be reached.",
            where=address,
            found=line(error),
            hint="Use the address printed by `dask scheduler`, such as tcp://10.0.0.5:8786.",
        ) from None
    try:
        return str(identity["packages"]["distributed"])
    except (KeyError, TypeError) as error:
        raise unusable(error) from None


def unusable(error: Exception) -> PipelineError:
    """Return the error for a cluster with unexpected responses."""
    return PipelineError(
        Code.CLUSTER,
        "The cluster is missing this pipeline or has a different version of Dask.",
        found=line(error),
        hint="Install the same versions of Dask and of this pipeline on every machine.",
    )


def line(error: BaseException) -> str:
    """Return the type and first line of an error."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
