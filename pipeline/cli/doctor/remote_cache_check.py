"""The remote cache, if the project configures one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.cli.doctor.check import CheckResult, failed, passed
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.config.load_project import Configs

_NO_KEY = "0" * 64
_MOST_SECONDS = 10.0


def remote_cache(configs: Configs) -> list[CheckResult]:
    """Return whether the remote cache is reachable and accepts our credentials.

    It is asked for a key that cannot exist.

    Runs continue without the cache, but not without the variables of its secrets.
    """
    from pipeline.cache.remote.open_store import open_remote_store
    from pipeline.cache.remote.remote_store import RemoteError
    from pipeline.http.paired_secrets import paired_secret

    remote = configs.project.remote
    if remote is None:
        return []
    secrets: dict[str, str] = {}
    lines = []
    for name in filter(None, (remote.token_env, remote.secret_env)):
        if not os.environ.get(name):
            problem = "the environment variable is not set"
            lines.append(failed("remote cache", name, problem, f"export {name}=…"))
            continue
        try:
            secrets[name] = paired_secret(name, remote.url, where="configs/project.toml")
        except PipelineError as error:
            lines.append(failed("remote cache", name, error.message, error.hint))
    if configs.project.offline:
        return [*lines, passed("remote cache", "reach", "not checked: the project is offline")]
    token = secrets.get(remote.token_env)
    try:
        opened = open_remote_store(
            remote.url, token=token, seconds=min(remote.seconds, _MOST_SECONDS)
        )
        where = opened.describe()
        opened.get_record(_NO_KEY)
    except PipelineError as error:
        return [*lines, failed("remote cache", "reach", error.message, error.hint)]
    except RemoteError as fault:
        fix = "Fix [remote] url in configs/project.toml, or its token"
        problem = f"{where}: {fault}; runs continue without it"
        return [*lines, failed("remote cache", "reach", problem, fix, needed=fault.final)]
    return [*lines, passed("remote cache", "reach", f"{where} is reachable")]
