"""EFHQ's verification benchmark: aligned crops by identity, and lists of pairs to compare.

Layout: `images/IDENTITY/BIN/NAME.png`, 112 pixels, aligned as insightface does for ArcFace; `f2f.txt`, `f2p.txt`,
`p2p.txt`, one pair a line, two paths below `images/` and 1 (one person) or 0, with tabs between; `pairs.json`, counts;
`embeddings.parquet`, the run's embedding of every crop, for `lpff-ray evaluate verification`.
Source: VinAIResearch/EFHQ, `3_align_sample/cli_face_verification.py`, whose `eval` reads these lists. EFHQ also
degrades its crops at random (brightness, downscaling, JPEG); these are as they are, unless `degrade` is "efhq".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from lpff_ray.errors import UserError
from lpff_ray.exports.format import FaceFormat, File, OutputFile, OutputImage, Record, Row, selected_faces
from lpff_ray.exports.imaging.degradation import degraded
from lpff_ray.exports.lists.bins import PROFILE_BINS, selected_bin
from lpff_ray.exports.lists.pairs import LISTS, pair_list
from lpff_ray.exports.names import plain_names
from lpff_ray.geometry.transforms import similarity_from_points
from lpff_ray.storage.folder import Folder
from lpff_ray.tables.schema import parquet_bytes
from lpff_ray.types import PoseBin

IMAGES = "images"
EMBEDDINGS = "embeddings.parquet"
SIDE = 112


class Verification(FaceFormat):
    """`--format verification`. Of a selection with a test split, its test identities alone.

    pairs: per list, at most, both kinds together; EFHQ's have 20,000. seed: of the draw. gap_s: least seconds between
    two frames of one video in which a person is compared with themselves. degrade: "efhq" for EFHQ's degradations.
    max_outside: faces one of whose five points lies more pixels outside their box are left out; EFHQ's is 10.
    """

    pairs: int = Field(default=20_000, ge=2, description="most pairs in a list, both kinds together")
    seed: int = Field(default=0, ge=0, description="seed of the draw")
    gap_s: float = Field(
        default=1.0, ge=0, description="least seconds between two frames of one video that make a pair"
    )
    degrade: Literal["none", "efhq"] = Field(
        default="none", description="crops as they are, or EFHQ's random brightness, downscaling and JPEG"
    )
    max_outside: float | None = Field(
        default=None,
        ge=0,
        description="leave out faces with a point more pixels than this outside their box (EFHQ: 10)",
    )

    name: ClassVar[str] = "verification"
    loading: ClassVar[str] = (
        "`lpff-ray evaluate verification DEST`; `f2f.txt`, `f2p.txt` and `p2p.txt` list pairs of crops in `images/`."
    )
    columns: ClassVar[tuple[str, ...]] = (
        "keypoints",
        "bbox",
        "track_id",
        "face_index",
        "pose_bin",
        "embedding",
    )

    def rows(self, run: str, selection: pl.DataFrame) -> pl.DataFrame:
        """The selected faces, with `view` (frontal, profile, or null where the estimators disagree) and `path`.

        Raises UserError if the selection does not know who the faces are.
        """
        if selection["identity_id"].null_count():
            raise UserError(
                f"{run}: the selection does not say who all of its faces are; run lpff-ray dedupe, then select again"
            )
        if (selection["split"] == "test").any():
            selection = selection.filter(pl.col("split") == "test")
        faces = selected_faces(run, selection, self.columns).with_columns(majority_bin=selected_bin())
        if self.max_outside is not None and len(faces):
            points, box = faces["keypoints"].to_numpy(), faces["bbox"].to_numpy()[:, None]
            away = np.maximum(box[..., :2] - points, points - box[..., 2:]).max((1, 2))
            faces = faces.filter(pl.Series(away <= self.max_outside))
        folders = plain_names({identity: identity for identity in faces["identity_id"].unique().sort()})
        return faces.with_columns(
            view=pl.when(pl.col("majority_bin") == PoseBin.FRONTAL.value)
            .then(pl.lit("frontal"))
            .when(pl.col("majority_bin").is_in(PROFILE_BINS))
            .then(pl.lit("profile")),
            path=pl.format(
                "{}/{}/{}_{}_{}.png",
                pl.col("identity_id").replace_strict(folders),
                "majority_bin",
                "video_id",
                pl.col("frame_index").cast(pl.String).str.zfill(8),
                "face_index",
            ),
        )

    def make(self, frame: NDArray[np.uint8], row: Row) -> tuple[list[File], Record]:
        """The aligned crop."""
        # Not above: it needs torch, which takes seconds.
        from lpff_ray.measure.identity.chips import ARCFACE_POINTS, arcface_chip

        five = row["keypoints"]
        record: dict[str, Any] = {name: row[name] for name in ("path", "identity_id", "view", "track_id")}
        record["transform"] = similarity_from_points(five, ARCFACE_POINTS).tolist()
        record["embedding"] = base64.b64encode(np.asarray(row["embedding"], "<f4").tobytes()).decode()
        chip = arcface_chip(frame, five)
        if self.degrade == "efhq":
            chip = degraded(chip, row["face_id"], self.seed)
        return [OutputImage(f"{IMAGES}/{row['path']}", chip)], record

    def finish(self, made: Folder, records: list[Record]) -> Iterable[OutputFile]:
        """The lists, of crops that were made; their counts; and the embeddings."""
        if not records:
            return
        fields = ("path", "identity_id", "view", "uri", "track_id", "pts_ns")
        faces = pl.DataFrame({name: [record[name] for record in records] for name in fields})
        summary: dict[str, Any] = {"seed": self.seed, "gap_s": self.gap_s, "crops": len(faces), "lists": {}}
        summary["degrade"] = self.degrade
        for name, views in LISTS.items():
            lines = pair_list(faces, views, self.pairs, self.gap_s, self.seed)
            text = "".join(f"{one}\t{other}\t{int(same)}\n" for one, other, same in lines)
            yield OutputFile(f"{name}.txt", text.encode())
            used = faces.filter(pl.col("path").is_in({path for line in lines for path in line[:2]}))
            summary["lists"][name] = {
                "pairs": len(lines),
                "positives": len(lines) // 2,
                "negatives": len(lines) // 2,
                "crops": len(used),
                "identities": used["identity_id"].n_unique(),
            }
        packed = [base64.b64decode(record["embedding"]) for record in records]
        embeddings = np.stack([np.frombuffer(content, "<f4") for content in packed])
        table = pl.DataFrame(
            {
                "path": faces["path"],
                "face_id": [record["face_id"] for record in records],
                "embedding": pl.Series(embeddings, dtype=pl.Array(pl.Float32(), embeddings.shape[1])),
            }
        )
        yield OutputFile(EMBEDDINGS, parquet_bytes(table.sort("path")))
        yield OutputFile("pairs.json", json.dumps(summary, indent=2).encode() + b"\n")

    def notes(self, selection: pl.DataFrame, rows: pl.DataFrame, dest: Folder) -> list[str]:
        """Whose faces were left out, and which lists have fewer pairs than asked for."""
        notes = []
        tested = int((selection["split"] == "test").sum()) or len(selection)
        if tested < len(selection):
            notes.append(
                f"test identities alone: {tested} of {len(selection)} faces (select with --test-share 1 for all)"
            )
        if len(rows) < tested:
            outside = f"more than {self.max_outside:g} pixels outside their box"
            notes.append(f"{tested - len(rows)} faces with a point {outside}")
        for name in LISTS:
            pairs = (dest.read(f"{name}.txt") or b"").count(b"\n")
            if pairs < self.pairs // 2 * 2:
                found = f"{pairs} of {self.pairs} pairs" if pairs else "empty"
                notes.append(f"{name}.txt: {found}: it takes {_takes(*LISTS[name])}")
        return notes


def _takes(one: str, other: str) -> str:
    views = f"{one} faces" if one == other else f"{one} and {other} faces"
    return f"{views} of two and more people, and two of one person"
