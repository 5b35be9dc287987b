"""`lpff-ray evaluate verification`, `identity` and `fid`."""

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
    """Measure an embedding, on an exported benchmark or labelled photos, or how far apart two sets of pictures are."""


@evaluate.command(cls=Verb)
@argument("dest", metavar="DEST", about="The --dest of an export --format verification.")
@option(
    "--embedding",
    default="run",
    metavar="NAME",
    help="run: what the faces were mined with; or an optional model, which embeds the crops.",
    show_default=True,
)
@option(
    "--protocol",
    default="roc",
    metavar="NAME",
    help="roc; or efhq, which adds EFHQ's score over ten folds.",
    show_default=True,
)
@option(
    "--features",
    default="",
    metavar="FILE",
    help="A feat.npz (arr_0, with paths.txt beside it) of a network of yours, in place of --embedding.",
)
@option(
    "--list", "lists", multiple=True, metavar="NAME", help="Only this list: f2f, f2p or p2p; may be repeated."
)
@device
@as_json
def verification(
    dest: str,
    embedding: str,
    protocol: str,
    features: str,
    lists: tuple[str, ...],
    device: str,
    as_json: bool,
) -> None:
    """ROC, AUC, EER and TAR at FAR on each list of pairs.

    Writes DEST/evaluation.json and DEST/roc.png.
    """
    evaluation = lpff_ray.evaluate(dest, embedding, device, protocol=protocol, features=features, lists=lists)
    report(as_json, {"dest": dest, **evaluation}, _shown(dest, evaluation))


@evaluate.command(cls=Verb)
@argument("folder", metavar="FOLDER", about="A local folder that holds a folder of photos for each person.")
@option("--embedding", default="dlib-resnet", metavar="NAME", help="As of mine.", show_default=True)
@device
@as_json
def identity(folder: str, embedding: str, device: str, as_json: bool) -> None:
    """What dedupe's identity_distance should be for an embedding, measured on labelled photos."""
    found = lpff_ray.evaluate_identity(folder, embedding, device)
    report(as_json, {"folder": folder, **found}, _shown_identity(found))


@evaluate.command(cls=Verb)
@argument(
    "a", metavar="A", about="An export, a folder or zip of pictures, or a .npz of pytorch-fid's statistics."
)
@argument("b", metavar="B", about="The same, of the other set; generated pictures, say.")
@option(
    "--network",
    default="inception",
    metavar="NAME",
    help="What gives the features: an optional model, or a TorchScript or ONNX file.",
    show_default=True,
)
@option(
    "--resize",
    default="clean",
    metavar="NAME",
    help="clean: antialiased, as clean-fid; pytorch: bilinear, as pytorch-fid.",
    show_default=True,
)
@option(
    "--by-label", is_flag=True, help="Also for each pose bin (EG3D's cameras) or class of both dataset.json."
)
@option("--a-list", default="", metavar="NAME", help="Take A's pictures as this list in its root names them.")
@option("--b-list", default="", metavar="NAME", help="The same of B.")
@option("--seed", default=0, metavar="N", help="Of the subsets of KID.", show_default=True)
@device
@as_json
def fid(
    a: str,
    b: str,
    network: str,
    resize: str,
    by_label: bool,
    a_list: str,
    b_list: str,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """FID and KID between two sets of pictures."""
    found = lpff_ray.evaluate_fid(
        a, b, network, device, resize=resize, by_label=by_label, a_list=a_list, b_list=b_list, seed=seed
    )
    report(as_json, found, _shown_fid(found))


def _shown_fid(found: dict[str, Any]) -> Iterator[Shown]:
    table = Table("pictures", "A", "B", "FID", "KID x 1000")
    for name, part in {"all": found["all"], **found.get("divisions", {})}.items():
        counts = [f"{part[side]:,}" if part[side] is not None else "-" for side in ("a", "b")]
        kid = "-" if part["kid"] is None else f"{part['kid'] * 1000:.3f} +- {part['kid_std'] * 1000:.3f}"
        table.add_row(name, *counts, "-" if part["fid"] is None else f"{part['fid']:.4f}", kid)
    yield f"features of {found['network']}, {found['resize']} resizing"
    yield table
    yield from found["notes"]


def _shown_identity(found: dict[str, Any]) -> Iterator[Shown]:
    yield (
        f"{found['embedding']}: {found['people']} people, {found['photos'] - found['without_a_face']} of "
        f"{found['photos']} photos with a face, {found['same_pairs']} pairs of one person and "
        f"{found['different_pairs']} of two, AUC {found['auc']:.4f}"
    )
    table = Table("distance", "identities", "pairs of one person joined", "of two people joined")
    for step in found["steps"]:
        table.add_row(
            f"{step['distance']:.3f}",
            str(step["identities"]),
            f"{step['same']:.1%}",
            f"{step['different']:.3%}",
        )
    yield table
    yield (
        f"1 in {1 / found['false_accepts_measured']:,.0f} pairs of two people is nearer than "
        f"{found['identity_distance']:.3f}; for dedupe --config, if that is rare enough for your collection:"
    )
    yield f"[dedupe]\nidentity_distance = {found['identity_distance']:.3f}"


def _shown_folds(lists: dict[str, dict[str, Any]]) -> Iterator[Shown]:
    """EFHQ's score."""
    from lpff_ray.exports.evaluation.folds import FOLD_FARS, FOLDS

    fars = [f"{far:.0e}" for far in FOLD_FARS]
    table = Table(f"{FOLDS} folds, as EFHQ", "pairs", *(f"TAR@{far}" for far in fars))
    for name, found in lists.items():
        folds = found["efhq"]
        if "note" in folds:
            yield f"{name}: {folds['note']}"
        else:
            least = 2 / folds["pairs"] / (1 - 1 / FOLDS)
            if least > FOLD_FARS[-1]:
                yield f"{name}: FAR below {least:.0e} is less than one pair of two people: no measurement"
            points = [folds["tar_at_far"][far] for far in fars]
            table.add_row(
                name, str(folds["pairs"]), *(f"{point['tar']:.4f} +- {point['std']:.4f}" for point in points)
            )
    yield table


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
    if any("efhq" in found for found in lists.values()):
        yield from _shown_folds(lists)
    yield from notes
    if evaluation["caution"]:
        yield evaluation["caution"]
    yield f"figures: {dest}/{EVALUATION}; curves: {dest}/{PLOT}"
