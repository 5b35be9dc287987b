"""The wheel holds all that the package needs, and works where there is no repository."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from command import environment
from repository import PRODUCT, REPOSITORY

FIXTURE_RUN = REPOSITORY / "tests" / "fixtures" / "run_v1"


def pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--no-deps", "--no-index", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy without the network: what an earlier build left beside the source is not in it."""
    pytest.importorskip("setuptools")
    copy = tmp_path_factory.mktemp("source")
    for name in PRODUCT:
        shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, copy)
    pip("wheel", copy, "--no-build-isolation", "--wheel-dir", copy / "dist")
    return next((copy / "dist").glob("lpff_ray-*.whl"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel is installed in."""
    target = tmp_path_factory.mktemp("site")
    pip("install", wheel, "--target", target)
    return target


def ran(site: Path, folder: Path, *arguments: object) -> str:
    """Standard output of Python in an empty folder, the installed wheel first on its path, the repository not."""
    command = [sys.executable, *map(str, arguments)]
    env = environment() | {"PYTHONPATH": str(site)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = (path for name in PRODUCT for path in (REPOSITORY / name).rglob("*") if path.is_file())
    wanted = {str(path.relative_to(REPOSITORY)) for path in files if "__pycache__" not in path.parts}
    assert found == wanted
    endings = {Path(name).suffix or Path(name).name for name in found}
    assert {".py", ".npz", ".toml", ".md"} <= endings
    assert "lpff_ray/py.typed" in found
    assert any(name.startswith("lpff_ray/curate/selection/presets/") for name in found)


def test_its_metadata_names_the_command_and_the_licence(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    text = {
        Path(name).name: archive.read(name).decode() for name in archive.namelist() if "dist-info" in name
    }
    assert "lpff-ray = lpff_ray.cli.main:main" in text["entry_points.txt"]
    assert "License-Expression: Apache-2.0" in text["METADATA"]
    assert "Apache License" in text["LICENSE"]


def test_installed_it_works_without_the_repository(site: Path, tmp_path: Path) -> None:
    code = (
        "import json, sys, lpff_ray, actors.worker, cluster.worker_pool\n"
        "faces = lpff_ray.scan(sys.argv[1]).collect()\n"
        "print(json.dumps([len(faces), lpff_ray.__file__, actors.worker.__file__, cluster.worker_pool.__file__]))"
    )
    faces, *places = json.loads(ran(site, tmp_path, "-c", code, FIXTURE_RUN))
    assert faces == 5
    assert all(Path(place).is_relative_to(site) for place in places), places


def test_installed_its_doctor_finds_every_model(site: Path, tmp_path: Path) -> None:
    findings = json.loads(ran(site, tmp_path, "-m", "lpff_ray", "doctor", "--json"))
    text = json.dumps(findings)
    for model in ("blazeface-short", "facemesh", "dlib-resnet"):
        assert f"model {model}" in text
    assert '"fail"' not in text, text
