"""The command line's `lpff-ray evaluate verification`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from lpff_ray.monitoring.console import console

app = typer.Typer(help="Measure an embedding on an exported benchmark.", no_args_is_help=True)


@app.callback()
def _evaluate() -> None:  # with one command and no callback, typer would take the command for the group
    """Measure an embedding on an exported benchmark."""


@app.command()
def verification(
    dest: Annotated[
        str, typer.Argument(metavar="DEST", help="The --dest of an export --format verification.")
    ],
    embedding: Annotated[
        str, typer.Option(help='"run", what the faces were mined with, or a plug-in, which embeds the crops.')
    ] = "run",
    device: Annotated[str, typer.Option(help="Where a plug-in runs: auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """ROC, AUC, EER and TAR at FAR on each pair list; writes DEST/evaluation.json and DEST/roc.png."""
    from lpff_ray.exports.evaluation.verification import EVALUATION, PLOT, evaluate

    evaluation = evaluate(dest, embedding, device)
    for part in _shown(evaluation):
        console.print(part)
    console.print(f"figures: {dest}/{EVALUATION}; curves: {dest}/{PLOT}")


def _shown(evaluation: dict[str, Any]) -> list[Table | str]:
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
    caution = [evaluation["caution"]] if evaluation["caution"] else []
    return [f"embedding: {evaluation['embedding']}", table, *notes, *caution]
