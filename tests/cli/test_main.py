"""The command line as a whole: its help, what bad usage gets, and what exit codes mean."""

from __future__ import annotations

import logging
from importlib import metadata
from pathlib import Path

import polars as pl
import pytest
from command import call, complaint, run

import lpff_ray
from lpff_ray.cli.main import VERBS

GROUPS = ("models", "evaluate")
COMMANDS = ["", *VERBS, "models list", "models pull", "models verify", "evaluate verification"]


# --- verbs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", COMMANDS)
def test_help(verb: str) -> None:
    done = call(*verb.split(), "--help")
    assert done.returncode == 0
    assert " ".join(["lpff-ray", *verb.split()]) in done.stdout


@pytest.mark.parametrize("verb", ["", *GROUPS])
def test_no_verb_gets_the_help(verb: str) -> None:
    done = call(*verb.split())
    assert done.returncode == 2
    assert "Commands" in done.stderr
    assert done.stdout == ""


def test_version() -> None:
    assert metadata.version("lpff-ray") in call("--version").stdout


@pytest.mark.parametrize("place", ["before the verb", "after it"])
@pytest.mark.parametrize(
    ("option", "level"),
    [(["-v"], "INFO"), (["-vv"], "DEBUG"), (["--log-level", "error"], "ERROR"), ([], "WARNING")],
)
def test_what_is_logged_is_chosen(place: str, option: list[str], level: str, out: Path) -> None:
    root = list(logging.getLogger().handlers)
    verb = ["status", str(out)]
    assert call(*(option + verb if place == "before the verb" else verb + option)).returncode == 0
    assert logging.getLevelName(logging.getLogger("lpff_ray").level) == level
    assert logging.getLogger().handlers == root, "the root logger is its caller's"


def test_what_is_logged_goes_to_stderr_and_the_traceback_of_an_error_with_it(tmp_path: Path) -> None:
    done = call("-vv", "status", tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in call("status", tmp_path).stderr


@pytest.mark.parametrize("verb", [verb for verb in COMMANDS if verb not in ("", *GROUPS)])
def test_every_verb_that_reports_has_json(verb: str) -> None:
    assert "--json" in call(*verb.split(), "--help").stdout


# --- exit codes --------------------------------------------------------------------------------------------


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
