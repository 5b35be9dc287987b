"""`lpff-ray export`, as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import call, complaint
from selecting import SELECTION, export_command, with_selection


@pytest.fixture(scope="module")
def run(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run with a selection of all its faces."""
    return with_selection(out, tmp_path_factory.mktemp("export") / "run")


def test_export_as_json_with_an_option_of_the_format(run: Path, tmp_path: Path) -> None:
    dest = ("--dest", tmp_path / "dest", "--executor", "local")
    done = call(*export_command(run, "webdataset", "--shard-size", "4", "--no-shuffle", *dest, "--json"))
    result = json.loads(done.stdout)
    assert (result["faces"], result["made"], result["lost"], result["failures"]) == (10, 10, 0, {})
    assert len(list((tmp_path / "dest").glob("*.tar"))) == 3


def test_an_option_and_a_set_do_the_same(run: Path, tmp_path: Path) -> None:
    for name, options in (
        ("a", ("--size", "512", "--zip")),
        ("b", ("--set", "size=512", "--set", "zip=true")),
    ):
        done = call(*export_command(run, "stylegan", *options, "--dest", tmp_path / name))
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "a" / "dataset.zip").read_bytes() == (tmp_path / "b" / "dataset.zip").read_bytes()


def test_help_shows_the_options_of_the_format() -> None:
    assert "--shard-size" not in call("export", "--help").stdout
    for format in (("--format", "webdataset"), ("--format=webdataset",)):
        help = call("export", *format, "--help").stdout
        assert "Options of --format webdataset:" in help
        assert "--shard-size N" in help
        assert "--shuffle / --no-shuffle" in help
    assert "--zip / --folder" in call("export", "--format", "stylegan", "--help").stdout
    assert "no such format" in complaint(call("export", "--format", "stylegun", "--help"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--format", "efhq", "--size", "512"), "--format efhq has no option 'size'; its options: by_bin"),
        (("--format", "efhq", "--zip"), "--format efhq has no option 'zip'; its options: by_bin"),
        (("--format", "efhq", "--workes", "2"), "No such option: --workes; did you mean --workers?"),
        (("--format", "webdataset", "--image", "gif"), "'gif' is not one of 'jpg', 'png'"),
        (("--size", "512"), "No such option: --size"),
        ((), "Missing option '--format'"),
    ],
)
def test_a_wrong_option_is_said(run: Path, tmp_path: Path, arguments: tuple[str, ...], expected: str) -> None:
    done = call("export", run, "--selection", SELECTION, "--dest", tmp_path / "dest", *arguments)
    assert expected in complaint(done)
    assert not (tmp_path / "dest").exists()
