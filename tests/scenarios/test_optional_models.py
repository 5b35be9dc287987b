"""Plug-ins in a run: chosen by configuration, recorded, checked, and seen in the table."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
import torch
from click.testing import CliRunner
from skimage.data import astronaut
from small_weights import SmallHyperIqa, SmallIResNet, SmallSixDRepNet, onnx_of_means, randomised

import lpff_ray
from lpff_ray.cli.main import app
from lpff_ray.config import MineConfig, load_config
from lpff_ray.errors import UserError
from lpff_ray.measure.identity.chips import ARCFACE_POINTS, arcface_chip
from lpff_ray.tables.compact import compact

ALL = {"pose_votes": ("6drepnet",), "embedding": "arcface-r50", "iqa": "hyperiqa"}


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model store with stand-ins for what can not be had here."""
    folder = tmp_path / "models"
    for name, file, network in (
        ("arcface-r50", "backbone.pth", SmallIResNet()),
        ("6drepnet", "6DRepNet_300W_LP_AFLW2000.pth", SmallSixDRepNet()),
        ("hyperiqa", "koniq_pretrained.pkl", SmallHyperIqa()),
    ):
        (folder / name).mkdir(parents=True)
        torch.save(randomised(network, seed=4).state_dict(), folder / name / file)
    monkeypatch.setenv("LPFF_RAY_MODELS", str(folder))
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    cv2.imwrite(str(folder / "astronaut.png"), cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR))
    return folder


def test_a_run_with_plug_ins_has_their_columns_and_the_rest_as_it_was(
    weights: Path, photos: Path, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    lpff_ray.mine(str(photos), out, MineConfig(**ALL), device="cpu")
    faces = lpff_ray.scan(out).collect()
    plain = lpff_ray.analyze([astronaut()], MineConfig())
    with_plugins = lpff_ray.analyze([astronaut()], MineConfig(**ALL))
    assert len(faces) == len(plain) == 1
    assert faces.schema["embedding"] == pl.Array(pl.Float32(), 512)
    assert np.linalg.norm(faces["embedding"][0].to_numpy()) == pytest.approx(1, abs=1e-5)
    assert plain.schema["embedding"] == pl.Array(pl.Float32(), 128)
    assert [vote["estimator"] for vote in faces["pose_votes"][0]] == [
        *(vote["estimator"] for vote in plain["pose_votes"][0]),
        "6drepnet",
    ]
    assert 0 <= faces["iqa"][0] <= 100
    theirs = {"embedding", "pose_votes", "pose_spread", "pose_bin", "pose_bin_strict", "pose_bin_fine", "iqa"}
    for name in set(plain.columns) - theirs:
        assert faces[name].equals(plain[name]), name
    for name in with_plugins.columns:
        assert faces[name].equals(with_plugins[name]), name
    compact(out)
    assert lpff_ray.scan(out).collect().equals(faces)


def test_an_empty_run_of_another_width_can_be_read(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "grey").mkdir()
    cv2.imwrite(str(tmp_path / "grey" / "grey.png"), np.full((128, 128, 3), 128, np.uint8))
    out = str(tmp_path / "out")
    lpff_ray.mine(str(tmp_path / "grey"), out, MineConfig(embedding="arcface-r50"), device="cpu")
    assert lpff_ray.scan(out).collect().schema["embedding"] == pl.Array(pl.Float32(), 512)


def test_run_json_records_the_files_and_another_file_is_refused(
    weights: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    config = MineConfig(embedding="arcface-r50")
    lpff_ray.mine(str(photos), str(out), config, device="cpu")
    described = json.loads((out / "run.json").read_text())
    assert described["embedding_width"] == 512
    assert [card["name"] for card in described["plugins"]] == ["arcface-r50"]
    assert len(described["plugins"][0]["files"][0]["sha256"]) == 64
    lpff_ray.mine(str(photos), str(out), config, device="cpu")  # the same file: resumes
    with pytest.raises(UserError, match="embedding = 'arcface-r50' there, 'dlib-resnet' now"):
        lpff_ray.mine(str(photos), str(out), MineConfig(), device="cpu")
    torch.save(randomised(SmallIResNet(), seed=9).state_dict(), weights / "arcface-r50" / "backbone.pth")
    with pytest.raises(UserError, match="another file of model arcface-r50") as caught:
        lpff_ray.mine(str(photos), str(out), config, device="cpu")
    assert "\n" not in str(caught.value)


def test_insightfaces_onnx_is_refused_unless_it_is_that_file(
    weights: Path, photos: Path, tmp_path: Path
) -> None:
    (weights / "arcface-w600k").mkdir()
    path = weights / "arcface-w600k" / "w600k_r50.onnx"
    onnx_of_means(path, np.ones((3, 512)), np.zeros(512), 112, None)
    with pytest.raises(UserError, match=r"w600k_r50\.onnx: not the arcface-w600k model"):
        lpff_ray.mine(str(photos), str(tmp_path / "out"), MineConfig(embedding="arcface-w600k"), device="cpu")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "settings",
    [{"detector": "yunet"}, {"pose_votes": ("fsanet",)}, {"embedding": "arcface-r100"}, {"iqa": "hyperiqa"}],
)
def test_a_plug_in_that_is_not_there_is_one_line_before_anything_is_written(
    settings: dict, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LPFF_RAY_MODELS", str(tmp_path / "nothing"))
    name = next(iter(settings.values()))
    name = name if isinstance(name, str) else name[0]
    with pytest.raises(UserError, match=f"models pull {name}, or set LPFF_RAY_MODELS") as caught:
        lpff_ray.mine(str(photos), str(tmp_path / "out"), MineConfig(**settings), device="cpu")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="models pull"):
        lpff_ray.analyze([astronaut()], MineConfig(**settings))


def test_the_configuration_knows_plug_ins_by_name(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('detector = "yunet"\npose_votes = ["3ddfa_v2", "fsanet"]\niqa = "hyperiqa"\n')
    config = load_config(path, {"embedding": "arcface-w600k"})
    assert config.pose_votes == ("fsanet", "3ddfa_v2")
    assert config.hash() != MineConfig().hash()
    assert (
        MineConfig(pose_votes=("fsanet", "3ddfa_v2", "fsanet")).hash()
        == MineConfig(pose_votes=("3ddfa_v2", "fsanet")).hash()
    )
    path.write_text('pose_votes = ["synergy"]\n')
    with pytest.raises(
        UserError, match=r"run\.toml: setting pose_votes: there is no 'synergy'; choose from fsanet, "
    ):
        load_config(path, {})
    with pytest.raises(UserError, match=r"^setting pose_votes: there is no 'synergy'"):
        load_config(None, {"pose_votes": ["fsanet", "synergy"]})


def test_arcfaces_chip_puts_the_points_in_their_places() -> None:
    turn = np.array([[0.0, -2.0], [2.0, 0.0]])  # a face twice as large, lying on its side
    five = ARCFACE_POINTS @ turn.T + [240.0, 20.0]
    frame = np.zeros((300, 300, 3), np.uint8)
    for point in five:
        cv2.circle(frame, tuple(int(v) for v in point), 3, (255, 255, 255), -1)
    chip = arcface_chip(frame, five)
    for x, y in ARCFACE_POINTS.round().astype(int):
        assert chip[y - 2 : y + 2, x - 2 : x + 2].max() > 128
    assert (chip > 128).all(2).sum() < 120


def test_the_verbs_of_the_model_store(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = CliRunner().invoke
    listed = run(app, ["models", "list"]).output
    assert "arcface-w600k" in listed
    assert "fsanet: exported for one image" in listed
    assert "here already" in run(app, ["models", "pull", "arcface-r50"]).output
    verified = run(app, ["models", "verify", "arcface-r50", "facemesh"]).output
    assert "its card states none" in verified
    assert "face_landmark.tflite: sha256 as on its card" in verified
    failed = run(app, ["models", "pull", "facemesh"])
    assert isinstance(failed.exception, UserError)
    (weights / "yunet").mkdir()
    (weights / "yunet" / "yunet_n_640_640.onnx").write_bytes(b"other")
    failed = run(app, ["models", "verify"])
    assert "not the yunet model" in str(failed.exception)


@pytest.mark.data
def test_real_plug_ins_in_one_run(
    shared_data: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shared weights come through a mirror that is no local folder, as they would from a bucket."""
    import fsspec

    memory = fsspec.filesystem("memory")
    for path in (shared_data / "weights").rglob("*.*"):
        place = path.relative_to(shared_data / "weights")
        memory.pipe_file(f"/{tmp_path.name}/{place}", path.read_bytes())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LPFF_RAY_MODELS", f"memory://{tmp_path.name}")
    run = CliRunner().invoke
    assert run(app, ["models", "pull", "yunet", "fsanet", "3ddfa_v2"]).exit_code == 0
    out = str(tmp_path / "out")
    flags = [
        "--detector",
        "yunet",
        "--pose-votes",
        "fsanet,3ddfa_v2",
        "--executor",
        "local",
        "--device",
        "cpu",
    ]
    assert run(app, ["mine", str(photos), "--out", out, *flags]).exit_code == 0
    face = lpff_ray.scan(out).collect().row(0, named=True)
    votes = {vote["estimator"]: vote["yaw"] for vote in face["pose_votes"]}
    assert list(votes) == ["posenet", "facemesh", "blazeface", "fsanet", "3ddfa_v2"]
    assert np.ptp(list(votes.values())) < 15
    assert face["det_score"] > 0.8
