"""The report in a real browser: it opens from disk, shows what is asked for, and runs nothing that a name holds."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import fsspec
import polars as pl
import pytest
from browser import Page
from made_up_run import HOSTILE, HOSTILE_CLIP, HOSTILE_TRACEBACK, SELECTION, made_up_run

import lpff_ray
from lpff_ray.errors import UserError
from lpff_ray.reports.html import samples
from lpff_ray.reports.html.report import write_report

SECTIONS = [
    *("funnel", "poses", "distributions", "selections", "identities", "duplicates", "disagreement"),
    *("failures", "speed", "provenance"),
]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with something for every section, and its report."""
    folder = tmp_path_factory.mktemp("report") / "run"
    made_up_run(folder)
    assert lpff_ray.report(str(folder)) == str(folder / "report.html")
    return folder


@pytest.fixture
def opened(page: Page, out: Path) -> Page:
    """Its page, whose alerts are counted."""
    page.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument",
        {"source": "window.alerts = 0; window.alert = () => { window.alerts += 1; };"},
    )
    page.open(out / "report.html")
    return page


def data_of(path: str | Path) -> dict[str, Any]:
    """What the page's script is given."""
    text = Path(path).read_text("utf-8")
    blocks = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', text, re.DOTALL)
    return {name: json.loads(block) for name, block in blocks}


def seen_whole(page: Page) -> None:
    """Make the window as tall as the page for a moment, so that all of it is drawn."""
    width, height = page.run("return [innerWidth, innerHeight]")
    page.resize(width, 30_000)
    page.wait(
        "return [...document.querySelectorAll('[data-chart]')].every((one) => one.querySelector('canvas'))"
    )
    page.resize(width, height)


def is_open(page: Page) -> bool:
    return bool(page.run("return document.getElementById('viewer').open"))


def tooltip(page: Page, chart: Any) -> str:
    """What the pointer shows on its way along the foot of a histogram, at the first bar that it meets."""
    from selenium.webdriver.common.action_chains import ActionChains

    page.run("arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })", chart)
    for x in range(-60, 61, 6):
        ActionChains(page.driver, duration=0).move_to_element_with_offset(chart, x, 42).perform()
        if page.all("#vg-tooltip-element.visible"):
            break
    return page.text("#vg-tooltip-element")


def test_it_opens_from_disk_without_a_network(opened: Page) -> None:
    assert [one.get_attribute("id") for one in opened.all("main > section")] == SECTIONS
    seen_whole(opened)
    assert opened.requests() == []
    broken = "return [...document.images].filter((one) => one.complete && !one.naturalWidth).length"
    assert opened.run(broken) == 0
    assert opened.run("return document.images.length") > 60


def test_a_cell_shows_more_and_escape_closes(opened: Page) -> None:
    cells = opened.all("#map button.cell")
    busiest = max(cells, key=lambda cell: int(cell.find_element("css selector", ".count").text))
    opened.click(busiest)
    assert is_open(opened)
    tiles = opened.all(".viewer-strip button")
    assert len(tiles) > 1
    assert opened.text(".viewer-place") == f"1 of {len(tiles)}"
    first = opened.text(".viewer-facts")
    opened.press("ArrowRight")
    assert opened.text(".viewer-place") == f"2 of {len(tiles)}"
    assert opened.text(".viewer-facts") != first
    box = opened.run(
        "const b = document.querySelector('.viewer-picture .box').style; return [b.left, b.width]"
    )
    assert box == ["25%", "50%"], "the box is where it is in the region"
    opened.press("Escape")
    assert not is_open(opened)


def test_the_keyboard_reaches_cells_and_rows(opened: Page) -> None:
    opened.run("document.querySelector('#map button[tabindex=\"0\"]').focus()")
    before = opened.run("return document.activeElement.dataset.column")
    opened.press("ArrowRight")
    after = opened.run("return document.activeElement.dataset.column")
    assert int(after) < int(before), "azimuth falls to the right"
    opened.press("Enter")
    assert is_open(opened)
    opened.press("Escape")
    assert opened.run("return document.activeElement.dataset.column") == after, "focus comes back"
    seen_whole(opened)
    opened.run("document.querySelector('#identities [data-row]').focus()")
    opened.press("Enter")
    assert is_open(opened)
    assert opened.text(".viewer-title").startswith("id-")


def test_a_set_of_faces_is_chosen(opened: Page) -> None:
    from selenium.webdriver.support.select import Select

    everything = opened.text("#map-status")
    Select(opened.one("#map-set")).select_by_index(2)
    assert opened.text("#map-status") != everything
    seen_whole(opened)
    chart = opened.all("#distributions [data-chart]")[0]
    assert "all faces" in tooltip(opened, chart)
    opened.click(opened.all("#sets button")[2])
    assert [one.get_attribute("aria-pressed") for one in opened.all("#sets button")] == [
        "false",
        "false",
        "true",
    ]


def test_light_and_dark(opened: Page) -> None:
    background = "return getComputedStyle(document.body).backgroundColor"
    light = opened.run(background)
    opened.prefer("dark")
    dark = opened.run(background)
    assert dark != light
    opened.one("#theme").click()
    assert opened.run(background) == light, "the button wins over the system"
    opened.one("#theme").click()
    assert opened.run(background) == dark
    seen_whole(opened)


@pytest.mark.parametrize("width", [390, 768])
def test_a_narrow_window_does_not_scroll_sideways(opened: Page, width: int) -> None:
    opened.resize(width, 844)
    seen_whole(opened)
    assert opened.overflow() == 0
    opened.run("document.querySelector('#map button.cell').click()")
    dialog = opened.run("const d = document.getElementById('viewer'); return [d.scrollWidth, d.clientWidth]")
    assert dialog[0] <= dialog[1]
    assert opened.overflow() == 0


def test_hostile_names_are_text(opened: Page) -> None:
    seen_whole(opened)
    for details in opened.all("#failures details"):
        opened.click(details.find_element("css selector", "summary"))
    shown = opened.text("#failures pre")
    assert shown == HOSTILE_TRACEBACK.replace("\u202e", "\\u202e").replace("\u202c", "\\u202c")
    assert "<b>bold packet N" in opened.text("#failures summary")
    opened.click(opened.all("#poses button.cell")[0])
    assert HOSTILE in opened.text(".viewer-facts")
    assert HOSTILE_CLIP in opened.text(".viewer-facts")
    assert opened.run("return window.alerts") == 0
    assert opened.all("img[src='x']") == []
    assert opened.all("[onerror], [onmouseover]") == []
    assert len(opened.all("script")) == 4, "two of data, two of ours"


def test_the_policy_forbids_what_escaping_would_miss(opened: Page) -> None:
    """The second wall, if the first had a hole: markup of a name that gets into the page runs nothing."""
    opened.run("document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\" onerror=\"alert(1)\">')")
    opened.wait("return document.images[document.images.length - 1].complete")
    assert opened.run("return window.alerts") == 0
    assert any("Content Security Policy" in error for error in opened.errors())


@pytest.mark.parametrize(
    ("tables", "missing"),
    [
        ({"pictures": False}, set()),
        ({"selected": False}, {"selections"}),
        ({"selected": False, "deduped": False}, {"selections", "identities", "duplicates"}),
        (
            {"selected": False, "deduped": False, "pictures": False, "count": 0},
            {"selections", "identities", "duplicates", "poses", "distributions", "disagreement"},
        ),
        ({"failing": False}, set()),
    ],
    ids=["no pictures", "no selections", "no dedupe", "only failures", "no failures"],
)
def test_runs_that_lack_something(
    page: Page, tmp_path: Path, tables: dict[str, Any], missing: set[str]
) -> None:
    out = made_up_run(tmp_path / "run", **tables)
    page.open(Path(lpff_ray.report(out)))
    there = {one.get_attribute("id") for one in page.all("main > section")}
    assert there - {"cameras"} == set(SECTIONS) - missing
    assert ("cameras" in there) == ("selections" in missing and "poses" not in missing)
    seen_whole(page)
    if "pictures" in tables and tables.get("count") is None:
        assert page.all(".tile img") == []
        assert len(page.all(".tile .sign")) > 20


def test_a_run_without_anything(page: Page, tmp_path: Path) -> None:
    out = made_up_run(tmp_path / "run", 0, deduped=False, selected=False, pictures=False, failing=False)
    page.open(Path(lpff_ray.report(out)))
    assert "Nothing failed" in page.text("#failures")


# Files


def test_it_is_written_where_it_is_asked_for(out: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "page.html"
    assert lpff_ray.report(str(out), str(target)) == str(target)
    assert [path.name for path in target.parent.iterdir()] == ["page.html"], "nothing temporary is left"
    assert target.stat().st_size < 3e6
    with pytest.raises(UserError, match="is a folder; name a file"):
        lpff_ray.report(str(out), str(tmp_path))
    with pytest.raises(UserError, match="no run here"):
        lpff_ray.report(str(tmp_path))


def test_runs_on_other_stores(out: Path) -> None:
    there = f"memory://{uuid.uuid4().hex}"
    memory = fsspec.filesystem("memory")
    memory.put(str(out), there, recursive=True)
    memory.rm(f"{there}/report.html")
    done = write_report(there)
    assert done.path == f"{there}/report.html"
    assert done.size_bytes == memory.size(done.path)
    assert done.pictures == done.shown > 50
    memory.rm(there, recursive=True)


def test_selections_are_chosen_by_name(out: Path, tmp_path: Path) -> None:
    target = str(tmp_path / "page.html")
    assert write_report(str(out), target).selections == (SELECTION,)
    assert write_report(str(out), target, selections=[]).selections == ()
    with pytest.raises(UserError, match="no selection 'other'"):
        lpff_ray.report(str(out), target, selections=["other"])
    with pytest.raises(UserError, match="reference"):
        lpff_ray.report(str(out), target, reference=str(tmp_path / "no.npz"))


def test_pictures_have_a_limit_and_the_most_telling_stay(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = str(tmp_path / "page.html")
    whole = write_report(str(out), target)
    least = max(len(one) for one in data_of(target)["pictures"])
    monkeypatch.setattr(samples, "PICTURE_BYTES", 25 * least)
    done = write_report(str(out), target)
    data = data_of(target)
    assert whole.pictures > done.pictures == sum(one is not None for one in data["pictures"]) >= 25
    first = {cell[3][0] for cell in data["data"]["map"]["layers"][0]["cells"]}
    with_picture = {number for number, one in enumerate(data["pictures"]) if one}
    assert len(first & with_picture) > len(first) / 2


def test_a_selection_of_which_the_rules_say_nothing(tmp_path: Path) -> None:
    """As an older release, or another program, may have left it."""
    out = made_up_run(tmp_path / "run", 20, pictures=False)
    Path(out, "selections", f"{SELECTION}.json").write_text("{}")
    assert write_report(out).selections == (SELECTION,)


def test_faces_that_are_gone_are_counted(tmp_path: Path, page: Page) -> None:
    out = made_up_run(tmp_path / "run")
    path = tmp_path / "run" / "selections" / f"{SELECTION}.parquet"
    table = pl.read_parquet(path)
    gone = table.head(1).with_columns(pl.lit("gone").alias("face_id"))
    pl.concat([gone, table]).write_parquet(path)
    page.open(Path(lpff_ray.report(out)))
    assert "1 of its faces are no longer in the run" in page.text("#selections")
    seen_whole(page)


def test_the_name_stays_a_function(out: Path) -> None:
    """A package of the same name would take its place once it is imported."""
    import lpff_ray.reports.html.report

    assert callable(lpff_ray.report)
