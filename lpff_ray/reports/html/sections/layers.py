"""The sets of faces that plots compare: all faces, those that repeat no other, and each selection."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from lpff_ray.reports.html.gathered import Gathered


@dataclass(frozen=True)
class Layer:
    """A set of faces under the name that plots and tables give it."""

    name: str
    faces: pl.LazyFrame


SELECTIONS = 5
"""Selections that are compared: the first by name. More would not be told apart."""


def layers(run: Gathered) -> list[Layer]:
    """All faces; those that repeat no other, if `dedupe` has run; and the first selections."""
    found = [Layer("all faces", run.faces)]
    if run.deduped:
        found.append(Layer("without duplicates", run.faces.filter("keep")))
    for chosen in run.selections[:SELECTIONS]:
        ids = chosen.table.lazy().select("face_id")
        found.append(Layer(f"selection {chosen.name}", run.faces.join(ids, on="face_id", how="semi")))
    return found
