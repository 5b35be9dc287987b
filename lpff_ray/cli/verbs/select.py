"""`lpff-ray select`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import polars as pl

import lpff_ray
from lpff_ray.cli.options import as_json, config_file, option, out
from lpff_ray.cli.output import Shown, Table, plain, report, show
from lpff_ray.cli.settings import default_text, setting_option
from lpff_ray.cli.verb import Option, Verb
from lpff_ray.monitoring.wording import counted

FLAGS = {"with_frontal": "--with-frontal/--no-frontal"}
NO_SETTINGS = ("description", "method")  # what a preset is; a --config file may name another method
BAR = 16  # characters of the longest bar


def _settings(ctx: click.Context) -> list[Option]:
    """An option for every setting of any preset, below the names of the presets that have it."""
    from lpff_ray.curate.selection.rules import load_rules, presets

    rules = {preset: load_rules(preset) for preset in presets()}
    owners: dict[str, list[str]] = {}
    for preset, of_preset in rules.items():
        for name in type(of_preset).model_fields:
            owners.setdefault(name, []).append(preset)
    options = [
        Option(
            ["--preset"],
            default="efhq",
            metavar="NAME",
            show_default=True,
            help=f"What kind of selection. One of {', '.join(rules)}.",
        )
    ]
    for name, having in sorted(owners.items(), key=lambda item: -len(item[1])):
        if name in NO_SETTINGS:
            continue
        everywhere = len(having) == len(rules)
        section = "Settings of every preset" if everywhere else f"Settings of {', '.join(having)}"
        field = type(rules[having[0]]).model_fields[name]
        default = _default({preset: getattr(rules[preset], name) for preset in having})
        options.append(setting_option(name, field, section, default=default, flag=FLAGS.get(name, "")))
    return options


def _default(values: dict[str, Any]) -> str:
    """A setting's value in each preset, as the help shows it: "0.1", or "efhq 0.9, lpff 0.8"."""
    texts = {preset: default_text(value) for preset, value in values.items()}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return ", ".join(f"{preset} {text}" for preset, text in texts.items() if text)


@click.command(cls=Verb, settings=_settings)
@out
@option("--name", metavar="NAME", show_default="the preset's name", help="What to call the selection.")
@config_file("select")
@as_json
def select(
    out: str, preset: str, name: str | None, config: Path | None, as_json: bool, **settings: Any
) -> None:
    """Select faces into selections/NAME: gates, bins, caps per identity, rebalancing, a train/test split."""
    from lpff_ray.curate.selection.empty import NothingSelected
    from lpff_ray.curate.selection.rules import load_rules, preset_beneath

    if name is None:
        rules = load_rules(preset, settings, config)
        name = preset_beneath(preset, rules) or rules.method
    try:
        done = lpff_ray.select(out, name, preset, settings, config=config)
    except NothingSelected as nothing:
        if not as_json:
            show([_funnel(nothing.funnel)])
        raise
    report(as_json, _result(done), _shown(out, done))


def _result(done: Any) -> dict[str, Any]:
    """A selection as plain values; its faces are in its files."""
    table = done.table
    tested = table.filter(table["split"] == "test")
    return {
        "out": done.out,
        "name": done.name,
        "faces": len(table),
        "identities": table["identity_id"].n_unique(),
        "listed": int(table["copies"].sum()),
        "test": {"faces": len(tested), "identities": tested["identity_id"].n_unique()},
        "files": list(done.files),
        **{key: plain(value) for key, value in done.rules.items() if key != "name"},
    }


def _shown(out: str, done: Any) -> Iterator[Shown]:
    yield _funnel(done.funnel)
    failing = ", ".join(f"{gate} {count}" for gate, count in done.rules["found"]["failing"].items() if count)
    if failing:
        yield f"fail a gate of quality, some more than one: {failing}"
    rules = done.rules["rules"]
    if rules["min_hyperiqa"] is not None and done.rules["found"]["min_iqa"] is None:
        yield "no gate on iqa: min_hyperiqa is for runs mined with --iqa hyperiqa; --min-iqa N sets one"
    yield _yaw_histogram(done.before, done.after)
    most, usable = done.rules["rules"].get("budget"), done.rules["found"].get("usable")
    if usable is not None and most is not None and usable <= most:
        yield (
            f"budget {most} is not below the {counted(usable, 'usable face')}: all taken, nothing flattened; "
            f"try --budget {max(1, usable // 2)}"
        )
    table = done.table
    tested = table.filter(table["split"] == "test")
    listed = int(table["copies"].sum())
    review = done.rules["review"]
    yield (
        _people(table)
        + (f", listed {listed} times" if listed > len(table) else "")
        + f"; for testing {_people(tested)}"
        + (f"; {counted(review['marks'], 'review mark')}" if review["marks"] else "")
        + (f", {review['unknown']} of them on faces that are not in this run" if review["unknown"] else "")
    )
    yield from (f"{out}/{file}" for file in done.files)


def _people(faces: pl.DataFrame) -> str:
    identities = counted(faces["identity_id"].n_unique(), "identity", "identities")
    return f"{counted(len(faces), 'face')} of {identities}"


def _funnel(counts: pl.DataFrame) -> Table:
    """How many faces each step leaves, by bin; bins without their "profile_"."""
    shown = Table(title="How many faces are left, by pose bin")
    shown.add_column("after", no_wrap=True)
    for name in counts.columns[1:]:
        shown.add_column(name.removeprefix("profile_"), justify="right")
    for row in counts.iter_rows():
        shown.add_row(*(str(value) for value in row))
    return shown


def _yaw_histogram(before: pl.DataFrame, after: pl.DataFrame) -> Table:
    """Yaw at every stage in steps of 15 degrees, as shares and bars."""
    from lpff_ray.curate.selection.histograms import yaw_shares

    edges, stages = yaw_shares(before, after)
    longest = max(float(shares.max()) for shares in stages.values()) or 1.0
    headers = [header for name in stages for header in (name, "")]
    table = Table("yaw", *headers, title="Share of the faces by yaw (> 0: faces image-left)")
    for step, (low, high) in enumerate(pairwise(edges)):
        row = [float(shares[step]) for shares in stages.values()]
        cells = [text for share in row for text in (f"{share:6.1%}", "█" * round(BAR * share / longest))]
        table.add_row(f"{low:4.0f} .. {high:4.0f}", *cells)
    return table
