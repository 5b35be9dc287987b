"""`lpff-ray select`, as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

from command import call, complaint
from handmade import face, handmade_run


def test_select_as_json(tmp_path: Path) -> None:
    out = handmade_run(
        tmp_path, [face("a", "p", 50), face("b", "p", 55), face("c", "q", 60), face("d", "q", 5)]
    )
    result = json.loads(call("select", out, "--min-iqa", "0", "--name", "some", "--json").stdout)
    assert (result["name"], result["preset"], result["faces"], result["identities"]) == ("some", "efhq", 3, 2)
    assert result["files"][0] == "selections/some.parquet"
    assert result["funnel"][0]["faces"] == 4


def test_nothing_selected_is_no_json(tmp_path: Path) -> None:
    out = handmade_run(tmp_path, [face("a", "p", 5)])
    done = call("select", out, "--json")
    assert "leaves no face" in complaint(done)
    assert done.stdout == ""


def test_options_of_a_preset_stand_below_its_name_with_its_values() -> None:
    help = call("select", "--help").stdout
    ours = help.split("Settings of uniform:")[1].split("Settings of verification:")[0]
    assert "--budget N" in ours
    assert "default: 20000" in ours
    common = " ".join(help.split("Settings of every preset:")[1].split("Settings of ")[0].split())
    assert "default: efhq 0.9, efhq-paper 0.8, lpff 0.8, uniform 0.8, verification 0.8" in common
    assert "--with-frontal / --no-frontal" in help


def test_a_value_that_a_setting_does_not_take_is_said(tmp_path: Path) -> None:
    out = handmade_run(tmp_path, [face("a", "p", 50)])
    said = complaint(call("select", out, "--preset", "lpff", "--rebalance", "some"))
    assert "'--rebalance': 'some' is not one of" in said
    assert "setting test_share: " in complaint(call("select", out, "--test-share", "2"))
