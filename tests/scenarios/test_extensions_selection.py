"""A selection method of another package: one file, and one line in its metadata. It is selected with by its name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from command import call, complaint, run
from handmade import face, handmade_run, ids
from other_package import install, source_of

import lpff_ray

FACES = [
    face("dull", "a", 5.0, iqa=60.0),
    face("fine", "a", -8.0, iqa=70.0),
    face("best", "a", 20.0, iqa=90.0),
    face("only", "b", 25.0, iqa=65.0),
    face("turned", "b", 70.0, iqa=99.0),
    face("repeat", "b", 0.0, iqa=95.0, keep=False),
]


@pytest.fixture(autouse=True)
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installed package with that method."""
    folder = tmp_path / "site-packages"
    install(
        folder,
        monkeypatch,
        {"portraits": source_of("portraits")},
        {"lpff_ray.selection_methods": "portraits = portraits:METHOD"},
    )
    return folder


def rules_file(folder: Path, **settings: Any) -> Path:
    file = folder / "rules.toml"
    file.write_text(
        "[select]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    )
    return file


def test_a_rules_file_names_it(tmp_path: Path) -> None:
    out = handmade_run(tmp_path / "run", FACES)
    config = rules_file(tmp_path, method="portraits", min_iqa=61)
    done = lpff_ray.select(out, "mine", config=config)
    assert ids(done) == ["best", "fine", "only"]
    assert done.table["copies"].to_list() == [1, 1, 2]
    assert done.table["weight"].to_list() == [1.0, 1.0, 1.0]
    assert done.table["bin"].to_list() == ["frontal"] * 3
    assert done.table["reason"][0] == "portrait 1 of its identity"
    assert Path(out, "selections/mine.txt").read_text().split() == ["best", "fine", "only", "only"]
    rules = lpff_ray.selection_rules(out, "mine")
    assert rules["preset"] is None, "efhq, the default, is not what it rests on"
    assert rules["found"]["people"] == 2
    own = {key: rules["rules"][key] for key in ("method", "per_identity", "min_iqa", "min_det_score")}
    assert own == {"method": "portraits", "per_identity": 2, "min_iqa": 61.0, "min_det_score": None}
    assert done.funnel["step"].to_list()[-3:] == ["pose", "caps", "selected"]
    assert lpff_ray.selection(out, "mine").equals(done.table)


def test_settings_of_python_win_and_are_checked(tmp_path: Path) -> None:
    out = handmade_run(tmp_path / "run", FACES)
    config = rules_file(tmp_path, method="portraits", per_identity=1)
    assert ids(lpff_ray.select(out, "mine", config=config)) == ["best", "only"]
    settings = {"per_identity": 3, "within_degrees": 90.0}
    assert ids(lpff_ray.select(out, "mine", "uniform", settings, config=config)) == [
        *("best", "fine", "dull"),
        *("turned", "only"),
    ]
    assert ids(lpff_ray.select(out, "mine", overrides={"method": "portraits"})) == ["best", "fine", "only"]
    with pytest.raises(lpff_ray.UserError, match=r"setting per_identity: .*greater than or equal to 1"):
        lpff_ray.select(out, "mine", overrides={"method": "portraits", "per_identity": 0})


def test_the_command_line_selects_with_it(tmp_path: Path, site_packages: Path) -> None:
    out = handmade_run(tmp_path / "run", FACES)
    config = rules_file(tmp_path, method="portraits")
    python_path = os.pathsep.join([str(site_packages), str(Path(lpff_ray.__file__).parents[1])])
    done = run("select", out, "--config", config, env={"PYTHONPATH": python_path})
    assert done.returncode == 0, done.stderr
    assert "3 faces of 2 identities, listed 4 times" in done.stdout
    assert f"{out}/selections/portraits.parquet" in done.stdout, "named after the method, not after a preset"
    assert lpff_ray.selection(out, "portraits")["face_id"].to_list() == ["best", "fine", "only"]


def test_its_mistakes_are_one_clear_line(tmp_path: Path) -> None:
    out = handmade_run(tmp_path / "run", FACES)

    def message(**settings: Any) -> str:
        return complaint(call("select", out, "--name", "mine", "--config", rules_file(tmp_path, **settings)))

    assert "a larger within_degrees takes turned faces in" in message(method="portraits", within_degrees=0.1)
    assert "method portraits has no such setting; it has bins, " in message(method="portraits", budget=3)
    unknown = (
        "there is no such selection method; there are per_bin, density, uniform, verification, portraits"
    )
    assert unknown in message(method="portrait")
    assert "selection method 3: there is no such" in message(method=3)
    assert not Path(out, "selections").exists()
