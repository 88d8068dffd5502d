"""The documentation of a table's keys: the string below each in the schema's source."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache


def key_docs(table: type) -> Mapping[str, str]:
    """Return the documentation of each documented key of a table, or member of an enum.

    >>> from pipeline.config.schema import Source
    >>> key_docs(Source)["size"]
    'Size of the file in bytes.'
    """
    return _all_docs(table.__module__).get(table.__name__, {})


@cache
def _all_docs(name: str) -> Mapping[str, Mapping[str, str]]:
    module = ast.parse(inspect.getsource(sys.modules[name]))
    classes = (node for node in module.body if isinstance(node, ast.ClassDef))
    return {node.name: dict(_documented(node)) for node in classes}


def _documented(table: ast.ClassDef) -> list[tuple[str, str]]:
    found = []
    for field, below in zip(table.body, table.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found.append((name, inspect.cleandoc(text)))
    return found
