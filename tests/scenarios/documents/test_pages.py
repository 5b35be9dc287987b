"""What the documents show is what the code gives: generated pages, README's lines, the notebook, the site."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from repository import REPOSITORY

import lpff_ray
from benchmarks.documents import notebook, pages, readme
from lpff_ray.cli.demo_clip import DemoClip

REMEDY = "python -m benchmarks.documents"


@pytest.fixture
def demo(demo_clip: DemoClip, demo_run: Path, tmp_path: Path) -> Path:
    """A folder with `demo/astronaut.mp4`, and `run` of it."""
    (tmp_path / "demo").mkdir()
    shutil.copy(demo_clip.path, tmp_path / "demo" / "astronaut.mp4")
    shutil.copytree(demo_run, tmp_path / "run")
    return tmp_path


@pytest.mark.parametrize("name", ["docs/columns.md", "docs/models.md"])
def test_generated_pages_are_up_to_date(name: str) -> None:
    assert (REPOSITORY / name).read_text("utf-8") == pages.made()[name], REMEDY


def test_the_lines_of_the_readme_print_what_it_shows(demo: Path) -> None:
    code, output = readme.shown((REPOSITORY / "README.md").read_text("utf-8"))
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    assert readme.printed(code, demo) == output, REMEDY


def test_the_notebook_is_executed_and_can_be_again(demo: Path) -> None:
    kept = json.loads((REPOSITORY / notebook.PLACE).read_text("utf-8"))
    anew = json.loads(notebook.executed(demo))
    for cell, fresh in zip(kept["cells"], anew["cells"], strict=True):
        assert cell["source"] == fresh["source"], REMEDY
        if cell["cell_type"] == "code":
            assert cell["outputs"] or not fresh["outputs"]
            kinds = [[sorted(one.get("data", {})) for one in some["outputs"]] for some in (cell, fresh)]
            assert kinds[0] == kinds[1], REMEDY
    assert str(Path.home()) not in json.dumps(kept["cells"]), "no path of who executed it"


def test_the_api_page_has_all_that_is_public() -> None:
    page = (REPOSITORY / "docs" / "api.md").read_text("utf-8")
    assert sorted(re.findall(r"^::: lpff_ray\.(\w+)$", page, re.MULTILINE)) == sorted(lpff_ray.__all__)


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    for module in ("mkdocs", "material", "mkdocstrings"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install -e '.[docs]'")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", tmp_path / "site"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    home = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert 'href="quickstart/"' in home
    assert (tmp_path / "site" / "boxes.png").exists()
    api = (tmp_path / "site" / "api" / "index.html").read_text("utf-8")
    assert "retry_quarantined" in api, "signatures are there"
    assert "http" not in "".join(re.findall(r"<link[^>]+stylesheet[^>]+>", home)), (
        "nothing is fetched from elsewhere"
    )
