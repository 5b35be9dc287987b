"""The verification benchmark: read as EFHQ's own evaluation reads it, and measured."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
import torch
from command import call, complaint
from PIL import Image
from scipy.stats import mannwhitneyu
from selecting import SELECTION, export_command, with_selection
from small_weights import SmallIResNet, randomised

import lpff_ray
from lpff_ray.errors import UserError
from lpff_ray.exports.evaluation.verification import evaluate
from lpff_ray.exports.formats.verification import SIDE, Verification
from lpff_ray.exports.imaging.degradation import degraded
from lpff_ray.exports.job import export
from lpff_ray.tables.curated import selection

VIEWS = pl.when(pl.col("frame_index") % 10 == 0).then(pl.lit("frontal")).otherwise(pl.lit("profile_left"))
FORMAT = Verification(pairs=20, gap_s=0.3)


@pytest.fixture(scope="module")
def run(demo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's clip, whose tracks, in four shots, pass for people, every other frame for a profile."""
    return with_selection(demo_run, tmp_path_factory.mktemp("verification") / "run", bin=VIEWS)


@pytest.fixture(scope="module")
def benchmark(run: Path) -> Path:
    dest = run.parent / "benchmark"
    summary = export(str(run), SELECTION, FORMAT, str(dest))
    short = [name for name, lines in efhqs_lists(dest).items() if len(lines) < FORMAT.pairs]
    assert [note[:3] for note in summary.notes] == short, "nothing is said of lists as long as asked for"
    return dest


def efhqs_lists(folder: Path) -> dict[str, list[tuple[str, str, bool]]]:
    """What EFHQ's `eval` makes of a list: lines stripped, cut at tabs, the third an int."""
    lists = {}
    for name in ("f2f", "f2p", "p2p"):
        lines = [line.strip().split("\t") for line in (folder / f"{name}.txt").read_text().splitlines()]
        lists[name] = [(one, other, bool(int(same))) for one, other, same in lines]
    return lists


def test_lists_and_crops_are_what_efhqs_evaluation_opens(benchmark: Path, run: Path) -> None:
    for name, lines in efhqs_lists(benchmark).items():
        assert 0 < len(lines) <= 20
        assert sum(same for _, _, same in lines) * 2 == len(lines)
        for one, other, same in lines:
            people, views = zip(*(path.split("/")[:2] for path in (one, other)), strict=True)
            assert (people[0] == people[1]) is same
            assert tuple("p" if "frontal" not in view else "f" for view in views) == (name[0], name[2])
            for path in (one, other):
                picture = cv2.imread(str(benchmark / "images" / path))
                assert picture.shape == (112, 112, 3)
    everyone = {path.parent.parent.name for path in (benchmark / "images").rglob("*.png")}
    tracks = lpff_ray.scan(str(run)).select(pl.col("track_id").n_unique()).collect().item()
    assert len(everyone) == tracks > 3


def test_a_crop_lies_as_arcface_wants_it(benchmark: Path, run: Path) -> None:
    # insightface's arcface_dst: eyes, nose tip, mouth corners in the crop of 112 pixels.
    wanted = np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    )
    faces = lpff_ray.scan(str(run)).collect()
    lines = [json.loads(line) for line in (benchmark / "PROVENANCE.jsonl").read_text().splitlines()]
    assert [line["face_id"] for line in lines] == faces["face_id"].to_list()
    for line, five in zip(lines[:15:4], faces["keypoints"].to_numpy()[:15:4], strict=True):
        # The similarity of least squares, x' = a x - b y + c and y' = b x + a y + d, by a general solver.
        x, y, one, zero = five[:, 0], five[:, 1], np.ones(5), np.zeros(5)
        equations = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
        a, b, c, d = np.linalg.lstsq(equations, wanted.T.ravel(), rcond=None)[0]
        assert np.allclose(line["transform"], [[a, -b, c], [b, a, d]], atol=1e-4)
        with Image.open(benchmark / line["files"][0]) as picture:
            found = lpff_ray.analyze([np.asarray(picture.resize((336, 336), Image.Resampling.BICUBIC))])
        there = five @ np.array([[a, b], [-b, a]]) + [c, d]
        assert np.abs(found["keypoints"].to_numpy()[0] / 3 - there).mean() < 1.5, (
            "the face is where it is said to be"
        )


def test_figures_are_those_of_the_runs_embeddings(benchmark: Path, run: Path) -> None:
    done = call("evaluate", "verification", benchmark)
    assert done.returncode == 0, done.stderr
    assert "TAR at FAR 1e-03 not shown: " in done.stdout
    assert "the figures flatter it" in done.stdout
    evaluation = json.loads((benchmark / "evaluation.json").read_text())
    assert Image.open(benchmark / "roc.png").size == (640, 640)
    faces = lpff_ray.scan(str(run)).select("face_id", "embedding").collect()
    of = dict(zip(faces["face_id"], faces["embedding"].to_numpy().astype(float), strict=True))
    named = [json.loads(line) for line in (benchmark / "PROVENANCE.jsonl").read_text().splitlines()]
    ids = {line["files"][0].removeprefix("images/"): line["face_id"] for line in named}
    for name, lines in efhqs_lists(benchmark).items():
        cosines = [
            [of[ids[a]] @ of[ids[b]] for a, b, same in lines if same is kind] for kind in (True, False)
        ]
        area = mannwhitneyu(*cosines).statistic / len(cosines[0]) / len(cosines[1])
        found = evaluation["lists"][name]
        assert found["auc"] == pytest.approx(area, abs=1e-6)
        assert found["positives"] == found["negatives"] == len(lines) // 2
        assert found["tar_at_far"]["1e-04"] is None


def test_a_plug_in_embeds_the_crops(benchmark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LPFF_RAY_MODELS", str(tmp_path))
    with pytest.raises(UserError, match="models pull arcface-r50"):
        evaluate(str(benchmark), "arcface-r50")
    with pytest.raises(UserError, match="its task is detection"):
        evaluate(str(benchmark), "yunet")
    (tmp_path / "arcface-r50").mkdir()
    network = randomised(SmallIResNet(), seed=4).eval()
    torch.save(network.state_dict(), tmp_path / "arcface-r50" / "backbone.pth")
    evaluation = evaluate(str(benchmark), "arcface-r50")
    assert (evaluation["embedding"], evaluation["caution"]) == ("arcface-r50", "")
    lines = efhqs_lists(benchmark)["f2f"]
    with torch.no_grad():
        rgb = {
            p: cv2.imread(str(benchmark / "images" / p))[..., ::-1].copy() for line in lines for p in line[:2]
        }
        vectors = {
            path: torch.nn.functional.normalize(
                network(torch.tensor(crop).permute(2, 0, 1)[None] / 127.5 - 1)
            )[0]
            for path, crop in rgb.items()
        }
    cosines = [
        [float(vectors[a] @ vectors[b]) for a, b, same in lines if same is kind] for kind in (True, False)
    ]
    area = mannwhitneyu(*cosines).statistic / len(cosines[0]) / len(cosines[1])
    assert evaluation["lists"]["f2f"]["auc"] == pytest.approx(area, abs=0.02)


def test_only_people_of_the_test_split_are_compared(demo_run: Path, tmp_path: Path) -> None:
    test = pl.when(pl.col("track_id").rank("dense") <= 2).then(pl.lit("test")).otherwise(pl.lit("train"))
    run = with_selection(demo_run, tmp_path / "run", bin=VIEWS, split=test)
    chosen = selection(str(run), SELECTION)
    rows = FORMAT.rows(str(run), chosen)
    assert set(rows["identity_id"]) == set(chosen.filter(pl.col("split") == "test")["identity_id"])
    assert rows["identity_id"].n_unique() == 2
    one_split = chosen.with_columns(split=pl.lit("train"))
    assert len(FORMAT.rows(str(run), one_split)) == 20
    command = export_command(run, "verification", "--dest", tmp_path / "dest")
    done = call(*command, "--set", "gap_s=0.3")
    assert done.returncode == 0, done.stderr
    assert (
        f"test identities alone: {len(rows)} of 20 faces (select with --test-share 1 for all)" in done.stdout
    )
    for name, lines in efhqs_lists(tmp_path / "dest").items():
        found = f"{len(lines)} of 20000 pairs" if lines else "empty"
        assert f"{name}.txt: {found}: it takes " in done.stdout


def test_a_selection_of_nobody_in_particular_is_refused(run: Path) -> None:
    chosen = selection(str(run), SELECTION).with_columns(identity_id=pl.lit(None, pl.String))
    with pytest.raises(UserError, match="run lpff-ray dedupe"):
        FORMAT.rows(str(run), chosen)


def test_one_person_alone_gives_empty_lists_and_says_so(demo_run: Path, tmp_path: Path) -> None:
    run = with_selection(demo_run, tmp_path / "run", identity_id=pl.lit("Eileen Collins"))
    for _ in ("made", "there already"):
        summary = export(str(run), SELECTION, FORMAT, str(tmp_path / "dest"))
        assert [note.partition(": it takes")[0] for note in summary.notes] == [
            f"{name}.txt: empty" for name in ("f2f", "f2p", "p2p")
        ]
    assert (tmp_path / "dest" / "f2f.txt").read_bytes() == b""
    assert len(list((tmp_path / "dest" / "images" / "Eileen_Collins" / "frontal").iterdir())) == 20
    done = call("evaluate", "verification", tmp_path / "dest")
    assert done.returncode == 0
    assert "f2f: no figures: it takes pairs of one person and of two" in done.stdout


def test_damage_is_one_line(benchmark: Path, tmp_path: Path) -> None:
    assert "no f2f.txt here" in complaint(call("evaluate", "verification", tmp_path))
    for name in ("f2f.txt", "f2p.txt", "p2p.txt"):
        (tmp_path / name).write_bytes((benchmark / name).read_bytes())
    assert "no embeddings.parquet here" in complaint(call("evaluate", "verification", tmp_path))
    (tmp_path / "f2p.txt").write_text("a.png b.png 1\n")
    assert "f2p.txt: line 1: not two paths and 0 or 1" in complaint(
        call("evaluate", "verification", tmp_path)
    )
    assert not (tmp_path / "evaluation.json").exists()
    assert SIDE == 112


def test_efhqs_degradations_and_its_limit_on_points(run: Path, benchmark: Path, tmp_path: Path) -> None:
    spoilt = FORMAT.model_copy(update={"degrade": "efhq"})
    export(str(run), SELECTION, spoilt, str(tmp_path / "spoilt"))
    known = pl.read_parquet(benchmark / "embeddings.parquet").select("path", "face_id")
    changed = 0
    for path, face_id in known.iter_rows():
        clean, other = (
            cv2.imread(str(d / "images" / path))[..., ::-1] for d in (benchmark, tmp_path / "spoilt")
        )
        assert np.array_equal(other, degraded(clean, face_id, FORMAT.seed))
        changed += not np.array_equal(clean, other)
    assert 0.5 * len(known) < changed
    assert efhqs_lists(tmp_path / "spoilt") == efhqs_lists(benchmark)
    assert "embedded before" in evaluate(str(tmp_path / "spoilt"))["caution"]
    chosen = selection(str(run), SELECTION)
    everything = len(FORMAT.rows(str(run), chosen))
    assert len(FORMAT.model_copy(update={"max_outside": 10.0}).rows(str(run), chosen)) == everything
    faces = lpff_ray.scan(str(run)).collect()
    points, box = faces["keypoints"].to_numpy(), faces["bbox"].to_numpy()[:, None]
    depth = np.minimum(points - box[..., :2], box[..., 2:] - points).min((1, 2))
    deepest = float(
        np.sort(depth)[-3]
    )  # a limit of less than nothing is refused: so much for the rule itself
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        Verification(max_outside=-deepest)
    inside = Verification.model_construct(max_outside=-deepest)
    assert len(inside.rows(str(run), chosen)) == 3


def test_features_of_another_network_in_efhqs_protocol(run: Path, tmp_path: Path) -> None:
    """`feat.npz` and `paths.txt` as EFHQ's `eval` reads them, one list at a time."""
    dest = tmp_path / "dest"
    export(str(run), SELECTION, Verification(pairs=60, gap_s=0.0), str(dest))
    known = pl.read_parquet(dest / "embeddings.parquet")
    order = np.random.default_rng(0).permutation(len(known))
    np.savez(tmp_path / "feat.npz", 3.0 * known["embedding"].to_numpy()[order])
    (tmp_path / "paths.txt").write_text("".join(f"{known['path'][int(row)]}\n" for row in order))
    ours = evaluate(str(dest), protocol="efhq")
    theirs = evaluate(str(dest), features=str(tmp_path / "feat.npz"), protocol="efhq", lists=["f2p"])
    assert list(theirs["lists"]) == ["f2p"]
    assert theirs["lists"]["f2p"]["auc"] == pytest.approx(ours["lists"]["f2p"]["auc"])
    for name, point in theirs["lists"]["f2p"]["efhq"]["tar_at_far"].items():
        assert point == pytest.approx(ours["lists"]["f2p"]["efhq"]["tar_at_far"][name]), name
    assert theirs["caution"] == ""
    folds = theirs["lists"]["f2p"]["efhq"]
    assert folds["pairs"] >= 20
    assert set(folds["tar_at_far"]) == {"1e-01", "1e-02", "1e-03", "1e-04", "1e-05"}
    shown = call("evaluate", "verification", dest, "--protocol", "efhq", "--list", "f2p")
    assert "10 folds, as EFHQ" in shown.stdout
    (tmp_path / "paths.txt").write_text("a.png\n")
    features = ("evaluate", "verification", dest, "--features", tmp_path / "feat.npz")
    assert "but paths.txt 1 lines" in complaint(call(*features))
    assert "not efhx" in complaint(call("evaluate", "verification", dest, "--protocol", "efhx"))
    np.savez(tmp_path / "feat.npz", np.array([{}], dtype=object))
    assert "needed are arr_0" in complaint(call(*features)), "nothing is unpickled"
