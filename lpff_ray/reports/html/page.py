"""Puts what the sections found into one HTML file: markup by Jinja, the rest as data that a script draws.

Names of files, messages and tracebacks hold anything. Three walls keep them inert: Jinja escapes whatever is put into
markup; data stands in a JSON block in which no character can end it, and the script makes text nodes of it; and the
page's content security policy allows no script but its own, no request, and pictures only as data.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lpff_ray.monitoring.wording import escaped
from lpff_ray.reports.html.gathered import Gathered
from lpff_ray.reports.html.samples import SampleRecords
from lpff_ray.storage.redaction import redacted_text
from lpff_ray.storage.uri import file_name
from lpff_ray.tables.status import RunStatus

_HERE = Path(__file__).parent
_SCRIPTS = ("elements", "viewer", "tiles", "map", "charts", "page")
"""Of the folder static, in the order in which they build on each other; they become one script."""
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "script-src {}"
)


def rendered(
    run: Gathered,
    status: RunStatus,
    sections: dict[str, Any],
    records: SampleRecords,
    datasets: dict[str, Any],
    made: str,
) -> bytes:
    """The page. sections: by name; charts in them become numbers of the page's list of charts, which take data by name
    from `datasets`."""
    charts: list[dict[str, Any]] = []
    numbered = _numbered(sections, charts)
    pictures = [face and face.pop("picture") for face in records.faces]
    data = {"faces": records.faces, "sources": records.sources, "map": sections["poses"]}
    data |= {"charts": charts, "datasets": datasets}
    scripts = [
        _static("vega.js"),
        "(() => {\n" + "\n".join(_static(f"{name}.js") for name in _SCRIPTS) + "\n})();",
    ]
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "share": _share, "file_name": file_name, "plain": _plain}
    page = environment.get_template("page.html").render(
        name=file_name(run.files.folder.root) or run.files.folder.root,
        out=run.files.folder.root,
        made=made,
        run=run,
        status=status,
        shown=len(records.faces),
        pictures=records.pictures,
        policy=_POLICY.format(" ".join(map(_hash, scripts))),
        style=Markup(_static("style.css")),
        scripts=[Markup(script) for script in scripts],
        data=json_block(_plain(data)),
        # Not cleaned with the rest: they are base64, and most of the page.
        picture_data=json_block(pictures),
        set_names=[_clean(layer["name"]) for layer in sections["poses"]["layers"]],
        shown_sections=_shown(sections, run),
        **numbered,
    )
    return page.encode("utf-8")


def _shown(sections: dict[str, Any], run: Gathered) -> set[str]:
    """The sections that have something to show."""
    needs_faces = {"poses", "distributions", "disagreement", "cameras"}
    return {
        name
        for name, found in sections.items()
        if found not in (None, [], {}) and (run.count or name not in needs_faces)
    }


def json_block(value: Any) -> Markup:
    """A value as JSON that may stand inside of a `script` element: ASCII, without <, > and &."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _numbered(value: Any, charts: list[dict[str, Any]]) -> Any:
    """The same with every chart (the value of a key `chart`) replaced by its number in `charts`."""
    if isinstance(value, dict):
        found = {}
        for key, item in value.items():
            if key == "chart":
                charts.append(item)
                found[key] = len(charts) - 1
            else:
                found[key] = _numbered(item, charts)
        return found
    return [_numbered(item, charts) for item in value] if isinstance(value, list) else value


def _clean(value: Any) -> Any:
    """What a page shows of a text: no secret of a URI, no control character but line ends; markup of ours as it is."""
    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, Markup):
        return escaped(redacted_text(value), keep="\n")
    return value


def _plain(value: Any) -> Any:
    """A value of JSON with every text in it cleaned."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return _clean(value) if isinstance(value, str) else value


@cache
def _static(name: str) -> str:
    return (_HERE / "static" / name).read_text("utf-8")


def _hash(script: str) -> str:
    """The source expression of the policy that allows this script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _number(value: float | None, digits: int = 0) -> str:
    """A number with commas; a dash where there is none."""
    if value is None or value != value:
        return "–"
    return f"{round(value, digits) + 0.0:,.{digits}f}".replace("-", "−")  # + 0.0: never "-0"


def _share(value: float | None, digits: int = 0) -> str:
    return "–" if value is None or value != value else f"{value:.{digits}%}"
