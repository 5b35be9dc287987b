"""Reads the imports of a source tree without running it, for the tests of the repository's structure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PRODUCT = ("lpff_ray", "actors", "cluster")
# "package.module:attribute": what a Registry, or an entry point, imports when it is asked for the name.
_LAZY_NAME = re.compile(r"(?:lpff_ray|actors|cluster|ray)(?:\.\w+)*:\w+")


@dataclass(frozen=True)
class Import:
    """An import of a module, in full ("lpff_ray.run.pool"), by a line of a file.

    names: of what is taken from it, which may be modules. deferred: it is inside a function, or a string that names
    the module for import_module or a Registry.
    """

    module: str
    names: tuple[str, ...]
    line: int
    deferred: bool = False

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


def module_name(path: Path) -> str:
    """The name under which a file, relative to the repository's root, is imported."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str, path: Path) -> list[Import]:
    """Every import of a file: at its top, under TYPE_CHECKING, inside functions, and by a string.

    path: relative to the repository's root. A relative import that leaves the repository's packages has module "".
    """
    package = list(path.parts[:-1])

    def absolute(node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        base = package[: len(package) - node.level + 1]
        return ".".join([*base, *([node.module] if node.module else [])]) if base else ""

    def walk(node: ast.AST, deferred: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, (), node.lineno, deferred)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield Import(absolute(node), names, node.lineno, deferred)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield Import(node.args[0].value, (), node.lineno, True)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and _LAZY_NAME.fullmatch(node.value)
        ):
            yield Import(node.value.partition(":")[0], (), node.lineno, True)
        deferred = deferred or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            yield from walk(child, deferred)

    return list(walk(ast.parse(source), False))


def sources(root: Path, packages: Sequence[str] = PRODUCT) -> dict[Path, str]:
    """The text of every Python file of some top folders of `root`, by path relative to it."""
    found = (path for package in packages for path in sorted((root / package).rglob("*.py")))
    return {path.relative_to(root): path.read_text("utf-8") for path in found}


def import_circles(files: Mapping[Path, str]) -> list[list[str]]:
    """Groups of modules that import one another, at the top or under TYPE_CHECKING, at once or over others.

    A package's own __init__ is imported with every module in it; that alone makes no circle here.
    """
    modules = {module_name(path) for path in files}
    graph: dict[str, set[str]] = {}
    for path, text in files.items():
        found = [one for one in imports(text, path) if not one.deferred]
        taken = {f"{one.module}.{name}" for one in found for name in one.names} & modules
        # `from package import module` asks the package for nothing of its own if all names are modules.
        asked = {
            one.module
            for one in found
            if not one.names or any(f"{one.module}.{name}" not in modules for name in one.names)
        }
        graph[module_name(path)] = (taken | (asked & modules)) - {module_name(path)}
    return [sorted(group) for group in _strongly_connected(graph) if len(group) > 1]


def _strongly_connected(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Tarjan's algorithm (SIAM J. Comput. 1, 1972), as sets of nodes."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = set()
            while node not in group:
                group.add(stack.pop())
            groups.append(group)

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return groups


def exposed_metrics() -> set[str]:
    """The metrics of a run on a node's page for Prometheus: Ray puts `ray_` before all, and `_total` after counters."""
    source = (REPOSITORY / "cluster" / "metrics.py").read_text("utf-8")
    found = re.findall(r"\b(Counter|Gauge)\(\s*\"(\w+)\"", source)
    return {f"ray_{name}{'_total' if kind == 'Counter' else ''}" for kind, name in found}
