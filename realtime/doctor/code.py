"""Where the project's own code writes synchronised tables past ``save``: a look at the text, not a proof."""

import ast
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps

from ..capture.sources import held_models
from .finding import RECONCILE, Finding

_CALLS = {"update", "bulk_create", "bulk_update"}
_LEFT_OUT = {"tests", "migrations"}
SHOWN = 5
"""Places that a line names; the rest is in the details."""


def examine(*, seen: bool) -> Iterator[Finding]:
    """Yield where such calls stand: information, and a warning for SQL where no trigger sees it (``seen``)."""
    places = {place: call for path in _files() for place, call in calls(path)}
    sql = {} if seen else {place: call for place, call in places.items() if call.startswith("execute")}
    rest = {place: call for place, call in places.items() if place not in sql}
    if sql:
        what = f"code: SQL that names a synchronised table and is not seen: {_named(sql)}"
        yield Finding("warn", what, f"use the ORM, or {RECONCILE} after it", sql)
    if rest:
        yield Finding("ok", f"code: writes synchronised tables past save(), and is seen: {_named(rest)}", details=rest)
    if not places:
        yield Finding("ok", "code: no bulk call and no SQL that names a synchronised table was found")


def _named(places: dict[str, str]) -> str:
    first = ", ".join(f"{place} {call}" for place, call in list(places.items())[:SHOWN])
    return first + (f" and {len(places) - SHOWN} more" if len(places) > SHOWN else "")


def _files() -> Iterator[Path]:
    """Yield the modules of the project's own apps."""
    libraries = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib")}
    for config in apps.get_app_configs():
        root = Path(config.path)
        if config.name == "realtime" or any(library in root.parents for library in libraries):
            continue
        for path in sorted(root.rglob("*.py")):
            if not _LEFT_OUT & set(path.relative_to(root).parts):
                yield path


def calls(path: Path) -> Iterator[tuple[str, str]]:
    """Yield ``file:line`` and the call, for what may write a synchronised table in a module that names its model."""
    text = path.read_text(errors="replace")
    models = held_models()
    tables = [model._meta.db_table for model in models]
    names_model = any(model.__name__ in text for model in models)
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = node.func.attr
        by_rows = names_model and name in _CALLS and (name != "update" or _is_of_rows(node))
        if by_rows or (name.startswith("execute") and any(_says(node, table) for table in tables)):
            yield f"{path.parent.name}/{path.name}:{node.lineno}", f"{name}()"


def _is_of_rows(node: ast.Call) -> bool:
    """Whether an ``update`` can be a queryset's: those take keywords only, which a dictionary's seldom has."""
    return not node.args and bool(node.keywords)


def _says(node: ast.Call, table: str) -> bool:
    parts = (part for argument in node.args for part in ast.walk(argument))
    return any(isinstance(part, ast.Constant) and table in str(part.value) for part in parts)
