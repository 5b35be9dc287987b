"""A run as one page to look at: `lpff-ray report`, a single HTML file that needs no network and no server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from lpff_ray.errors import UserError
from lpff_ray.reports.html.gathered import Gathered, Selected, gathered
from lpff_ray.reports.html.page import rendered
from lpff_ray.reports.html.samples import Samples
from lpff_ray.reports.html.sections.cameras import References, camera_plots
from lpff_ray.reports.html.sections.disagreement import disagreement
from lpff_ray.reports.html.sections.distributions import distributions
from lpff_ray.reports.html.sections.failures import failures
from lpff_ray.reports.html.sections.funnel import funnel
from lpff_ray.reports.html.sections.people import duplicate_groups, identity_rows
from lpff_ray.reports.html.sections.poses import pose_map
from lpff_ray.reports.html.sections.run_record import provenance, speed
from lpff_ray.reports.html.sections.selections import selection_cards
from lpff_ray.storage.folder import Folder
from lpff_ray.tables import curated
from lpff_ray.tables.read import snapshot
from lpff_ray.tables.status import status_of

NAME = "report.html"


@dataclass(frozen=True)
class ReportSummary:
    """A report that was written. path: of the file; size_bytes: of it. faces: of the run; shown: those that the page
    shows one by one, pictures: of them, with a thumbnail."""

    path: str
    size_bytes: int
    faces: int
    shown: int
    pictures: int
    selections: tuple[str, ...]


def report(out: str, to: str = "", *, selections: Sequence[str] | None = None, reference: str = "") -> str:
    """Write a page about the run `out` and return its path; without `to` it is `out`/report.html.

    selections: names of those to show, all if None. reference: cameras to compare poses with, as the setting
    `reference` of the preset lpff; by default each selection's own. The page is one file below 15 MB, put in place
    whole. Raises UserError if `out` holds no run, if a selection or the reference can not be read, or `to` can not be
    written.
    """
    return write_report(out, to, selections=selections, reference=reference).path


def write_report(
    out: str, to: str = "", *, selections: Sequence[str] | None = None, reference: str = ""
) -> ReportSummary:
    """As `report`, with what was written."""
    files = snapshot(out)
    folder, name = _target(files.folder, to)
    references = References(reference)
    with gathered(out, files, _selected(out, files.folder, selections)) as run:
        content, summary = _page(run, references)
    folder.commit(name, content)
    path = f"{folder.root}/{name}"
    return ReportSummary(path, len(content), *summary, tuple(one.name for one in run.selections))


def _page(run: Gathered, references: References) -> tuple[bytes, tuple[int, int, int]]:
    samples, status = Samples(), status_of(run.files)
    sections = {
        "funnel": funnel(run, status),
        "poses": pose_map(run, samples),
        "distributions": distributions(run, samples),
        "selections": selection_cards(run, samples, references),
        "identities": identity_rows(run, samples),
        "duplicates": duplicate_groups(run, samples),
        "disagreement": disagreement(run, samples),
        "failures": failures(run.out, status),
        "speed": speed(run, status),
        "provenance": provenance(run),
    }
    if not run.selections:
        sections["cameras"] = camera_plots(run.faces.filter("keep"), None, references.of({}), 1)
    records = samples.records(run)
    made = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    content = rendered(run, status, sections, records, references.contours(), made)
    return content, (run.count, len(samples), records.pictures)


def _target(folder: Folder, to: str) -> tuple[Folder, str]:
    """The folder and name of the file to write. Raises UserError if `to` names a folder."""
    if not to:
        return folder, NAME
    parent, _, name = to.rpartition("/")
    if not name or name in (".", ".."):
        raise UserError(f"--to {to}: is a folder; name a file, such as {NAME}")
    target = Folder(parent or ("/" if to.startswith("/") else "."))
    if target.is_local:
        if target.filesystem.isdir(f"{target.path}/{name}"):
            raise UserError(f"--to {to}: is a folder; name a file, such as {to.rstrip('/')}/{NAME}")
        target.check_writable()
    return target, name


def _selected(out: str, folder: Folder, names: Sequence[str] | None) -> tuple[Selected, ...]:
    """The selections of these names, all of the run if None. Raises UserError for one that there is not."""
    if names is None:
        names = [file.removesuffix(".parquet") for file in folder.names(curated.SELECTIONS, ".parquet")]
    found = []
    for name in dict.fromkeys(names):
        found.append(Selected(name, curated.selection(out, name), curated.selection_rules(out, name)))
    return tuple(found)
