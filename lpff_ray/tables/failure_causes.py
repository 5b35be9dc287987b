"""Why work on a run failed: its failed attempts grouped by cause, so that a thousand failures are shown as three."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from lpff_ray.monitoring.failure_log import GIVEN_UP
from lpff_ray.tables.failures import read_failures
from lpff_ray.tables.read import quarantine

SAME = (
    (re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"]+"), "PATH"),
    (re.compile(r"(?<![\w.])~?/[^\s'\":;,]+(?:/[^\s'\":;,]+)*"), "PATH"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "N"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}(?:-\d+)?[ab]*\b"), "ID"),
    (re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"), "N"),
)
"""Parts of messages that differ within one cause, and their replacements: URIs, paths, addresses, ids, numbers."""


@dataclass(frozen=True)
class FailureCause:
    """One cause of failures.

    stage, kind: as in the quarantine table. message: with numbers and paths replaced by N and PATH. count: failed
    attempts; quarantined: of them, those that were the last. items: different segments. uri, example: source and
    message of one of them. traceback: of that one, "" where none was kept. log: the file below the run's folder that
    has it, "" for none.
    """

    stage: str
    kind: str
    message: str
    count: int
    quarantined: int
    items: int
    uri: str
    example: str
    traceback: str
    log: str


def failure_causes(out: str) -> list[FailureCause]:
    """The causes of the failed attempts of the run in `out`, most frequent first.

    Of segments in quarantine that the logs do not know (they were removed, or are of an older version), the one
    attempt in the quarantine table counts. Raises UserError if `out` holds no run.
    """
    attempts = read_failures(out).select(
        "item", "uri", "stage", "kind", "message", "outcome", "traceback", "log"
    )
    given_up = quarantine(out).filter(~pl.col("segment_id").is_in(attempts["item"].to_list()))
    unlogged = given_up.select(
        pl.col("segment_id").alias("item"),
        *("uri", "stage", "kind", "message"),
        pl.lit(GIVEN_UP).alias("outcome"),
        pl.lit("").alias("traceback"),
        pl.lit("").alias("log"),
    )
    return grouped(pl.concat([attempts, unlogged]))


def grouped(attempts: pl.DataFrame) -> list[FailureCause]:
    """Failed attempts (columns item, uri, stage, kind, message, outcome, traceback, log) by cause."""
    normal = [normalised(message) for message in attempts["message"].fill_null("")]
    key = ["stage", "kind", "normal"]
    # The example is an attempt with a traceback, if any has one.
    rows = attempts.fill_null("").with_columns(pl.Series("normal", normal, pl.String))
    rows = rows.sort(pl.col("traceback") == "", maintain_order=True)
    table = rows.group_by(key, maintain_order=True).agg(
        pl.len().alias("count"),
        (pl.col("outcome") == GIVEN_UP).sum().alias("quarantined"),
        pl.col("item").n_unique().alias("items"),
        pl.col("uri", "message", "traceback", "log").first(),
    )
    table = table.rename({"message": "example", "normal": "message"})
    table = table.sort(["count", "stage", "kind", "message"], descending=[True, False, False, False])
    return [FailureCause(**row) for row in table.iter_rows(named=True)]


def normalised(message: str) -> str:
    """A message without the parts that differ between failures of one cause."""
    for pattern, name in SAME:
        message = pattern.sub(name, message)
    return message
