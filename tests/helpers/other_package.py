"""Another package, installed for one test, that adds to this product by entry points."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

EXTENSIONS = Path(__file__).resolve().parents[1] / "fixtures" / "extensions"


def source_of(module: str) -> str:
    """The source of a worked extension, which CONTRIBUTING.md shows."""
    return (EXTENSIONS / f"{module}.py").read_text("utf-8")


def install(
    site: Path, monkeypatch: pytest.MonkeyPatch, modules: Mapping[str, str], entry_points: Mapping[str, str]
) -> None:
    """modules: source by name. entry_points: lines ("name = module:attribute") by group."""
    site.mkdir(parents=True)
    for name, source in modules.items():
        (site / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)
    info = site / "other_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n")
    lines = [f"[{group}]\n{line}\n" for group, line in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(site))
