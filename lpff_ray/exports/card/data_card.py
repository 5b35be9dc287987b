"""The data card of an export, README.md: what is in it, where it came from, under which licences, how to load it.

It begins with the metadata that Hugging Face reads of a data set's README.md (source: their documentation of data set
cards).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from lpff_ray.exports.format import ExportFormat, Record, upsampling_notes
from lpff_ray.monitoring.wording import counted, escaped
from lpff_ray.storage.uri import file_name, protocol_of
from lpff_ray.tables import curated, schema
from lpff_ray.tables.run_folder import open_run_folder, run_record

README = "README.md"
MOST_SOURCES = 20
"""Sources that the card lists; PROVENANCE.jsonl names the source of every file."""
NON_COMMERCIAL = "non-commercial"


def data_card(
    run: str,
    selection: str,
    chosen: pl.DataFrame,
    export_format: ExportFormat,
    records: Sequence[Record],
    sheet: str,
) -> bytes:
    """The card.

    chosen: the selection, as `schema.SELECTION`. records: what was made. sheet: the file of samples, "" for none.
    Nothing of the clock or the machine is in it: the same records give the same bytes.
    """
    made = _made_faces(chosen, records)
    lines = [
        *_metadata(export_format, len(records), made),
        f"# {escaped(selection)}: {export_format.name}",
        "",
        _summary(export_format, records, made),
        "",
    ]
    if sheet:
        lines += [f"![{min(64, len(records))} samples, drawn at random]({sheet})", ""]
    warnings = upsampling_notes(records, getattr(export_format, "max_upsampling", None))
    lines += [f"**Warning.** Crops are {line[0].lower()}{line[1:]}." for line in warnings] + [""] * bool(
        warnings
    )
    lines += ["## What is in it", "", *_counts(made)]
    if export_format.loading:
        lines += ["## How to load it", "", *export_format.loading.strip().splitlines(), ""]
    lines += ["## How it was made", "", *_making(run, selection, export_format), ""]
    lines += ["## Sources", "", *_sources(records), ""]
    lines += ["## Licences", "", *_licences(run), ""]
    return ("\n".join(lines).rstrip() + "\n").encode()


def _made_faces(chosen: pl.DataFrame, records: Iterable[Record]) -> pl.DataFrame:
    """The selected faces that are in what was made."""
    made = [face for record in records for face in _listed(record["face_id"])]
    return chosen.filter(pl.col("face_id").is_in(made))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _metadata(export_format: ExportFormat, count: int, made: pl.DataFrame) -> Iterator[str]:
    yield from ("---", "license: other", "license_name: see-below", "tags:", "- faces", "- head-pose")
    sizes = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    size = next((name for most, name in sizes if count < most), "1M<n<10M")
    yield from ("size_categories:", f"- {size}")
    splits = sorted(made["split"].drop_nulls().unique()) or [""]
    files = [(split, export_format.split_files(split)) for split in splits]
    if all(pattern for _, pattern in files):
        yield from ("configs:", "- config_name: default", "  data_files:")
        for split, pattern in files:
            yield from (f"  - split: {split or 'train'}", f"    path: {json.dumps(pattern)}")
    yield from ("---", "")


def _summary(export_format: ExportFormat, records: Sequence[Record], made: pl.DataFrame) -> str:
    files = sum(len(record["files"]) for record in records)
    people = made["identity_id"].n_unique() if made["identity_id"].null_count() < len(made) else 0
    videos = len({video for record in records for video in _listed(record["video_id"])})
    of = f" of {counted(people, 'person', 'people')}" if people else ""
    return (
        f"{counted(len(made), 'selected face')}{of} from {counted(videos, 'source')}: "
        f"{counted(len(records), 'record')}, {counted(files, 'file')}, "
        f"made by `lpff-ray export --format {export_format.name}`."
    )


def _counts(made: pl.DataFrame) -> Iterator[str]:
    for column, title in (("bin", "pose bin"), ("split", "split")):
        known = made.filter(pl.col(column).is_not_null())
        if known.is_empty():
            continue
        table = (
            known.group_by(column)
            .agg(pl.len(), pl.col("identity_id").n_unique())
            .sort("len", column, descending=[True, False])
        )
        yield from (f"| {title} | faces | people |", "|---|---|---|")
        yield from (
            f"| {escaped(str(name))} | {count} | {people} |" for name, count, people in table.iter_rows()
        )
        yield ""


def _making(run: str, selection: str, export_format: ExportFormat) -> Iterator[str]:
    record = run_record(open_run_folder(run))
    versions = record.get("versions", {})
    yield f"- mined with lpff-ray {versions.get('lpff-ray') or 'from source'}: {_told(record['config'])}"
    rules = curated.selection_rules(run, selection)
    if rules:
        yield f"- selected by the rules of `{rules.get('name') or selection}`: {_told(rules.get('rules', {}))}"
    yield f"- exported with {_told(export_format.model_dump(mode='json')) or 'the defaults of the format'}"
    yield "- PROVENANCE.jsonl has a line for every record: its files, source, frame, time and transform"


def _told(settings: Mapping[str, Any]) -> str:
    told = (f"{name} = {value}" for name, value in settings.items() if value not in (None, [], "", {}))
    return escaped(", ".join(told)).replace("|", "\\|")


def _sources(records: Sequence[Record]) -> Iterator[str]:
    count = Counter[str]()
    for record in records:
        # One for each face, or one for all. Of a local file the name alone: the card may travel.
        uris = [uri if protocol_of(uri) else file_name(uri) for uri in _listed(record["uri"])]
        count.update(uris if len(uris) > 1 else uris * len(_listed(record["face_id"])))
    yield from ("| source | faces |", "|---|---|")
    most = sorted(count.items(), key=lambda item: (-item[1], item[0]))
    for uri, faces in most[:MOST_SOURCES]:
        yield f"| {escaped(uri).replace('|', '%7C')} | {faces} |"
    if len(most) > MOST_SOURCES:
        yield from ("", f"and {len(most) - MOST_SOURCES} more: see PROVENANCE.jsonl.")


def _licences(run: str) -> Iterator[str]:
    record = run_record(open_run_folder(run))
    yield (
        "**Pictures.** They are their sources'; lpff-ray does not know under which licences. Find out before you share "
        "them, and name the licences here. Faces are personal data of the people shown."
    )
    yield ""
    yield "**Measurements** (boxes, points, poses, scores, identities) were made by these models:"
    yield from ("", "| model | licence |", "|---|---|")
    models = [*record.get("models", []), *record.get("plugins", [])]
    yield from (f"| {model['name']} | {model.get('licence', 'unknown')} |" for model in models)
    limited = [model["name"] for model in models if NON_COMMERCIAL in str(model.get("licence", ""))]
    if limited:
        yield from ("", f"**Warning.** {', '.join(limited)} may not be used commercially.")


assert {"bin", "split", "identity_id"} <= set(schema.SELECTION)
