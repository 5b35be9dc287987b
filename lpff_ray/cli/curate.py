"""The command line's verbs that work on a finished table of faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from lpff_ray.cli.options import Address, Device, Executor, ExecutorName, Out
from lpff_ray.monitoring.console import console, counted


def add(app: typer.Typer) -> None:
    """Put these verbs on the command line."""

    @app.command()
    def dedupe(
        out: Out,
        config: Annotated[
            Path | None, typer.Option(help="TOML file with a table `dedupe`; flags win over it.")
        ] = None,
        identity_distance: Annotated[
            float | None,
            typer.Option(help="Mean distance between tracks of one person (default: 0.25; ArcFace 1.05)."),
        ] = None,
        duplicate_distance: Annotated[
            float | None, typer.Option(help="Of embeddings of two duplicates (default: 0.2; ArcFace 0.6).")
        ] = None,
        duplicate_degrees: Annotated[
            float | None, typer.Option(help="Rotation between two duplicates (default: 4).")
        ] = None,
        duplicate_bits: Annotated[
            int | None,
            typer.Option(help="Bits of 64 in which two duplicates' perceptual hashes differ (default: 10)."),
        ] = None,
        duplicate_expression: Annotated[
            float | None,
            typer.Option(
                help="How far mouth, eyes and brows of two duplicates differ: 1 just shows (default: 1)."
            ),
        ] = None,
        executor: Executor = ExecutorName.auto,
        address: Address = "",
        device: Device = "auto",
    ) -> None:
        """Tell people apart over the whole run; mark near-duplicate faces and clips. Run again after mining more."""
        from lpff_ray.cli.curate_output import dedupe_lines
        from lpff_ray.curate.config import load_dedupe_config
        from lpff_ray.curate.dedupe import dedupe as run_dedupe

        settings = {
            "identity_distance": identity_distance,
            "duplicate_distance": duplicate_distance,
            "duplicate_degrees": duplicate_degrees,
            "duplicate_bits": duplicate_bits,
            "duplicate_expression": duplicate_expression,
        }
        done = run_dedupe(
            out,
            load_dedupe_config(config, settings),
            executor=executor.value,
            address=address,
            device=device,
        )
        console.print("\n".join(dedupe_lines(done)))

    app.command()(select)


def select(
    out: Out,
    preset: Annotated[str, typer.Option(help="efhq, lpff, uniform or verification.")] = "efhq",
    name: Annotated[
        str | None,
        typer.Option(help="What to call the selection (default: the preset's name, or its method's)."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with a table `select`; flags win over it.")
    ] = None,
    with_frontal: Annotated[
        bool | None, typer.Option("--with-frontal/--no-frontal", help="efhq: frontal faces too.")
    ] = None,
    per_identity_bin: Annotated[
        int | None, typer.Option(help="Most faces of one identity in one bin or cell (default: efhq: 10).")
    ] = None,
    budget: Annotated[int | None, typer.Option(help="uniform: most faces selected (default: 20000).")] = None,
    reference: Annotated[
        str | None, typer.Option(help="lpff: file of cameras to be rare among (default: ffhq_like_gaussian).")
    ] = None,
    max_density: Annotated[
        float | None, typer.Option(help="lpff: of the reference, per square radian (default: 0.4).")
    ] = None,
    rebalance: Annotated[
        str | None, typer.Option(help="lpff: with_reference, alone or none (default: with_reference).")
    ] = None,
    min_iqa: Annotated[
        float | None, typer.Option(help="Lowest iqa kept, in place of the preset's quantile.")
    ] = None,
    min_iqa_quantile: Annotated[
        float | None, typer.Option(help="Share of the faces of least iqa that goes.")
    ] = None,
    min_det_score: Annotated[float | None, typer.Option(help="Lowest detection score kept.")] = None,
    min_area: Annotated[
        float | None, typer.Option(help="Least area of the face's box, square pixels (65536: 256 x 256).")
    ] = None,
    min_sharpness: Annotated[float | None, typer.Option(help="Least sharpness kept, 0..1.")] = None,
    max_pose_spread: Annotated[
        float | None, typer.Option(help="Largest disagreement of the pose estimators, degrees.")
    ] = None,
    test_share: Annotated[
        float | None, typer.Option(help="Share of identities for testing (default: 0.1).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the split and of what is drawn (default: 0).")] = None,
) -> None:
    """Select faces into selections/NAME: gates, bins, caps per identity, rebalancing, a train/test split."""
    settings = {
        "with_frontal": with_frontal,
        "per_identity_bin": per_identity_bin,
        "budget": budget,
        "reference": reference,
        "max_density": max_density,
        "rebalance": rebalance,
        "min_iqa": min_iqa,
        "min_iqa_quantile": min_iqa_quantile,
        "min_det_score": min_det_score,
        "min_area": min_area,
        "min_sharpness": min_sharpness,
        "max_pose_spread": max_pose_spread,
        "test_share": test_share,
        "seed": seed,
    }
    from lpff_ray.cli.curate_output import funnel_table, yaw_histogram
    from lpff_ray.curate.select import select as run_select
    from lpff_ray.curate.selection.empty import NothingSelected
    from lpff_ray.curate.selection.rules import load_rules, preset_beneath

    if name is None:
        rules = load_rules(preset, settings, config)
        name = preset_beneath(preset, rules) or rules.method
    try:
        done = run_select(out, name, preset, settings, config=config)
    except NothingSelected as nothing:
        console.print(funnel_table(nothing.funnel))
        raise
    console.print(funnel_table(done.funnel))
    failing = ", ".join(f"{gate} {count}" for gate, count in done.rules["found"]["failing"].items() if count)
    if failing:
        console.print(f"fail a gate of quality, some more than one: {failing}")
    console.print(yaw_histogram(done.before, done.after))
    most, usable = done.rules["rules"].get("budget"), done.rules["found"].get("usable")
    if usable is not None and usable <= most:
        console.print(
            f"budget {most} is not below the {counted(usable, 'usable face')}: all taken, nothing flattened; "
            f"try --budget {max(1, usable // 2)}"
        )
    table = done.table
    tested = table.filter(table["split"] == "test")
    listed = int(table["copies"].sum())
    review = done.rules["review"]
    console.print(
        _people(table)
        + (f", listed {listed} times" if listed > len(table) else "")
        + f"; for testing {_people(tested)}"
        + (f"; {counted(review['marks'], 'review mark')}" if review["marks"] else "")
    )
    console.print("\n".join(f"{out}/{file}" for file in done.files))


def _people(faces: pl.DataFrame) -> str:
    identities = counted(faces["identity_id"].n_unique(), "identity", "identities")
    return f"{counted(len(faces), 'face')} of {identities}"
