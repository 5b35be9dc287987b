"""Fixtures that every test may use."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from browser import Browser, Page, running_browser, skip_without_browser
from clips import CLIPS, DEMO_EVERY, write_audio_only, write_clip, write_empty_video

import lpff_ray
from lpff_ray.cli.demo_clip import DemoClip, make_clip
from lpff_ray.config import MineConfig

# A shell starts background jobs deaf to Ctrl-C, and they hand that down to what tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real videos and labelled faces; tests that need it are skipped where it is absent."""
    folder = Path(
        os.environ.get("LPFF_RAY_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
    )
    if not (folder / "videos").is_dir():
        pytest.skip(f"no shared data at {folder}: set LPFF_RAY_TEST_DATA to its path")
    return folder


@pytest.fixture(scope="session")
def demo_clip(tmp_path_factory: pytest.TempPathFactory) -> DemoClip:
    """The demo's clip: 100 frames, 4 shots of one face."""
    return make_clip(tmp_path_factory.mktemp("demo") / "astronaut.mp4")


@pytest.fixture(scope="session")
def demo_run(demo_clip: DemoClip) -> Path:
    """The demo's clip mined at every 5th frame, in one piece, by one thread."""
    out = demo_clip.path.parent / "run"
    lpff_ray.mine(str(demo_clip.path), str(out), MineConfig(every=DEMO_EVERY), workers=1)
    return out


@pytest.fixture(scope="session")
def demo_faces(demo_run: Path) -> pl.DataFrame:
    """Its faces table."""
    return lpff_ray.scan(str(demo_run)).collect()


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip of 60 numbered frames for each name in CLIPS."""
    folder = tmp_path_factory.mktemp("clips")
    for name, options in CLIPS.items():
        write_clip(folder / name, 60, **options)  # type: ignore[arg-type]
    write_audio_only(folder / "sound.mp4")
    write_empty_video(folder / "empty.mp4")
    return folder


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of an empty S3 server that takes any credentials; the environment points to it."""
    s3fs = pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    s3fs.S3FileSystem.clear_instance_cache()
    yield address
    urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST")).close()
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="session")
def local_node() -> Iterator[None]:
    """Ray with four logical cores, whatever the machine has."""
    import odd_worker
    import ray
    import ray.cloudpickle

    ray.cloudpickle.register_pickle_by_value(odd_worker)  # workers can not import it
    ray.init(
        address="local",
        num_cpus=4,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=128 << 20,
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium without a window; tests that need it are skipped where it is not installed."""
    skip_without_browser()
    with running_browser(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of its own, 1280 x 900, light. An error on its console fails the test, unless the test asked for them."""
    with browser.page() as opened:
        yield opened
        assert opened.errors() == [], "errors on the console"
