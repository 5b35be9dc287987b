"""run_cluster.sh for real: a cluster of two nodes beside another Ray, a job with credentials, its metrics, its end."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fsspec
import pytest
import ray
from clips import portrait, write_clip
from command import environment
from repository import PRODUCT, REPOSITORY, exposed_metrics

import lpff_ray

pytestmark = pytest.mark.ray
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


@dataclass
class Checkout:
    """A copy of the repository whose environment is this one's. ports: of Ray, its dashboard and its metrics."""

    folder: Path
    environment: dict[str, str]
    ports: tuple[int, int, int]

    def run(self, *arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
        """`./run_cluster.sh ARGUMENTS...` to its end."""
        command = ["./run_cluster.sh", *map(str, arguments)]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | changes,
            capture_output=True,
            text=True,
            timeout=200,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    folder = tmp_path / "repo"
    for name in PRODUCT:
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("run_cluster.sh", "pyproject.toml", ".gitignore"):
        shutil.copy(REPOSITORY / name, folder)
    (folder / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (folder / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    checksum = subprocess.run(
        ["cksum"], stdin=(folder / "pyproject.toml").open(), capture_output=True, text=True
    )
    (folder / ".venv" / ".made-").write_text(f"{checksum.stdout.strip()} {folder}\n")
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = tuple(one.getsockname()[1] for one in sockets)
    for one in sockets:
        one.close()
    env = environment(
        HOME=str(tmp_path / "home"),
        XDG_STATE_HOME=str(tmp_path / "state"),
        RAY_API_SERVER_ADDRESS=f"http://127.0.0.1:{ports[1]}",
        RAY_metrics_report_interval_ms="500",
    )
    env.pop("PYTHONPATH")  # the copy travels with the job
    found = Checkout(folder, {name: env[name] for name in env if name not in KEYS}, ports)  # type: ignore[arg-type]
    yield found
    found.run("stop")


def scraped(port: int, wanted: str) -> str:
    """What a node's metrics page says, once it has `wanted`, or after some seconds."""
    until = time.monotonic() + 20
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            text = page.read().decode()
        if wanted in text or time.monotonic() > until:
            return text
        time.sleep(0.5)


def test_two_nodes_beside_another_ray(local_node: None, s3: str, checkout: Checkout, tmp_path: Path) -> None:
    port, dashboard, metrics_port = checkout.ports
    here = ray.util.get_node_ip_address()
    started = checkout.run(
        *("start", f"--port={port}", f"--dashboard-port={dashboard}", f"--node-ip-address={here}"),
        *("--num-cpus=1", f"--metrics-export-port={metrics_port}", "--object-store-memory=90000000"),
    )
    assert started.returncode == 0, started.stdout + started.stderr
    again = checkout.run("start", f"--dashboard-port={dashboard}")
    assert "a Ray cluster runs already" in again.stderr
    joined = checkout.run(
        "start", f"--address={here}:{port}", "--num-cpus=1", "--object-store-memory=90000000"
    )
    assert joined.returncode == 0, joined.stdout + joined.stderr

    write_clip(tmp_path / "clip.mp4", 8, size=(320, 240), picture_of=portrait)
    with pytest.MonkeyPatch.context() as keyed:
        for name, value in KEYS.items():
            keyed.setenv(name, value)
        bucket = fsspec.filesystem("s3")
        bucket.mkdir("videos")
        bucket.put(str(tmp_path / "clip.mp4"), "videos/clip.mp4")
        unset = checkout.run("submit", "--env", "NO_SUCH_NAME", "mine", "s3://videos")
        assert unset.returncode == 2
        assert unset.stderr.splitlines()[-1].endswith("--env NO_SUCH_NAME: no such variable is set here")
        done = checkout.run(
            *("submit", "--env", "AWS_ACCESS_KEY_ID", "--env=AWS_SECRET_ACCESS_KEY=secret"),
            *("mine", "s3://videos", "--every", 4, "--out", tmp_path / "out"),
            AWS_ACCESS_KEY_ID="key",
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert lpff_ray.videos(str(tmp_path / "out"))["status"].to_list() == ["done"]
    assert lpff_ray.quarantine(str(tmp_path / "out")).is_empty()
    page = scraped(metrics_port, "ray_lpff_ray_segments_total")
    found = set(re.findall(r"^(ray_lpff_ray_\w+){", page, re.MULTILINE))
    assert found >= {f"ray_lpff_ray_{name}_total" for name in ("segments", "frames", "faces")}
    assert found <= exposed_metrics()

    status = checkout.run("status")
    assert status.returncode == 0, status.stderr
    assert status.stdout.count(" 1 node_") == 2
    assert "SUCCEEDED" in status.stdout

    stopped = checkout.run("stop")
    assert stopped.stderr.count("run_cluster: node") + stopped.stderr.count("\nnode") == 2, stopped.stderr
    with pytest.raises(ConnectionRefusedError), socket.create_connection((here, port), timeout=5):
        pass
    assert any(node["Alive"] for node in ray.nodes()), "another Ray on this machine goes on"
    assert ray.get(ray.remote(lambda: 1).remote()) == 1
    assert "nothing to stop" in checkout.run("stop").stderr
