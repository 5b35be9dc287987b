"""The boundaries between the top folders, the layers inside lpff_ray, and no circles: kept by reading every import.

lpff_ray   runs without a cluster: it never imports ray, actors or cluster; one registry names cluster's executor
actors     imports ray and lpff_ray
cluster    imports ray, actors and lpff_ray
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from repository import PRODUCT, REPOSITORY, import_circles, imports, sources

MAY_IMPORT = {"actors": {"actors", "ray", "lpff_ray"}, "cluster": {"cluster", "ray", "actors", "lpff_ray"}}
FORBIDDEN_TO_LPFF_RAY = {"ray", "actors", "cluster"}
SEAM = Path("lpff_ray/run/executors.py")
"""The one file of lpff_ray that names cluster, as a string that a Registry imports when --executor ray is asked for."""

LAYERS = (
    ("errors", "types", "registry", "settings"),
    ("geometry", "storage", "monitoring"),
    ("decode", "models"),
    ("config", "measure", "plan"),  # config checks names against the registries of decode and measure
    ("tables",),
    ("run",),
    ("curate",),
    ("exports",),
    ("reports",),
    ("cli", "__init__", "__main__"),
)
"""What is in lpff_ray, lowest first: everything imports from its own layer or a lower one."""
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}


def boundary_breaks(files: Mapping[Path, str]) -> list[str]:
    """Imports across a boundary between lpff_ray, actors and cluster."""
    found = []
    for path, text in files.items():
        for one in imports(text, path):
            if path.parts[0] == "lpff_ray":
                wrong = one.top in FORBIDDEN_TO_LPFF_RAY
                wrong = wrong and not (path == SEAM and one.top == "cluster" and one.deferred)
            else:
                wrong = one.top not in MAY_IMPORT[path.parts[0]] | sys.stdlib_module_names
            if wrong or not one.module:
                found.append(f"{path}:{one.line}: imports {one.module or 'out of the packages'}")
    return found


def layer_breaks(files: Mapping[Path, str]) -> list[str]:
    """Imports inside lpff_ray of something on a higher layer, and what is on no layer."""
    found = []
    for path, text in files.items():
        if path.parts[0] != "lpff_ray":
            continue
        package = Path(path.parts[1]).stem
        if package not in LAYER:
            found.append(f"{path}: {package} is on no layer")
            continue
        for one in imports(text, path):
            if one.top != "lpff_ray":
                continue
            parts = one.module.split(".")
            for target in [parts[1]] if len(parts) > 1 else one.names:
                # A name that is no module is of __init__, which is above all.
                if LAYER.get(target, LAYER["__init__"]) > LAYER[package]:
                    found.append(f"{path}:{one.line}: {package} imports {target}, which is above it")
    return found


def test_no_import_crosses_a_boundary() -> None:
    files = sources(REPOSITORY)
    assert {path.parts[0] for path in files} == set(PRODUCT)
    assert boundary_breaks(files) == []


def test_no_import_inside_lpff_ray_goes_up() -> None:
    files = sources(REPOSITORY)
    assert layer_breaks(files) == []
    there = {Path(path.parts[1]).stem for path in files if path.parts[0] == "lpff_ray"}
    assert there == set(LAYER), "something on a layer is gone"


def test_no_modules_import_one_another() -> None:
    assert import_circles(sources(REPOSITORY)) == []
    assert import_circles(sources(REPOSITORY, ["benchmarks"])) == []
    assert import_circles(sources(REPOSITORY, ["training"])) == []


@pytest.mark.parametrize(
    ("path", "source", "allowed"),
    [
        ("lpff_ray/run/miner.py", "import ray", False),
        ("lpff_ray/run/miner.py", "from cluster.session import fit", False),
        ("lpff_ray/run/miner.py", "def f():\n    from actors import miner", False),
        ("lpff_ray/run/miner.py", "if TYPE_CHECKING:\n    import ray.actor", False),
        ("lpff_ray/run/miner.py", "import importlib\nimportlib.import_module('ray')", False),
        ("lpff_ray/run/miner.py", "X = 'cluster.worker_pool:RayExecutor'", False),
        ("lpff_ray/run/miner.py", "import numpy", True),
        ("lpff_ray/measure/pose/fits.py", "from ..plan import Video", True),
        ("lpff_ray/measure/pose/fits.py", "from .... import cluster", False),
        ("lpff_ray/run/executors.py", "X = 'cluster.worker_pool:RayExecutor'", True),
        ("lpff_ray/run/executors.py", "from cluster.worker_pool import RayExecutor", False),
        ("lpff_ray/run/executors.py", "def f():\n    import ray", False),
        ("lpff_ray/cli/main.py", "def f():\n    from cluster.executor import ray_executor", False),
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
def test_boundaries_are_where_the_design_puts_them(path: str, source: str, allowed: bool) -> None:
    assert (boundary_breaks({Path(path): source}) == []) is allowed


@pytest.mark.parametrize(
    ("path", "source", "allowed"),
    [
        ("lpff_ray/decode/probe.py", "from lpff_ray.storage.uri import absolute", True),
        ("lpff_ray/decode/probe.py", "from lpff_ray.models.store import load", True),
        ("lpff_ray/decode/probe.py", "from lpff_ray.plan.video import Video", False),
        ("lpff_ray/decode/probe.py", "from lpff_ray import plan", False),
        ("lpff_ray/decode/probe.py", "import lpff_ray.plan.video", False),
        ("lpff_ray/decode/probe.py", "from ..plan.video import Video", False),
        ("lpff_ray/decode/probe.py", "def f():\n    from lpff_ray.plan.video import Video", False),
        ("lpff_ray/decode/probe.py", "if TYPE_CHECKING:\n    from lpff_ray.plan.video import Video", False),
        ("lpff_ray/decode/registry.py", "DECODERS = {'x': 'lpff_ray.run.miner:Miner'}", False),
        ("lpff_ray/config.py", "from lpff_ray.measure.registry import DETECTORS", True),
        ("lpff_ray/config.py", "from lpff_ray.tables.schema import FACES", False),
        ("lpff_ray/measure/tracking.py", "from lpff_ray.config import MineConfig", True),
        ("lpff_ray/errors.py", "from lpff_ray.storage.uri import absolute", False),
        ("lpff_ray/curate/select.py", "from lpff_ray import mine", False),
        ("lpff_ray/exports/job.py", "from lpff_ray.curate.faces import COLUMNS", True),
        ("lpff_ray/cli/main.py", "from lpff_ray.run.mine import mine", True),
        ("lpff_ray/attic/old.py", "", False),
    ],
)
def test_layers_are_where_the_design_puts_them(path: str, source: str, allowed: bool) -> None:
    assert (layer_breaks({Path(path): source}) == []) is allowed


@pytest.mark.parametrize(
    ("sources_by_module", "circles"),
    [
        ({"a": "import p.b", "b": "import p.c", "c": ""}, []),
        ({"a": "import p.b", "b": "import p.c", "c": "import p.a"}, [["p.a", "p.b", "p.c"]]),
        ({"a": "from p import b", "b": "if TYPE_CHECKING:\n    from p.a import X"}, [["p.a", "p.b"]]),
        ({"a": "from p.b import X", "b": "def f():\n    from p.a import Y"}, []),
        ({"__init__": "from p.a import X", "a": "from p import b", "b": ""}, []),
        ({"__init__": "from p.a import X", "a": "from p import Y"}, [["p", "p.a"]]),
    ],
)
def test_circles_are_found(sources_by_module: dict[str, str], circles: list[list[str]]) -> None:
    files = {Path(f"p/{name}.py"): text for name, text in sources_by_module.items()}
    assert import_circles(files) == circles
