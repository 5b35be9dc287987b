"""`lpff-ray dedupe`, as a person runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from command import call


def test_dedupe_as_json(out: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(out, tmp_path / "run")
    result = json.loads(call("dedupe", copy, "--executor", "local", "--json").stdout)
    assert (result["faces"], result["identities"]) == (10, 1)
    assert result["near_duplicates"] == []


def test_every_setting_of_the_configuration_is_an_option() -> None:
    help = call("dedupe", "--help").stdout
    for option in ("--identity-distance", "--unclear-cost", "--clip-agreement", "--clip-faces"):
        assert option in help
