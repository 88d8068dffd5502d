"""What a Python file says: its meaning without comments, docstrings and formatting; its imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.cache.digest import Digest

# What says where a value is used, or what only a type checker reads.
_LEFT_OUT = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_SCOPES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Import(NamedTuple):
    """An import of a module or package, or of something that may be one.

    ``whole`` is an import of the name itself, so that of a package every module can be used;
    ``late`` is one inside a function, which runs when that is called.
    """

    name: str
    whole: bool
    late: bool


class PythonSource(NamedTuple):
    """A file: the SHA-256 of what it says, its imports, and the texts that may name files.

    ``texts`` are its string literals that have the form of a file's name, where the file asks for
    its own place (``__file__``).
    """

    sha256: str
    imports: list[Import]
    texts: list[str]


def read_source(data: bytes, package: str) -> PythonSource:
    r"""Return what a file of ``package`` says; a file that is no Python is its bytes.

    The digest is the same on every Python that reads the file.

    >>> one = b'def f(x):\n    "Doc."\n    return (x + 1)  # more\n'
    >>> read_source(one, "").sha256 == read_source(b"def f(x): return x+1", "").sha256
    True
    >>> read_source(one, "").sha256 == read_source(b"def f(x): return x+2", "").sha256
    False
    """
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError):
        return PythonSource(Digest.of_bytes(data).sha256, [], [])
    form = "".join(_form(tree))
    imports = dict.fromkeys(_imports(tree, package, late=False))
    return PythonSource(Digest.of_bytes(form.encode()).sha256, list(imports), _texts(tree))


def _form(value: object) -> Iterator[str]:
    """Yield a text of a syntax tree; unlike ast.dump's it is the same for every version."""
    if isinstance(value, ast.AST):
        yield f"{type(value).__name__}("
        for name, field in ast.iter_fields(value):
            if name == "body" and isinstance(value, _SCOPES):
                field = [each for each in field if not _is_idle(each)]
            elif name == "values" and isinstance(value, ast.JoinedStr):
                field = _joined(field)
            # Later versions have more fields, which are empty in what earlier ones can read.
            if name not in _LEFT_OUT and field is not None and field != []:
                yield f"{name}="
                yield from _form(field)
        yield ")"
    elif isinstance(value, list):
        yield "["
        for each in value:
            yield from _form(each)
        yield "]"
    else:
        # repr shows a letter as itself only where that version's Unicode has it.
        yield f"{type(value).__name__} {value!a},"


def _is_idle(statement: ast.stmt) -> bool:
    """Tell whether a statement is a string alone, or only for type checkers: it does nothing."""
    if isinstance(statement, ast.If):
        return _names(statement.test) == "TYPE_CHECKING" and not statement.orelse
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """Return the parts of an f-string; 3.12 has an empty text in some, and may split others."""
    found: list[ast.expr] = []
    for each in values:
        last = found[-1] if found else None
        if not isinstance(each, ast.Constant):
            found.append(each)
        elif isinstance(last, ast.Constant):
            found[-1] = ast.Constant(str(last.value) + str(each.value))
        elif each.value != "":
            found.append(each)
    return found


def _imports(node: ast.AST, package: str, *, late: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, True, late)
    elif isinstance(node, ast.ImportFrom):
        module = node.module or ""
        if node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            module = ".".join([*above, *([module] if module else [])])
        yield Import(module, False, late)
        for alias in node.names:
            yield Import(f"{module}.{alias.name}", True, late)
    for child in _run(node):
        inside = late or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        yield from _imports(child, package, late=inside)


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node's children, but those that only a type checker looks at."""
    if isinstance(node, ast.If) and _names(node.test) == "TYPE_CHECKING":
        yield from node.orelse
    else:
        yield from ast.iter_child_nodes(node)


def _names(test: ast.expr) -> str:
    return test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")


def _texts(tree: ast.AST) -> list[str]:
    nodes = list(ast.walk(tree))
    if not any(isinstance(node, ast.Name) and node.id == "__file__" for node in nodes):
        return []
    texts = (node.value for node in nodes if isinstance(node, ast.Constant))
    return sorted({text for text in texts if isinstance(text, str) and _is_name(text)})


def _is_name(text: str) -> bool:
    return text not in ("", ".", "..") and not set(text) & set("/\\\0\n ")
