"""The thumbnails of the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from handmade import face, handmade_run
from serving import with_thumbnails

from lpff_ray.reports.review import pictures
from lpff_ray.reports.review.catalogue import read_catalogue
from lpff_ray.reports.review.pictures import PictureCache

NAMES = [f"v:{number}:0" for number in range(5)]


@pytest.fixture
def out(tmp_path: Path) -> str:
    run = handmade_run(tmp_path, [face(name, "p", segment_id="v-00000") for name in NAMES])
    with_thumbnails(run, NAMES[:4])
    return run


def test_what_is_asked_for_is_read_once_and_kept_as_far_as_there_is_room(
    out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[list[str]] = []

    def counted(run: str, faces: object) -> object:
        read.append(faces["face_id"].to_list())  # type: ignore[index]
        return thumbnails(run, faces)

    thumbnails = pictures.thumbnails
    monkeypatch.setattr(pictures, "thumbnails", counted)
    catalogue = read_catalogue(out)
    shown = PictureCache(catalogue)
    found = shown.of([2, 4, 0, 2])
    assert [jpeg[:2] for jpeg in found] == [b"\xff\xd8", b"", b"\xff\xd8", b"\xff\xd8"]
    assert found[0] == found[3] != found[2]
    assert shown.of([0, 2, 4]) == [found[2], found[0], b""]
    assert read == [[NAMES[2], NAMES[4], NAMES[0]]]
    small = PictureCache(catalogue, most_bytes=len(found[0]) + 10)
    assert small.of([0, 1, 2]) == shown.of([0, 1, 2])
    assert len(small._kept) == 1


def test_a_run_without_thumbnails_has_none(tmp_path: Path) -> None:
    shown = PictureCache(read_catalogue(handmade_run(tmp_path, [face("a", "p")])))
    assert not shown.there
    assert shown.of([0, 0]) == [b"", b""]
