"""The walls between the three houses of the design, kept by reading every import.

lpff_ray   never imports ray, actors or cluster; cli/ may import cluster, inside the command that needs
it actors     imports ray and lpff_ray
cluster    imports ray, actors and lpff_ray
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSES = {"lpff_ray", "actors", "cluster"}
MAY_IMPORT = {"actors": {"actors", "ray", "lpff_ray"}, "cluster": {"cluster", "ray", "actors", "lpff_ray"}}
FORBIDDEN_TO_LPFF_RAY = {"ray", "actors", "cluster"}


def imports(tree: ast.Module) -> Iterator[tuple[str, int, bool, int]]:
    """(module, relative level, inside a function, line) of every import, also by import_module or
    __import__."""

    def walk(node: ast.AST, inside: bool) -> Iterator[tuple[str, int, bool, int]]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, 0, inside, node.lineno
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level, inside, node.lineno
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.args[0].value, 0, inside, node.lineno
        inside = inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside)

    yield from walk(tree, False)


def trespasses(source: str, path: Path) -> list[str]:
    """What in a file's imports breaks a wall. path: relative to the repository's root."""
    house, depth = path.parts[0], len(path.parts) - 1
    found = []
    for module, level, inside, line in imports(ast.parse(source)):
        top = module.partition(".")[0]
        if level > depth:
            found.append(f"{path}:{line}: a relative import that leaves {house}/")
        elif level:
            continue
        elif house == "lpff_ray":
            in_cli = path == Path("lpff_ray/cli/main.py") and top == "cluster" and inside
            if top in FORBIDDEN_TO_LPFF_RAY and not in_cli:
                found.append(f"{path}:{line}: imports {module}")
        elif top not in MAY_IMPORT[house] | sys.stdlib_module_names:
            found.append(f"{path}:{line}: imports {module}")
    return found


def files() -> list[Path]:
    return [
        path.relative_to(ROOT) for house in sorted(HOUSES) for path in sorted((ROOT / house).rglob("*.py"))
    ]


def test_every_house_stands() -> None:
    assert {path.parts[0] for path in files()} == HOUSES


def test_no_import_breaks_a_wall() -> None:
    found = [line for path in files() for line in trespasses((ROOT / path).read_text("utf-8"), path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source", "allowed"),
    [
        ("lpff_ray/run/miner.py", "import ray", False),
        ("lpff_ray/run/miner.py", "from cluster.session import fit", False),
        ("lpff_ray/run/miner.py", "def f():\n    from actors import miner", False),
        ("lpff_ray/run/miner.py", "if TYPE_CHECKING:\n    import ray.actor", False),
        ("lpff_ray/run/miner.py", "import importlib\nimportlib.import_module('ray')", False),
        ("lpff_ray/run/miner.py", "import numpy", True),
        ("lpff_ray/measure/pose/fits.py", "from ..plan import Video", True),
        ("lpff_ray/measure/pose/fits.py", "from ... import cluster", False),
        ("lpff_ray/cli/main.py", "def f():\n    from cluster.executor import ray_executor", True),
        ("lpff_ray/cli/main.py", "from cluster.executor import ray_executor", False),
        ("lpff_ray/cli/main.py", "def f():\n    import ray", False),
        ("lpff_ray/report/html.py", "def f():\n    import cluster", False),
        ("actors/miner.py", "import os, ray\nfrom lpff_ray.errors import UserError", True),
        ("actors/miner.py", "from cluster.session import fit", False),
        ("actors/miner.py", "import numpy", False),
        ("actors/miner.py", "from ..cluster import session", False),
        ("cluster/dispatch.py", "from actors.miner import Miner", True),
        ("cluster/dispatch.py", "import polars", False),
    ],
)
def test_walls_are_where_the_design_puts_them(path: str, source: str, allowed: bool) -> None:
    assert (trespasses(source, Path(path)) == []) is allowed
