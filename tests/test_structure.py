"""The repository stays easy to move in: small folders and files, one name for one thing, tests where modules are."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest
from repository import PRODUCT, REPOSITORY, sources

FOLDERS = (*PRODUCT, "training", "benchmarks", "tests")
MOST = 12
"""Modules in a folder, besides __init__; and folders in a folder."""
MORE_FOLDERS = {
    "tests": 24,  # the packages of lpff_ray, and helpers, scenarios and the like
    "lpff_ray": 14,  # its layers, each of few
}
"""Folders that may hold more folders, and why."""
MOST_LINES = 300

LONG_FILES: dict[str, str] = {}
"""Files that may be longer, and why."""

NO_MIRROR = {
    "tests/decode/test_colour.py": "the colours of both decoders of videos, against the standards' formulas",
    "tests/decode/pictures/test_photo_colour.py": "profiles of photos; test_photo.py is about all else",
    "tests/measure/detection/test_mediapipe_oracle.py": "detection and landmarks together, against mediapipe's own",
    "tests/models/optional/test_networks.py": "every optional network by the same checks",
}
"""Test modules that are named after no module, and why."""


def crowded(files: Mapping[Path, str]) -> list[str]:
    """Folders with too many modules or too many folders."""
    modules: dict[Path, set[str]] = defaultdict(set)
    folders: dict[Path, set[str]] = defaultdict(set)
    for path in files:
        if path.name != "__init__.py":
            modules[path.parent].add(path.name)
        for folder in path.parents[:-2]:
            folders[folder.parent].add(folder.name)
    found = [f"{folder}: {len(names)} modules" for folder, names in modules.items() if len(names) > MOST]
    return found + [
        f"{at}: {len(names)} folders"
        for at, names in folders.items()
        if len(names) > MORE_FOLDERS.get(str(at), MOST)
    ]


def repeated_classes(files: Mapping[Path, str]) -> list[str]:
    """Public classes of one name, at the top of several modules."""
    where: dict[str, list[str]] = defaultdict(list)
    for path, text in files.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(str(path))
    return [f"{name}: {', '.join(paths)}" for name, paths in where.items() if len(paths) > 1]


def without_module(files: Mapping[Path, str]) -> list[str]:
    """Test modules with no module of the same place and name: tests/PACKAGE/test_x.py tests lpff_ray/PACKAGE/x.py."""
    found = []
    for path in files:
        inner = path.relative_to("tests") if path.parts[0] == "tests" else Path("conftest.py")
        if (
            not inner.name.startswith("test_")
            or inner.parts[0] in ("scenarios", "chaos")
            or len(inner.parts) == 1
        ):
            continue
        mirrored = inner.with_name(inner.name.removeprefix("test_"))
        if inner.parts[0] not in PRODUCT[1:]:
            mirrored = "lpff_ray" / mirrored
        if mirrored not in files:
            found.append(str(path))
    return found


def long(files: Mapping[Path, str]) -> list[str]:
    """Files over 300 lines."""
    return [str(path) for path, text in files.items() if len(text.splitlines()) > MOST_LINES]


def test_no_folder_is_crowded() -> None:
    assert crowded(sources(REPOSITORY, FOLDERS)) == []


def test_no_public_class_name_is_used_twice() -> None:
    assert repeated_classes(sources(REPOSITORY)) == []


def test_tests_are_where_what_they_test_is() -> None:
    assert sorted(without_module(sources(REPOSITORY, [*PRODUCT, "tests"]))) == sorted(NO_MIRROR)


def test_no_file_is_long() -> None:
    assert sorted(long(sources(REPOSITORY, FOLDERS))) == sorted(LONG_FILES)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small repository with nothing to complain about."""
    modules = [f"lpff_ray/plan/m{number}.py" for number in range(MOST)]
    for name in [*modules, "lpff_ray/plan/__init__.py", "cluster/session.py", "actors/worker.py"]:
        write(tmp_path, name, f"class {Path(name).stem.title()}:\n    pass\n")
    for name in ("tests/plan/test_m1.py", "tests/cluster/test_session.py", "tests/scenarios/test_all.py"):
        write(tmp_path, name)
    write(tmp_path, "tests/test_whole.py", "\n" * MOST_LINES)
    return tmp_path


def write(root: Path, name: str, text: str = "") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


SESSION = "class Session:\n    pass\n"
CHECKS = (crowded, repeated_classes, without_module, long)


@pytest.mark.parametrize(
    ("name", "text", "check", "found"),
    [
        ("lpff_ray/plan/late.py", "", crowded, ["lpff_ray/plan: 13 modules"]),
        ("actors/other.py", SESSION, repeated_classes, ["Session: actors/other.py, cluster/session.py"]),
        ("actors/other.py", SESSION.replace("Session", "_Session"), repeated_classes, []),
        ("tests/plan/test_m99.py", "", without_module, ["tests/plan/test_m99.py"]),
        ("tests/run/test_m1.py", "", without_module, ["tests/run/test_m1.py"]),
        ("tests/cluster/test_m1.py", "", without_module, ["tests/cluster/test_m1.py"]),
        ("tests/plan/sub/test_m1.py", "", without_module, ["tests/plan/sub/test_m1.py"]),
        ("tests/test_whole.py", "\n" * (MOST_LINES + 1), long, ["tests/test_whole.py"]),
    ],
)  # fmt: skip
def test_each_check_finds_what_it_is_for(
    tree: Path, name: str, text: str, check: object, found: list[str]
) -> None:
    assert [one(sources(tree, FOLDERS)) for one in CHECKS] == [[]] * len(CHECKS)
    write(tree, name, text)
    expected = [found if one is check else [] for one in CHECKS]
    assert [one(sources(tree, FOLDERS)) for one in CHECKS] == expected


def test_too_many_folders_are_found(tree: Path) -> None:
    for number in range(MOST + 1):
        write(tree, f"lpff_ray/plan/part{number}/__init__.py")
    assert crowded(sources(tree, FOLDERS)) == ["lpff_ray/plan: 13 folders"]
