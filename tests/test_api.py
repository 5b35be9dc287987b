"""The public API: `lpff_ray` lists all of it, and imports of it only what is used."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import environment

import lpff_ray

HEAVY = {
    *("torch", "PIL", "av", "decord", "cv2", "mediapipe", "ai_edge_litert", "tflite"),
    *("ray", "scipy", "skimage", "matplotlib", "rich", "click", "pydantic", "psutil"),
}
LIGHT = {"lpff_ray.errors", "lpff_ray.registry", "lpff_ray.types", "lpff_ray.storage", "lpff_ray.tables"}
"""What reading a table may import of lpff_ray, folders with all that is in them."""
LIGHT_MODULES = {
    "lpff_ray.measure",  # empty
    "lpff_ray.measure.columns",  # the columns that measuring makes, in Polars' words
    "lpff_ray.monitoring",  # empty
    "lpff_ray.monitoring.log",
    "lpff_ray.monitoring.wording",
    "lpff_ray.settings",  # a hash of plain values
}
"""And these modules alone of other folders."""


def test_dir_lists_the_whole_api() -> None:
    assert dir(lpff_ray) == sorted(lpff_ray.__all__)
    verbs = {"mine", "dedupe", "select", "export", "evaluate", "compact", "status", "analyze"}
    tables = {"scan", "videos", "segments", "quarantine", "failures", "identities", "dedupe_marks"}
    assert verbs | tables <= set(dir(lpff_ray))


@pytest.mark.parametrize("name", lpff_ray.__all__)
def test_every_name_is_there_with_a_docstring(name: str) -> None:
    found = getattr(lpff_ray, name)
    assert inspect.isfunction(found) or inspect.isclass(found)
    assert inspect.getdoc(found)


def test_another_name_is_said() -> None:
    with pytest.raises(AttributeError, match="module 'lpff_ray' has no attribute 'mime'"):
        lpff_ray.mime  # noqa: B018


def loaded_by(code: str) -> set[str]:
    """Names of the modules that are imported in a fresh process after `code`."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment()
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_it_loads_nothing_else() -> None:
    loaded = loaded_by("import lpff_ray")
    assert {name for name in loaded if name.startswith("lpff_ray")} == {"lpff_ray"}
    assert not loaded & {*HEAVY, "polars", "fsspec"}


@pytest.mark.parametrize("reader", ["scan", "videos", "segments", "quarantine", "failures", "status"])
def test_reading_a_table_loads_no_decoder_and_no_model(demo_run: Path, reader: str) -> None:
    loaded = loaded_by(f"import lpff_ray\ntable = lpff_ray.{reader}({str(demo_run)!r})")
    assert not loaded & HEAVY
    ours = {name for name in loaded if name.startswith("lpff_ray.")}
    assert {name for name in ours if ".".join(name.split(".")[:2]) not in LIGHT} <= LIGHT_MODULES


def test_the_list_of_verbs_loads_no_decoder_and_no_model() -> None:
    loaded = loaded_by(
        "import sys\nfrom lpff_ray.cli.main import main\nsys.argv = ['lpff-ray', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    assert not loaded & (HEAVY - {"rich", "click", "pydantic"})
