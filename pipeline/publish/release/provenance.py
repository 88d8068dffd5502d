"""provenance.json: how a fixture was built, as an in-toto statement with SLSA's predicate.

Sources: in-toto attestation framework, Statement v1; SLSA v1.0, build provenance. Times and the
machine are omitted, so that it is reproducible; the evidence has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.publish.release.release import ReleasedFile

_BUILD_TYPE = "urn:wasi-nn-pipeline:fixture:v1"
_BUILDER = "pkg:pypi/wasi-nn-pipeline"


def provenance(manifest: Mapping[str, Any], files: Sequence[ReleasedFile]) -> bytes:
    """Return the statement about a fixture's files, from its manifest."""
    toolchains = manifest["toolchains"]
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": file.path, "digest": {"sha256": file.sha256}} for file in files],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {
                    "fixture": manifest["name"],
                    "model": {
                        key: value
                        for key, value in manifest["model"].items()
                        if key not in ("interface", "canonical_digest")
                    },
                    "tensors": manifest["tensors"],
                    "guest": manifest["guest"],
                },
                "internalParameters": {"tools": manifest["tools"]},
                "resolvedDependencies": [
                    *(
                        {
                            "name": name,
                            "uri": source["urls"][0],
                            "digest": {"sha256": source["sha256"]},
                        }
                        for name, source in sorted(manifest["sources"].items())
                    ),
                    *(
                        {
                            "name": f"toolchain {name}",
                            "uri": f"file:configs/toolchains/{name}.lock",
                            "digest": {"sha256": stamp["lock"]},
                        }
                        for name, stamp in sorted(toolchains.items())
                    ),
                ],
            },
            "runDetails": {
                "builder": {"id": _BUILDER, "version": manifest["tools"]},
                "metadata": {},
            },
        },
    }
    return json.dumps(statement, indent=1, ensure_ascii=False).encode() + b"\n"
