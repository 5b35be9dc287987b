"""What an actor says of the folder that it is to write to."""

from __future__ import annotations

import sys
from pathlib import Path

import fsspec
import pytest

from actors.worker import objection
from cluster.session import marker_in
from lpff_ray.errors import UserError


def test_a_folder_that_is_there_and_one_that_is_not(tmp_path: Path) -> None:
    with marker_in(str(tmp_path)) as marker:
        assert objection(marker) == ""
        assert objection("") == ""
        assert objection(str(tmp_path / "elsewhere" / ".visible-1")) == "it is not visible there"


def test_a_bucket_and_what_a_node_may_lack(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def renewed() -> None:
        sys.modules["s3fs"].S3FileSystem.clear_instance_cache()

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    fsspec.filesystem("s3").mkdir("out")
    fsspec.filesystem("s3").mkdir("other")
    with marker_in("s3://out/run") as marker:
        assert objection(marker) == ""
        assert objection(marker.replace("s3://out", "s3://other")) == "it is another place there"
        with monkeypatch.context() as node:
            node.delenv("AWS_ACCESS_KEY_ID")
            node.delenv("AWS_SECRET_ACCESS_KEY")
            renewed()
            assert "access denied or no credentials: set AWS_PROFILE" in objection(marker)
        renewed()
    assert fsspec.filesystem("s3").find("out") == [], "nothing is left behind"
    with (
        pytest.raises(UserError, match=r"s3://no-such-bucket/run/.visible-.* can not be written"),
        marker_in("s3://no-such-bucket/run"),
    ):
        pass
