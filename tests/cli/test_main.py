"""Every verb as a person runs it: what it says, what it writes, and what its exit code means."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from clips import portrait, write_clip
from command import call, complaint, run

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.errors import Failure
from lpff_ray.plan.planner import plan_videos
from lpff_ray.plan.segment import segments
from lpff_ray.plan.sources import Source
from lpff_ray.tables.run import Run

VERBS = ["", "doctor", "demo", "plan", "mine", "status", "compact", "models", "models list"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s of one face."""
    path = tmp_path_factory.mktemp("cli") / "clip.mp4"
    return write_clip(path, 100, size=(320, 240), picture_of=lambda i, w, h: portrait(i % 25, w, h), gop=25)


@pytest.fixture(scope="module")
def out(clip: Path) -> Path:
    """A finished run of two segments."""
    place = clip.parent / "run"
    done = call("mine", clip, "--out", place, "--every", "10", "--segment-seconds", "2")
    assert done.returncode == 0, done.stderr
    assert "2 segments mined now, 0 before, of 2; 10 faces in 10 frames" in done.stdout
    return place


# --- verbs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_help(verb: str) -> None:
    done = call(*verb.split(), "--help")
    assert done.returncode == 0
    assert " ".join(["lpff-ray", *verb.split()]) in done.stdout


@pytest.mark.parametrize("verb", ["", "models"])
def test_nothing_said_gets_the_help(verb: str) -> None:
    done = call(*verb.split())
    assert done.returncode == 2
    assert "Commands" in done.stdout + done.stderr


def test_doctor(tmp_path: Path) -> None:
    done = call("doctor", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stdout
    for subject in ("python", "torch", "model facemesh", "memory", "disk", "output"):
        assert f" {subject}: " in done.stdout
    assert not list((tmp_path / "out").iterdir()), "its trial file is gone"
    (tmp_path / "file").touch()
    refused = call("doctor", "--out", tmp_path / "file" / "out")
    assert refused.returncode == 2
    assert "FAIL output: " in refused.stdout


def test_demo_shows_known_beside_measured(tmp_path: Path) -> None:
    done = run("demo", tmp_path / "demo", "--executor", "local")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    for shot in ("moving", "growing", "turning", "blurring"):
        assert rows[shot][0] == "25/25", "the face is found in every frame"
    # Columns are mean and largest error: of place and size in percent of the face, of roll in degrees.
    assert all(float(rows[shot][5].rstrip(",")) < 2 for shot in ("moving", "growing", "turning"))
    assert "shots: 4 known, 4 found; tracks: 4" in done.stdout
    assert "First of 100 faces" in done.stdout
    assert "…" not in done.stdout, "nothing is cut off"
    assert (tmp_path / "demo" / "astronaut.mp4").exists()
    assert len(lpff_ray.scan(str(tmp_path / "demo" / "run")).collect()) == 100


def test_plan_writes_nothing(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    done = call("plan", clip, tmp_path, "--every", "10", "--segment-seconds", "2", cwd=tmp_path)
    assert done.returncode == 0
    assert "1 video, 2 segments, about 10 frames to look at" in done.stdout
    assert "320x240" in done.stdout
    assert "unreadable: not a video" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


def test_status(out: Path) -> None:
    done = call("status", out)
    assert done.returncode == 0
    assert "2 of 2 segments mined, 0 in quarantine; 1 video done" in done.stdout
    assert "10 faces in 10 frames" in done.stdout
    assert "embed" in done.stdout
    assert "What failed" not in done.stdout


def test_compact_then_resume(clip: Path, out: Path) -> None:
    before = lpff_ray.scan(str(out)).collect()
    done = call("compact", out)
    assert done.returncode == 0
    assert "gathered 2 parts; 10 faces in 1 files" in done.stdout
    assert not list((out / "parts").glob("*.parquet"))
    assert lpff_ray.scan(str(out)).collect().equals(before)
    again = call("mine", clip, "--out", out, "--every", "10", "--segment-seconds", "2")
    assert "0 segments mined now, 2 before, of 2" in again.stdout


def test_models_list() -> None:
    done = call("models", "list")
    assert done.returncode == 0
    for name in ("blazeface-short", "facemesh", "dlib-resnet", "Apache-2.0", "CC0-1.0"):
        assert name in done.stdout


# --- exit codes --------------------------------------------------------------------------------------------


def test_quarantine_above_the_threshold_is_exit_code_1(clip: Path, tmp_path: Path) -> None:
    config = MineConfig(every=10, segment_seconds=2)
    given_up = Run(str(tmp_path / "out"), config).begin()
    videos = plan_videos([Source(str(clip))])
    given_up.commit_plan(videos)
    failure = Failure("process", "ActorDied", "the worker died", "decord")
    given_up.commit_quarantine(segments(videos[0], 2)[0], failure, 4)
    command = ("mine", clip, "--out", tmp_path / "out", "--every", "10", "--segment-seconds", "2")
    assert call(*command, "--max-quarantine", "0.4").returncode == 1
    assert call(*command, "--max-quarantine", "0.5").returncode == 0
    assert call(*command).returncode == 1
    status = lpff_ray.videos(str(tmp_path / "out")).row(0, named=True)
    assert (status["status"], status["reason"]) == ("partial", "the worker died")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mine"], "Missing argument"),
        (["mine", "CLIP"], "Missing option '--out'; see lpff-ray mine --help"),
        (["mine", "CLIP", "--out", "o", "--evry", "3"], "No such option: --evry"),
        (["mine", "CLIP", "--out", "o", "--every", "x"], "--every"),
        (["mine", "CLIP", "--out", "o", "--every", "0"], "every"),
        (["mine", "CLIP", "--out", "o", "--every", "2", "--fps", "3"], "not both"),
        (["mine", "CLIP", "--out", "o", "--decoder", "ffmpeg"], "'ffmpeg' is not one of"),
        (["mine", "CLIP", "--out", "o", "--executor", "slurm"], "'slurm' is not one of"),
        (["mine", "CLIP", "--out", "o", "--limit", "0"], "--limit"),
        (["mine", "CLIP", "--out", "o", "--max-quarantine", "2"], "--max-quarantine"),
        (["mine", "CLIP", "--out", "o", "--device", "tpu"], "device tpu: unknown; use cpu, cuda or cuda:N"),
        (
            ["mine", "CLIP", "--out", "o", "--executor", "local", "--address", "h:1"],
            "leave one of the two out",
        ),
        (["mine", "gone.mp4", "--out", "o"], "gone.mp4: no such file or folder"),
        (["mine", "CLIP", "--out", "CLIP/o"], "clip.mp4 is a file, not a folder"),
        (["mine", "CLIP", "--out", "nope://o"], "nope://o"),
        (["plan", "*.nothing"], "matches no file"),
        (["status", "empty"], "no run here"),
        (["compact", "empty"], "no run here"),
        (["sing"], "No such command 'sing'; see lpff-ray --help"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(
    clip: Path, tmp_path: Path, arguments: list[str], expected: str
) -> None:
    said = complaint(call(*(word.replace("CLIP", str(clip)) for word in arguments), cwd=tmp_path))
    assert expected in said
    assert not list(tmp_path.rglob("parts/*"))


def test_a_cluster_that_does_not_answer(clip: Path, tmp_path: Path) -> None:
    # In a process of its own: this one may be connected to a cluster already.
    said = complaint(run("mine", clip, "--out", tmp_path / "out", "--address", "127.0.0.1:1"))
    assert "no Ray cluster answers there" in said


def test_the_exit_code_of_the_process_tells_the_truth(clip: Path, out: Path, tmp_path: Path) -> None:
    settings = ("--every", "10", "--segment-seconds", "2")
    assert run("mine", clip, "--out", out, *settings).returncode == 0
    assert "another configuration" in complaint(run("mine", clip, "--out", out))
    assert complaint(run("mine", clip)) == "Missing option '--out'; see lpff-ray mine --help"


# --- run.toml ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("evry = 5\n", ["evry"]),
        ("every = 0\n", ["every"]),
        ("every = [\n", ["not a readable TOML file"]),
        (None, ["no such configuration file"]),
    ],
)
def test_a_bad_run_file_is_named_with_its_setting(
    clip: Path, tmp_path: Path, text: str | None, expected: list[str]
) -> None:
    path = tmp_path / "run.toml"
    if text is not None:
        path.write_text(text)
    said = complaint(call("mine", clip, "--out", tmp_path / "out", "--config", path))
    for word in [str(path), *expected]:
        assert word in said


def test_flags_win_over_the_run_file(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("fps = 5\nsegment_seconds = 2\nmin_face_px = 40\n")
    options = ("--config", tmp_path / "run.toml", "--every", "50")
    done = call("mine", clip, "--out", tmp_path / "out", *options)
    assert done.returncode == 0
    faces = lpff_ray.scan(str(tmp_path / "out")).collect()
    assert faces["frame_index"].to_list() == [0, 50]
    assert faces["segment_id"].n_unique() == 2


# --- inside a Ray job --------------------------------------------------------------------------------------

JOB = {"RAY_JOB_CONFIG_JSON_ENV_VAR": "{}"}


def test_a_relative_output_of_a_ray_job_is_refused(clip: Path, tmp_path: Path) -> None:
    done = call("mine", clip, "--out", "out", "--executor", "local", env=JOB, cwd=tmp_path)
    said = complaint(done)
    assert "--out out" in said
    assert "absolute path" in said
    assert not (tmp_path / "out").exists()


def test_a_submitted_job_reads_relative_paths_from_its_callers_folder(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "caller").mkdir()
    (tmp_path / "job").mkdir()
    (tmp_path / "caller" / "here.mp4").symlink_to(clip)
    place = {"LPFF_RAY_CWD": str(tmp_path / "caller")}
    command = ("mine", "here.mp4", "--out", "out", "--every", "50", "--executor", "local")
    done = call(*command, env=JOB | place, cwd=tmp_path / "job")
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "job").iterdir())
    assert lpff_ray.scan(str(tmp_path / "caller" / "out")).select(pl.len()).collect().item() == 2
    gone = call(*command, env=JOB | {"LPFF_RAY_CWD": str(tmp_path / "gone")}, cwd=tmp_path / "job")
    assert "is not on this node" in complaint(gone)
