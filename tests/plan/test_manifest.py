"""Manifests in four formats, and one clear line for each way to get one wrong."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from unittest.mock import Mock

import polars as pl
import pytest
from mutated_media import mutated

from lpff_ray.errors import UserError
from lpff_ray.plan.crop import Crop
from lpff_ray.plan.manifest import Source, is_manifest, read_manifest
from lpff_ray.types import CropUnit

ROWS = [
    {"uri": "sub/a.mp4", "start_s": 1.5, "end_s": 4.0, "clip_id": "c1", "identity": "ann"},
    {"uri": "/abs/b c.mp4", "x0": 0.0, "y0": 0.1, "x1": 0.5, "y1": 1.0, "clip_id": None},
    {"uri": "s3://bucket/c#1.mp4", "end_s": 2.0},
]
OTHER = (("unknown column", "x"),)


def _write(path: Path, rows: list[dict[str, object]]) -> str:
    table = pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.lit("x").alias("unknown column"))
    if path.suffix == ".csv":
        table.write_csv(path)
    elif path.suffix == ".jsonl":
        table.write_ndjson(path)
    else:
        table.write_parquet(path)
    return str(path)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_all_columns(tmp_path: Path, suffix: str) -> None:
    assert read_manifest(_write(tmp_path / f"list{suffix}", ROWS)) == [
        Source(f"{tmp_path}/sub/a.mp4", clip_id="c1", start_s=1.5, end_s=4.0, identity="ann", columns=OTHER),
        Source("/abs/b c.mp4", crop=Crop((0.0, 0.1, 0.5, 1.0), CropUnit.FRACTION), columns=OTHER),
        Source("s3://bucket/c#1.mp4", end_s=2.0, columns=OTHER),
    ]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_columns_that_mean_nothing_here_are_kept(tmp_path: Path, suffix: str) -> None:
    rows: list[dict[str, object]] = [
        {"uri": "a.jpg", "licence": "CC BY 2.0", "age": 31, "kind": "portrait", "author": "Ann, B."},
        {"uri": "b.jpg", "licence": None, "age": None, "kind": None, "author": ""},
    ]
    first, second = read_manifest(_write(tmp_path / f"list{suffix}", rows))
    age = "31" if suffix == ".csv" else 31
    assert first.columns == (("age", age), ("author", "Ann, B."), ("licence", "CC BY 2.0"), *OTHER)
    assert second.columns == OTHER
    assert first.kind == ""


def test_folders_and_zips_are_sequences(tmp_path: Path) -> None:
    (tmp_path / "folder.0").mkdir()
    rows = "uri,fps,kind\nfolder.0,,\nframes.zip,29.97,\na.mp4,30,\ns3://b/clip,24,sequence\n"
    (tmp_path / "list.csv").write_text(rows)
    found = [(source.kind, source.fps) for source in read_manifest(str(tmp_path / "list.csv"))]
    assert found == [("sequence", None), ("sequence", 29.97), ("", None), ("sequence", 24.0)]
    (tmp_path / "list.csv").write_text("uri,fps\nframes.zip,0\n")
    with pytest.raises(UserError, match="line 2: fps is 0"):
        read_manifest(str(tmp_path / "list.csv"))


def test_text(tmp_path: Path) -> None:
    path = tmp_path / "LIST.TXT"
    path.write_bytes("\ufeff# clips\r\n\r\n a b, é.mp4 \r\n./#2.mp4\n../up.mp4\n".encode())
    assert is_manifest(str(path))
    assert [source.uri for source in read_manifest(str(path))] == [
        f"{tmp_path}/a b, é.mp4",
        f"{tmp_path}/#2.mp4",
        f"{tmp_path.parent}/up.mp4",
    ]


def test_missing_numbers_as_pandas_writes_them(tmp_path: Path) -> None:
    path = _write(tmp_path / "list.parquet", [{"uri": "a.mp4", "start_s": math.nan, "clip_id": 7}])
    assert read_manifest(path) == [Source(f"{tmp_path}/a.mp4", clip_id="7", columns=OTHER)]


def test_an_archive_beside_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("zip://a.mp4::set.zip\nzip://a.mp4::s3://bucket/set.zip\n")
    assert [source.uri for source in read_manifest(str(tmp_path / "list.txt"))] == [
        f"zip://a.mp4::{tmp_path}/set.zip",
        "zip://a.mp4::s3://bucket/set.zip",
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("list.csv", "path,start\na.mp4,1\n", "no column 'uri'; found path, start"),
        ("list.csv", "", "no column 'uri'; found no columns"),
        ("list.csv", "uri\n", "lists nothing"),
        ("list.txt", "# nothing\n", "lists nothing"),
        ("list.csv", "uri,start_s\na.mp4,0\nb.mp4,abc\n", "line 3: start_s is 'abc'"),
        ("list.csv", "uri,start_s\na.mp4,nan\n", "line 2: start_s is 'nan'"),
        ("list.csv", 'uri,start_s\n"a\nb.mp4",0\nb.mp4,-1\n', "line 4: start_s is -1"),
        ("list.csv", "uri,start_s,end_s\na.mp4,2,2\n", "line 2: end_s is 2"),
        ("list.csv", "uri,end_s\na.mp4,0\n", "line 2: end_s is 0"),
        (
            "list.csv",
            "uri,x0,y0,x1,y1\na.mp4,1,2,3,\n",
            "line 2: a crop needs x0, y0, x1 and y1; y1 not given",
        ),
        ("list.csv", "uri,x0,y0,x1,y1\na.mp4,3,2,3,9\n", "line 2: the crop is empty"),
        ("list.csv", "uri,end_s\n\n ,1\n", "line 3: 'uri' is empty"),
        ("list.csv", "uri,end_s\na, b.mp4,1\n", "line 2: more fields than columns"),
        ("list.csv", 'uri\n"a.mp4\n', "not readable as CSV"),
        ("list.csv", b"uri\n\xff.mp4\n", "not UTF-8"),
        ("list.jsonl", '{"uri": "a.mp4"}\n\n{"uri": \n', "line 3: not readable as JSON"),
        ("list.jsonl", '{"uri": "a.mp4"}\n{"path": "a.mp4"}\n', "line 2: no column 'uri'; found path"),
        ("list.jsonl", '["a.mp4"]\n', "line 1: each line must be an object"),
        ("list.jsonl", '{"uri": 7}\n', "line 1: 'uri' is empty or not text"),
        ("list.jsonl", '{"uri": "a.mp4", "start_s": true}\n', "line 1: start_s is True"),
        ("list.jsonl", '{"uri": "a.mp4", "end_s": 1e999}\n', "line 1: end_s is inf"),
        ("list.parquet", "not parquet at all", "not readable as Parquet"),
        ("list.parquet", "", "not readable as Parquet"),
    ],
)
def test_mistakes(tmp_path: Path, name: str, text: str | bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as caught:
        read_manifest(str(path))
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mistakes_in_parquet_name_the_row(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"uri": "a.mp4", "end_s": 1.0}, {"uri": "b.mp4", "end_s": -1.0}]
    with pytest.raises(UserError, match=r"list\.parquet, row 2: end_s is -1"):
        read_manifest(_write(tmp_path / "list.parquet", rows))
    with pytest.raises(UserError, match=r"no column 'uri'; found path, unknown column"):
        read_manifest(_write(tmp_path / "list.parquet", [{"path": "a.mp4"}]))


def test_a_manifest_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"list\.txt: the manifest cannot be read: no such file"):
        read_manifest(str(tmp_path / "list.txt"))


def test_json_numbers_may_be_text(tmp_path: Path) -> None:
    (tmp_path / "list.jsonl").write_text(json.dumps({"uri": "a.mp4", "end_s": "2.5", "identity": 3}))
    assert read_manifest(str(tmp_path / "list.jsonl")) == [
        Source(f"{tmp_path}/a.mp4", end_s=2.5, identity="3")
    ]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".txt"])
def test_mutated_manifests_are_sources_or_one_line(tmp_path: Path, suffix: str) -> None:
    """Polars panics on some damage, which is no Exception."""
    path = tmp_path / f"list{suffix}"
    if suffix == ".txt":
        path.write_text("a.mp4\n# a comment\ns3://bucket/b.mp4\nzip://m.mp4::c.zip\n" * 5)
    else:
        _write(path, ROWS)
    sound = path.read_bytes()
    for number in range(150):
        path.write_bytes(mutated(sound, random.Random(f"{suffix}{number}")))
        try:
            read_manifest(str(path))
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_a_panic_of_polars_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write(tmp_path / "list.parquet", ROWS)
    panic = Mock(side_effect=pl.exceptions.PanicException("called `Result::unwrap()`"))
    monkeypatch.setattr(pl, "read_parquet", panic)
    with pytest.raises(UserError, match="not readable as Parquet"):
        read_manifest(path)
