"""Join modules of a package into one file that can be run alone."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from importlib.resources import files

_FUTURE = "from __future__ import annotations"


def single_file(package: str, names: Sequence[str]) -> str:
    """Return the modules of ``package`` as one, in this order, under the docstring of the last.

    Their imports of each other are dropped. Raises ValueError if two modules define one name.
    """
    imports: set[str] = set()
    bodies: list[str] = []
    defined: dict[str, str] = {}
    docstring = ""
    for name in names:
        source = (files(package) / f"{name}.py").read_text(encoding="utf-8")
        tree = ast.parse(source)
        docstring = ast.get_docstring(tree) or docstring
        lines = source.splitlines()
        for node in tree.body:
            for each in _defined(node):
                if each in defined:
                    raise ValueError(f"{each} is defined in {defined[each]} and in {name}")
                defined[each] = name
        head = [node for node in tree.body if _is_head(node)]
        for node in head:
            text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
            if isinstance(node, ast.Import | ast.ImportFrom) and package not in text:
                imports.add(text)
        imports.discard(_FUTURE)
        bodies.append("\n".join(lines[max(node.end_lineno or 0 for node in head) :]).strip())
    ordered = sorted(imports, key=lambda text: (text.startswith("from"), text))
    return "\n".join(
        [f'"""{docstring}"""', "", _FUTURE, "", *ordered, "", "\n\n\n".join(bodies), ""]
    )


def _is_head(node: ast.stmt) -> bool:
    """Whether it is the module's docstring or one of its imports."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Import | ast.ImportFrom)


def _defined(node: ast.stmt) -> list[str]:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [
                part.id
                for target in targets
                for part in ast.walk(target)
                if isinstance(part, ast.Name)
            ]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []
