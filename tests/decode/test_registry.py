"""The order of decoders, and what the retry steps may ask of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lpff_ray.decode import open_source
from lpff_ray.decode.registry import DECODERS, ORDER, alternative_to, last_resort
from lpff_ray.types import MediaKind


def test_the_order_names_decoders_that_read_that_kind() -> None:
    assert set(ORDER) == set(MediaKind)
    for kind, names in ORDER.items():
        assert all(kind in DECODERS.load(name).kinds for name in names)
        assert DECODERS.load(last_resort(kind)).shortfall_is_final, "nothing comes after it"
    assert all(DECODERS.load(name).name == name for name in DECODERS)


def test_the_decoder_to_try_after_another() -> None:
    assert last_resort() == "pyav"
    assert [alternative_to(name) for name in ("decord", "pyav", "", "mydecoder")] == [
        "pyav", "decord", "pyav", "pyav"
    ]  # fmt: skip
    assert alternative_to("photo", MediaKind.PHOTO) == "photo", "there is no other"


def test_a_decoder_leaves_media_that_it_does_not_read_to_others(clips: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    with open_source(str(tmp_path / "a.png"), "photo", "pyav") as source:
        assert source.name == "photo"
    with open_source(str(clips / "av1.mp4"), "video", "photo") as source:
        assert source.name == "pyav"


def test_names_are_looked_up_without_loading_a_decoder() -> None:
    program = (
        "import sys; from lpff_ray.decode import DECODERS, passes; assert 'pyav' in DECODERS;"
        "print([name for name in ('av', 'decord', 'PIL', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
