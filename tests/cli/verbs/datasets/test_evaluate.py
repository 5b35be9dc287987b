"""`lpff-ray evaluate`, as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
from command import call
from selecting import export_command, with_selection


def test_evaluate_as_json(out: Path, tmp_path: Path) -> None:
    run = with_selection(out, tmp_path / "run", bin=pl.lit("frontal"))
    dest = tmp_path / "benchmark"
    assert call(*export_command(run, "verification", "--pairs", "10", "--dest", dest)).returncode == 0
    result = json.loads(call("evaluate", "verification", dest, "--json").stdout)
    assert (result["embedding"], result["similarity"], set(result["lists"])) == (
        "run",
        "cosine",
        {"f2f", "f2p", "p2p"},
    )
