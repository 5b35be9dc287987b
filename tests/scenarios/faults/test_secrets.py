"""Passwords and signatures of sources stand in nothing that a run writes or prints; it goes on with fresh ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from clips import portrait, write_clip
from command import call, complaint
from PIL import Image
from servers import web_server

import lpff_ray
from lpff_ray.config import MineConfig
from lpff_ray.errors import UserError

SECRET = "5ec7e75ec7e7"
CONFIG = MineConfig(every=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with a face, a photo of it, and a file that is no photo."""
    path = tmp_path_factory.mktemp("served")
    write_clip(path / "clip.mp4", 20, size=(480, 320), picture_of=portrait)
    Image.fromarray(portrait(0, 480, 320)).save(path / "photo.png")
    (path / "odd.jpg").write_bytes(np.random.default_rng(0).bytes(3000))
    return path


def addresses(host: str, signature: str) -> list[str]:
    """The files with a signature, and one that is not there."""
    query = f"X-Amz-Credential=AKIA&X-Amz-Signature={signature}"
    return [f"{host}/{name}?{query}" for name in ("clip.mp4", "photo.png", "odd.jpg", "gone.mp4")]


def assert_nowhere(secret: str, *folders: Path) -> None:
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        assert secret.encode() not in path.read_bytes(), path


def test_signed_addresses(folder: Path, tmp_path: Path) -> None:
    out, dest, manifest = tmp_path / "out", tmp_path / "dest", tmp_path / "list.txt"
    with web_server(folder, ranges=True, needed=SECRET) as host:
        manifest.write_text("\n".join(addresses(host, SECRET)))
        first = call(
            "mine", manifest, "--out", out, "--every", "20", "--executor", "local", "--workers", "1", "-vv"
        )
        assert "2 segments mined now" in first.stdout, first
        rows = lpff_ray.videos(str(out))
        assert rows["uri"].to_list() == [address.partition("?")[0] for address in addresses(host, SECRET)]
        assert rows["status"].to_list() == ["done", "done", "unreadable", "unreadable"]
        faces = lpff_ray.scan(str(out)).collect()
        assert set(faces["uri"]) == {f"{host}/clip.mp4", f"{host}/photo.png"}
        status, planned = call("status", out, "--json"), call("plan", manifest, "--json")
        assert call("dedupe", out).returncode == 0
        chosen = call(
            "select",
            out,
            "--preset",
            "uniform",
            "--name",
            "all",
            "--min-iqa-quantile",
            "0",
            "--min-area",
            "99",
        )
        assert chosen.returncode == 0, chosen
        export = (
            "export",
            out,
            "--selection",
            "all",
            "--format",
            "webdataset",
            "--dest",
            dest,
            "--executor",
            "local",
        )
        refused = call(*export)
        assert refused.returncode == 1, refused
        assert "give the whole one with --signed" in refused.stdout
        made = call(*export, "--signed", manifest)
        assert made.returncode == 0, made
        assert "PROVENANCE.jsonl" in {path.name for path in dest.iterdir()}
    for done in (first, status, planned, refused, made):
        assert SECRET not in done.stdout + done.stderr, done.args
    json.loads(planned.stdout), json.loads(status.stdout)
    assert_nowhere(SECRET, out, dest)


def test_a_run_goes_on_with_a_fresh_signature(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for signature, before in ((SECRET, 0), ("f7e5hf7e5h", 2)):
        with web_server(folder, ranges=False, needed=signature) as host:
            summary = lpff_ray.mine(addresses(host, signature)[:2], out, CONFIG, executor="local", workers=1)
            assert (summary.planned, summary.done_before) == (2, before)
    assert_nowhere(SECRET, out)


def test_a_password(folder: Path, tmp_path: Path) -> None:
    with web_server(folder, ranges=True, needed=f"me:{SECRET}") as host:
        address = host.replace("http://", f"http://me:{SECRET}@")
        done = call("mine", f"{address}/photo.png", f"{address}/odd.jpg", "--out", tmp_path / "out", "-vv",
                    "--executor", "local", "--workers", "1")  # fmt: skip
        assert "1 segments mined now" in done.stdout, done
        gone = call("mine", f"{address}/gone.mp4", "--out", tmp_path / "other")
        assert complaint(gone) == f"{host}/gone.mp4: no such file or folder; check the address"
        with pytest.raises(UserError) as error:
            lpff_ray.mine(f"{address}/gone.mp4", tmp_path / "other")
        assert SECRET not in str(error.value)
    assert SECRET not in done.stdout + done.stderr
    assert_nowhere(SECRET, tmp_path)
