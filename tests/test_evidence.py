"""Constants that were measured name a heading of docs/evidence, and it is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EVIDENCE = ROOT / "docs" / "evidence"
FOLDERS = ("lpff_ray", "actors", "cluster", "training", "benchmarks")
LINK = re.compile(r"\bEvidence:\s+(?:#\s*)?(\S+)")
WHOLE = re.compile(r"docs/evidence/([a-z_]+\.md)#([a-z0-9-]+)\.?")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> list[tuple[Path, str]]:
    """Every word after `Evidence:` in the code, with its file."""
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [(path, link) for path in files for link in LINK.findall(path.read_text(encoding="utf-8"))]


def test_evidence_lines_point_at_headings_that_exist() -> None:
    found = links()
    assert len(found) > 20
    broken = []
    for path, link in found:
        match = WHOLE.match(link)
        page = EVIDENCE / match[1] if match else EVIDENCE / "none"
        if match is None or not page.is_file() or match[2] not in anchors(page):
            broken.append(f"{path.relative_to(ROOT)}: {link}")
    assert not broken, "\n".join(broken)


def test_the_readme_lists_every_page() -> None:
    readme = (EVIDENCE / "README.md").read_text(encoding="utf-8")
    pages = {path.name for path in EVIDENCE.glob("*.md")} - {"README.md"}
    assert pages == set(re.findall(r"\]\(([a-z_]+\.md)\)", readme))


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Weight of FaceMesh's points", "weight-of-facemeshs-points"),
        ("Batches on LiteRT", "batches-on-litert"),
    ],
)
def test_anchors_are_githubs(tmp_path: Path, heading: str, anchor: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n## {heading}\n")
    assert anchors(page) == {"title", anchor}
