"""`lpff-ray evaluate verification`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

import lpff_ray
from lpff_ray.cli.options import argument, as_json, device, option
from lpff_ray.cli.output import Shown, Table, report
from lpff_ray.cli.verb import Verb, VerbGroup


@click.group(cls=VerbGroup)
def evaluate() -> None:
    """Measure an embedding on an exported benchmark."""


@evaluate.command(cls=Verb)
@argument("dest", metavar="DEST", about="The --dest of an export --format verification.")
@option(
    "--embedding",
    default="run",
    metavar="NAME",
    help="run: what the faces were mined with; or an optional model, which embeds the crops.",
    show_default=True,
)
@device
@as_json
def verification(dest: str, embedding: str, device: str, as_json: bool) -> None:
    """ROC, AUC, EER and TAR at FAR on each list of pairs.

    Writes DEST/evaluation.json and DEST/roc.png.
    """
    evaluation = lpff_ray.evaluate(dest, embedding, device)
    report(as_json, {"dest": dest, **evaluation}, _shown(dest, evaluation))


def _shown(dest: str, evaluation: dict[str, Any]) -> Iterator[Shown]:
    from lpff_ray.exports.evaluation.verification import EVALUATION, PLOT

    lists: dict[str, dict[str, Any]] = evaluation["lists"]
    fars = list(dict.fromkeys(far for found in lists.values() for far in found.get("tar_at_far", ())))
    table = Table(
        "list", "same", "different", "people", "crops", "AUC", "EER", *(f"TAR@{far}" for far in fars)
    )
    notes = []
    for name, found in lists.items():
        counts = [str(found[key]) for key in ("positives", "negatives", "identities", "crops")]
        figures = ["", "", *([""] * len(fars))]
        if "auc" in found:
            points = [found["tar_at_far"][far] for far in fars]
            figures = [f"{found['auc']:.4f}", f"{found['eer']:.4f}"]
            figures += [f"{point['tar']:.4f}" if point else "-" for point in points]
        table.add_row(name, *counts, *figures)
        notes += [f"{name}: {note}" for note in found["notes"]]
    yield f"embedding: {evaluation['embedding']}"
    yield table
    yield from notes
    if evaluation["caution"]:
        yield evaluation["caution"]
    yield f"figures: {dest}/{EVALUATION}; curves: {dest}/{PLOT}"
