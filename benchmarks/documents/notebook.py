"""examples/first_look.ipynb: a first look at a run, executed on the demo's.

Cells are run here, one after the other in one namespace, and their outputs are written as Jupyter would: what they
print, and the value of a last line that is an expression, as text and as HTML or PNG where it has these.
"""

from __future__ import annotations

import ast
import base64
import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

PLACE = "examples/first_look.ipynb"
CELLS: tuple[tuple[str, str], ...] = (
    (
        "markdown",
        "# A first look at a run\n\nThe run is of the demo's clip (`./run_cluster.sh demo`): a public photo that "
        "moves, grows, turns and is blurred, mined at every fifth frame. Put the path of your own run in its place. "
        "Written and executed by `python -m benchmarks.documents`.",
    ),
    ("code", 'import polars as pl\n\nimport lpff_ray\n\nRUN = "run"\nlpff_ray.status(RUN)'),
    (
        "markdown",
        "## Faces\n\nOne row per face per sampled frame. `scan` is lazy: it reads the columns that are asked for.",
    ),
    (
        "code",
        "faces = lpff_ray.scan(RUN)\n"
        'faces.select("frame_index", "yaw", "pitch", "roll", "pose_bin", "sharpness", "iqa").head(5).collect()',
    ),
    ("code", 'faces.select(pl.col("yaw", "pitch", "sharpness", "iqa", "face_px")).describe()'),
    (
        "markdown",
        "## Where a measurement changes\n\nThe last of the four shots is blurred more and more: its sharpness says so.",
    ),
    (
        "code",
        "import matplotlib\n\n"
        'matplotlib.use("agg")\n'
        "from matplotlib.figure import Figure\n\n"
        'rows = faces.select("frame_index", "sharpness", "roll").sort("frame_index").collect()\n'
        'figure = Figure(figsize=(7, 3), layout="constrained")\n'
        "axes = figure.subplots()\n"
        'axes.plot(rows["frame_index"], rows["sharpness"], label="sharpness")\n'
        'axes.set(xlabel="frame", ylabel="sharpness", ylim=(0, 1))\n'
        "figure",
    ),
    (
        "markdown",
        "## The faces themselves\n\nThe sharpest face of each track, cut out of its frame by its box.",
    ),
    (
        "code",
        "import av\nimport numpy as np\nfrom PIL import Image\n\n"
        'best = faces.sort("sharpness", descending=True).group_by("track_id", maintain_order=True).first()\n'
        'best = best.select("uri", "frame_index", "bbox").sort("frame_index").collect()\n'
        'with av.open(best["uri"][0]) as video:\n'
        "    frames = [frame.to_image() for frame in video.decode(video=0)]\n"
        'boxes = best.select("frame_index", "bbox").iter_rows()\n'
        "crops = [frames[index].crop(tuple(box)).resize((120, 150)) for index, box in boxes]\n"
        "Image.fromarray(np.hstack([np.asarray(crop) for crop in crops]))",
    ),
    ("markdown", "## People and duplicates"),
    ("code", 'lpff_ray.dedupe(RUN)\nlpff_ray.identities(RUN).select("identity_id", "faces", "tracks")'),
    (
        "code",
        'marks = lpff_ray.dedupe_marks(RUN)\nmarks.group_by("rule").agg(pl.len().alias("faces")).sort("rule")',
    ),
    (
        "markdown",
        "What went wrong, if anything: `lpff_ray.quarantine(RUN)` and `lpff_ray.failure_causes(RUN)`.",
    ),
    ("code", "lpff_ray.quarantine(RUN).height"),
)


def executed(folder: Path) -> str:
    """The notebook as JSON, its cells run in a folder that has the demo."""
    cells: list[dict[str, Any]] = []
    namespace: dict[str, Any] = {}
    before, count = Path.cwd(), 0
    os.chdir(folder)
    try:
        for number, (kind, text) in enumerate(CELLS):
            cell: dict[str, Any] = {
                "cell_type": kind,
                "id": f"cell-{number}",
                "metadata": {},
                "source": _lines(text),
            }
            if kind == "code":
                count += 1
                cell |= {"execution_count": count, "outputs": _outputs(text, namespace, count)}
            cells.append(cell)
    finally:
        os.chdir(before)
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    return text.replace(f"{folder.resolve()}{os.sep}", "").replace(f"{folder}{os.sep}", "")


def _outputs(text: str, namespace: dict[str, Any], count: int) -> list[dict[str, Any]]:
    body = ast.parse(text)
    last = body.body.pop() if isinstance(body.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(io.StringIO()):
        exec(compile(body, PLACE, "exec"), namespace)
        value = eval(compile(ast.Expression(last.value), PLACE, "eval"), namespace) if last else None  # type: ignore[attr-defined]
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
    if value is not None:
        result = {
            "output_type": "execute_result",
            "execution_count": count,
            "metadata": {},
            "data": _shown(value),
        }
        outputs.append(result)
    return outputs


def _shown(value: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"text/plain": _lines(repr(value))}
    if hasattr(value, "savefig"):
        data = {"text/plain": ["a figure"], "image/png": _png(value.savefig, format="png", dpi=80)}
    elif hasattr(value, "_repr_png_"):
        data = {"text/plain": ["an image"], "image/png": base64.b64encode(value._repr_png_()).decode()}
    elif hasattr(value, "_repr_html_"):
        data["text/html"] = _lines(value._repr_html_())
    return data


def _png(save: Any, **options: Any) -> str:
    stream = io.BytesIO()
    save(stream, **options)
    return base64.b64encode(stream.getvalue()).decode()


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
