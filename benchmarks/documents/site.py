"""Hooks of MkDocs (mkdocs.yml): the site has the repository's own pages, with the links that they have on GitHub.

Some pages lie outside of docs/. Links to other files of the repository have no page to go to: they become their paths.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "clusters.md": "cluster/README.md",
    "models/posenet.md": "lpff_ray/models/networks/posenet.md",
    "models/image_quality.md": "lpff_ray/measure/quality/image_quality.md",
    "examples/first_look.ipynb": "examples/first_look.ipynb",
} | {
    f"deploy/{path.name}": f"cluster/deploy/{path.name}"
    for path in sorted((ROOT / "cluster" / "deploy").iterdir())
}
"""Pages and other files of the site, and the files of the repository that they are made of."""
_LINK = re.compile(r"(?<!!)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<to>[^)\s]+)\)")
_IMAGE = re.compile(r"(?<=!)\[(?P<text>[^\]]*)\]\((?P<to>[^)\s]+)\)")
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_config(config: Any) -> Any:
    """Leave out of the navigation the pages that are not there."""
    there = {path.relative_to(config.docs_dir).as_posix() for path in Path(config.docs_dir).rglob("*.md")}
    config.nav = _kept(config.nav, there | set(ELSEWHERE))
    return config


def _kept(nav: list[Any], there: set[str]) -> list[Any]:
    kept: list[Any] = []
    for entry in nav:
        if isinstance(entry, str):
            kept += [entry] if entry in there else []
            continue
        ((title, inner),) = entry.items()
        if isinstance(inner, list):
            inner = _kept(inner, there)
        elif inner not in there:
            inner = None
        kept += [{title: inner}] if inner else []
    return kept


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie elsewhere."""
    for page, name in ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links at the pages of the site; those to other files become their text."""
    origin = ELSEWHERE.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    pages = {name: uri for uri, name in ELSEWHERE.items()}

    def mended(found: re.Match[str]) -> str:
        to, _, anchor = found["to"].partition("#")
        if not to or re.match(r"[a-z]+:", to):
            return found[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), to))
        uri = pages.get(target) or target.removeprefix("docs/")
        if target not in pages and not (target.startswith("docs/") and files.get_file_from_path(uri)):
            text = found["text"]
            return text if target in text or target.rpartition("/")[2] in text else f"{text} (`{target}`)"
        place = posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or ".")
        return f"[{found['text']}]({place}{'#' + anchor if anchor else ''})"

    def text(part: str) -> str:
        return _IMAGE.sub(mended, _LINK.sub(mended, part))

    parts = _FENCED.split(markdown)
    return "".join(part if number % 2 else text(part) for number, part in enumerate(parts))
