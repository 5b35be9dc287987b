"""Photos open whatever their format, within a limit on pixels that can be raised."""

from __future__ import annotations

import resource
import struct
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from clips import paint, read_index
from pictures import ODD_EXIF, write_animation, write_odd_exif, write_png
from PIL import Image

from lpff_ray.decode import open_source
from lpff_ray.decode.pictures import opening
from lpff_ray.decode.pictures.opening import open_photo
from lpff_ray.decode.pictures.orientation import turned_size
from lpff_ray.decode.probe import Unreadable, probe
from lpff_ray.errors import SegmentError, UserError

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500)


def look(path: Path) -> np.ndarray:
    with open_source(str(path), "photo") as source:
        (frame,) = source.frames([0])
    return frame.rgb


def header_only(path: Path, side: int) -> Path:
    """A PNG that announces side x side pixels."""
    return write_png(path, side, side, 8, 2)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [17_000, 60_000])
def test_a_decompression_bomb(tmp_path: Path, side: int) -> None:
    with pytest.raises(SegmentError, match=r"pixels are more than 256 million.*MEGAPIXELS") as error:
        open_source(str(header_only(tmp_path / "bomb.png", side)), "photo")
    assert error.value.failure.stage == "open"


def test_a_frame_that_is_larger_than_its_gif(tmp_path: Path) -> None:
    """440 bytes took 22 GB: the frame's size is not the header's."""
    path = write_animation(tmp_path / "a.gif", 3)
    data = bytearray(path.read_bytes())
    descriptor = data.index(
        b"\x2c\0\0\0\0\x40\0\x30\0", data.index(b"\x21\xf9", 900) if len(data) > 1000 else 13
    )
    data[descriptor + 5 : descriptor + 9] = b"\xff" * 4
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Unreadable, match=r"4295 million pixels"):
        probe(str(path), path.name)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_limit_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = header_only(tmp_path / "large.png", 17_000)
    monkeypatch.setenv(opening.MEGAPIXELS_VARIABLE, "300")
    assert open_photo(str(path)).width == 17_000
    monkeypatch.setenv(opening.MEGAPIXELS_VARIABLE, "0.001")
    Image.new("L", (40, 40)).save(tmp_path / "small.png")
    with pytest.raises(ValueError, match=r"0.0016 million pixels are more than 0.001 million"):
        open_photo(str(tmp_path / "small.png"))
    monkeypatch.setenv(opening.MEGAPIXELS_VARIABLE, "lots")
    with pytest.raises(UserError, match="=lots"):
        open_photo(str(tmp_path / "small.png"))


@pytest.mark.filterwarnings("error")
def test_phones_make_photos_of_200_megapixels(tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS
    Image.new("1", (16320, 12240)).save(tmp_path / "a.tif", compression="group4")
    info = probe(str(tmp_path / "a.tif"), "a.tif")
    assert (info.width, info.height) == (16320, 12240)
    assert before == Image.MAX_IMAGE_PIXELS, "Pillow's limit is its user's"


def test_pillows_limit_is_back_when_the_last_thread_has_left() -> None:
    before = Image.MAX_IMAGE_PIXELS
    assert before is not None
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with opening.pixel_limit():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    with opening.pixel_limit():
        pass
    assert Image.MAX_IMAGE_PIXELS == opening.MAX_MEGAPIXELS * 1_000_000
    leave.set()
    thread.join()
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("odd", ODD_EXIF)
def test_exif_that_can_not_be_written_again(tmp_path: Path, odd: str) -> None:
    path = write_odd_exif(tmp_path / "a.jpg", odd)
    with Image.open(path) as image, pytest.raises(Exception):  # noqa: B017, PT011  # else it is not odd enough
        image.getexif().tobytes()
    info = probe(str(path), path.name)
    assert (info.width, info.height) == (60, 40)
    assert read_index(look(path)) == 1234


def test_an_avif_whose_exif_can_not_be_written_again(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x0131], exif[0x011A] = 6, "0123456789", 72.5
    path = tmp_path / "a.avif"
    Image.fromarray(np.ascontiguousarray(np.rot90(paint(1234, 60, 40)))).save(path, exif=exif)
    data = path.read_bytes()
    for order in "<>":
        data = data.replace(
            struct.pack(f"{order}HHI", 0x0131, 2, 11), struct.pack(f"{order}HHI", 0x0131, 5, 1)
        )
    path.write_bytes(data)
    with pytest.raises(Exception):  # noqa: B017, PT011  # else it is not odd enough
        Image.open(path)
    with open_photo(str(path)) as image:
        assert turned_size(image) == (60, 40)
    assert read_index(look(path)) == 1234


@pytest.mark.parametrize("ending", ["gif", "jp2", "ppm", "pgm", "tga", "qoi", "avif", "bmp"])
def test_formats(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    picture = Image.fromarray(paint(777, 64, 48))
    (picture.convert("L") if ending == "pgm" else picture).save(path)
    assert (probe(str(path), path.name).kind, read_index(look(path))) == ("photo", 777)


def test_pages_after_the_first_are_noted(tmp_path: Path) -> None:
    pages = [Image.fromarray(paint(index, 64, 48)) for index in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert probe(str(tmp_path / "a.tif"), "a.tif").reason == "the first of its 3 pages is looked at"


@pytest.mark.parametrize("name", ["a.heic", "a.jpg"])
def test_heic_without_its_package(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / name).write_bytes(HEIC)
    with pytest.raises(Unreadable, match="HEIC photos need a package: pip install 'lpff-ray"):
        probe(str(tmp_path / name), name)


def test_heic_with_its_package(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(paint(1234, 60, 40))))
    pillow_heif.from_pillow(stored).save(tmp_path / "a.jpg", exif=exif.tobytes(), quality=90)
    info = probe(str(tmp_path / "a.jpg"), "a.jpg")
    assert (info.kind, info.codec, info.width, info.height) == ("photo", "heif", 60, 40)
    assert read_index(look(tmp_path / "a.jpg")) == 1234


def test_nothing_is_run_for_a_file_that_claims_to_be_a_photo(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(Unreadable, match="damaged, or not a photo"):
        probe(str(path), path.name)


def test_a_pillow_without_avif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Image.fromarray(paint(777, 64, 48))
    for ending in ("avif", "png"):
        picture.save(tmp_path / f"a.{ending}")
    monkeypatch.delitem(Image.OPEN, "AVIF")
    monkeypatch.setattr(opening, "_known_formats", opening._known_formats.__wrapped__)
    assert read_index(look(tmp_path / "a.png")) == 777
    with pytest.raises(Unreadable, match=r"Pillow 11\.3"):
        probe(str(tmp_path / "a.avif"), "a.avif")
