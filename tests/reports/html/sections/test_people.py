"""Identities stand in a row from one side to the other; duplicates beside the face that they repeat."""

from __future__ import annotations

from pathlib import Path

from made_up_run import made_up_faces, made_up_run

from lpff_ray.reports.html.gathered import gathered
from lpff_ray.reports.html.samples import Samples
from lpff_ray.reports.html.sections.people import EACH, duplicate_groups, identity_rows
from lpff_ray.tables.read import snapshot


def test_identities_and_duplicates(tmp_path: Path) -> None:
    out = made_up_run(tmp_path / "run", selected=False, pictures=False)
    samples = Samples()
    with gathered(out, snapshot(out), ()) as run:
        people, repeats = identity_rows(run, samples), duplicate_groups(run, samples)
        records = samples.records(run).faces
    faces = made_up_faces(60)
    assert people is not None
    assert repeats is not None
    assert people["count"] == len({face["identity"] for face in faces})
    assert sum(size["identities"] for size in people["sizes"]) == people["count"]
    for person in people["rows"]:
        shown = [records[number] for number in person["shown"]]
        assert {face["identity"] for face in shown} == {person["identity_id"]}
        assert len(shown) >= min(person["faces"], EACH)
        azimuths = [face["azimuth"] for face in shown]
        assert azimuths == sorted(azimuths, reverse=True)
        own = [face["azimuth"] for face in records if face["identity"] == person["identity_id"]]
        assert max(azimuths) > max(own) - 15
    assert repeats["rules"] == {"other_video": 6, "same_video": 6}
    similarities = [pair["similarity"] for pair in repeats["pairs"]]
    assert similarities == sorted(similarities)
    for pair in repeats["pairs"]:
        kept, copy = (records[number] for number in pair["shown"])
        assert copy["duplicateOf"] == kept["id"]


def test_before_dedupe_there_are_none(tmp_path: Path) -> None:
    out = made_up_run(tmp_path / "run", 10, deduped=False, selected=False, pictures=False)
    with gathered(out, snapshot(out), ()) as run:
        assert identity_rows(run, Samples()) is None
        assert duplicate_groups(run, Samples()) is None
