"""The review table that people write by hand: nothing in it is ignored in silence."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from handmade import face, handmade_run

from lpff_ray.errors import UserError
from lpff_ray.storage.folder import Folder
from lpff_ray.tables.review.table import REVIEW_TABLE, handwritten_marks


def marks(out: Path, table: pl.DataFrame) -> pl.DataFrame:
    handmade_run(out, [face("a", "p")])
    table.write_parquet(out / REVIEW_TABLE)
    return handwritten_marks(Folder(str(out)))


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"decision": ["reject"]}, "has no column face_id"),
        ({"face_id": ["a"], "note": ["x"]}, "neither a column decision nor bin"),
        ({"face_id": ["a"], "decision": ["Reject"]}, r"column decision is 'Reject' in row 0, did you mean 'reject'\?"),
        ({"face_id": ["a"], "decision": ["no"]}, "column decision is 'no' in row 0; allowed: accept, reject, or null"),
        ({"face_id": ["a", "b"], "bin": [None, "left"]}, "column bin is 'left' in row 1.*allowed: frontal, profile_l"),
        ({"face_id": ["a"], "bin": [3]}, "column bin holds Int64, not text"),
        ({"face_id": ["a", None], "decision": ["reject", "reject"]}, "column face_id is empty in row 1"),
        ({"face_id": ["a"], "decision": [""]}, "column decision is '' in row 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_file_column_and_what_is_allowed(
    tmp_path: Path, columns: dict, complaint: str
) -> None:
    with pytest.raises(UserError, match=rf"tables/review.parquet: .*{complaint}"):
        marks(tmp_path, pl.DataFrame(columns))


def test_columns_may_be_missing_and_the_last_row_of_a_face_counts(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {"face_id": ["a", "b", "a"], "decision": ["accept", "reject", "reject"], "more": [1, 2, 3]}
    )
    found = marks(tmp_path, table)
    assert sorted(found.rows()) == [("a", "reject", None, None), ("b", "reject", None, None)]
    fine = pl.DataFrame({"face_id": ["a"], "bin": ["left_30_40"]})
    assert marks(tmp_path / "fine", fine)["bin"].to_list() == ["left_30_40"]
