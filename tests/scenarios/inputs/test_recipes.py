"""The recipes of docs/recipes, command by command, from raw files to a trainer's first batch."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
from command import call

from benchmarks import recipes


def execute(words: list[str], folder: Path) -> None:
    assert words[0] == "lpff-ray"
    done = call(*words[1:], cwd=folder)
    assert done.returncode == 0, (words, done.stdout, done.stderr)


def test_an_lpff_like_set_from_a_photo_folder(shared_data: Path, tmp_path: Path) -> None:
    recipes.prepare(tmp_path, shared_data)
    recipes.run("lpff-like", tmp_path, execute)
    plan = pl.read_parquet(tmp_path / "run" / "plan.parquet")
    assert dict(plan["status"].value_counts().iter_rows()) == {"planned": 7, "refused": 1}
    lines = (tmp_path / "sets" / "stylegan" / "PROVENANCE.jsonl").read_text().splitlines()
    assert len(lines) >= 2, "of seven photos"
    for line in map(json.loads, lines):
        assert line["source"]["licence"] in ("CC BY 2.0", "CC0")
    assert "## licence" in (tmp_path / "sets" / "eg3d" / "SOURCES.md").read_text()


def test_an_efhq_like_set_from_videos(shared_data: Path, tmp_path: Path) -> None:
    recipes.prepare(tmp_path, shared_data)
    recipes.run("efhq-like", tmp_path, execute)
    chosen = {
        name: pl.read_parquet(tmp_path / "run" / "selections" / f"{name}.parquet")
        for name in ("extreme", "paper")
    }
    assert 3 <= len(chosen["extreme"]) < len(chosen["paper"]), "the paper's way repeats"
    assert not any(name.startswith("frontal") for name in chosen["extreme"]["bin"])


def test_every_recipe_is_run() -> None:
    assert {path.stem for path in recipes.DOCUMENTS.glob("*.md")} == set(recipes.PICTURES)
