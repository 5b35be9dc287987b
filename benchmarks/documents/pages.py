"""The pages that follow from the code: docs/columns.md from the schemas, docs/models.md from the model cards."""

from __future__ import annotations

import polars as pl

from lpff_ray.models.cards import load_cards, load_plugins
from lpff_ray.tables import schema
from lpff_ray.tables.failures import FAILURES

MADE = "Made by `python -m benchmarks.documents --only pages`"
TABLES = {
    "faces": (schema.FACES, "`lpff_ray.scan`"),
    "videos": (schema.VIDEOS, "`lpff_ray.videos`"),
    "segments": (schema.SEGMENTS, "`lpff_ray.segments`"),
    "quarantine": (schema.QUARANTINE, "`lpff_ray.quarantine`"),
    "failures": (FAILURES, "`lpff_ray.failures`"),
    "identities": (schema.IDENTITIES, "`lpff_ray.identities`"),
    "dedupe": (schema.DEDUPE, "`lpff_ray.dedupe_marks`"),
    "video_duplicates": (schema.VIDEO_DUPLICATES, "`lpff_ray.video_duplicates`"),
    "selections/NAME": (schema.SELECTION, "`lpff_ray.selection`"),
    "review": (schema.REVIEW, "`select`, from `OUT/review.parquet`"),
}


def made() -> dict[str, str]:
    """The text of each page by its path."""
    return {"docs/columns.md": columns(), "docs/models.md": models()}


def columns() -> str:
    """Every column of every table, with its type in Polars."""
    parts = [
        "# Columns\n",
        f"{MADE} from `lpff_ray/tables/schema.py`, version {schema.SCHEMA_VERSION}.{schema.SCHEMA_MINOR}. "
        "What the columns mean, their\nunits and frames of reference: [the tables](tables.md).\n",
    ]
    for name, (table, reader) in TABLES.items():
        rows = [f"| `{column}` | {_type(dtype)} |" for column, dtype in table.items()]
        parts.append(
            "\n".join([f"## {name}\n", f"Read by {reader}.\n", "| column | type |", "|---|---|", *rows])
            + "\n"
        )
    return "\n".join(parts)


def _type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Array):
        shape: list[int] = []
        inner: object = dtype
        while isinstance(inner, pl.Array):
            shape.append(inner.size)
            inner = inner.inner
        return f"{inner} {shape}"
    if isinstance(dtype, pl.List):
        return f"list of {_type(dtype.inner)}"  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return "struct of " + ", ".join(f"`{field.name}` {_type(field.dtype)}" for field in dtype.fields)  # type: ignore[arg-type]
    return str(dtype)


def models() -> str:
    """Every model card."""
    parts = [
        "# Models and licences\n",
        f"{MADE} from `lpff_ray/models/cards.toml`; `lpff-ray models list` prints the same. The\n"
        "hash of every model that a run used is in its `run.json`.\n",
        "## Embedded models\n",
        "They come with pip packages; nothing is downloaded to run.\n",
    ]
    for card in load_cards().values():
        rows = {
            "task": card.task,
            "licence": card.licence,
            "comes with": f"`{card.package}`, `{card.file}`, {card.size_bytes / 1e6:.1f} MB",
            "sha256": f"`{card.sha256}`",
            "input": card.input,
            "output": card.output,
            "citation": card.citation,
        }
        parts.append(_card(card.name, rows))
    parts += [
        "## Optional models\n",
        "Used where a run names them, fetched by `lpff-ray models pull NAME` alone: [plug-ins](plugins.md). Mind their "
        "licences.\n",
    ]
    for plugin in load_plugins().values():
        rows = {
            "task": plugin.task,
            "licence": plugin.licence,
            "files": ", ".join(f"`{file.name}`" for file in plugin.files),
            "input": plugin.input,
            "output": plugin.output,
            "citation": plugin.citation,
        }
        parts.append(_card(plugin.name, rows))
    return "\n".join(parts)


def _card(name: str, rows: dict[str, str]) -> str:
    lines = [f"| {key} | {value.replace('|', chr(92) + '|')} |" for key, value in rows.items()]
    return "\n".join([f"### {name}\n", "| | |", "|---|---|", *lines]) + "\n"
