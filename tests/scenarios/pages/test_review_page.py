"""The review page in a real browser: what a reviewer does is kept, shown again after a crash, and honoured."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from browser import Page
from command import start
from handmade import GATES_OPEN, decided, face, handmade_run, ids
from serving import served, with_thumbnails

import lpff_ray

COUNT = 60
LATER = "2100-01-31T08:30:00.000000Z"
SHOWN = "return globalThis.review && document.querySelectorAll('.cell:not([hidden])').length"
PICTURES = "return document.querySelectorAll('.cell:not([hidden]) img.there').length"


@pytest.fixture
def out(tmp_path: Path) -> str:
    """60 faces of four people in one video, every sixth a profile; all but one have a thumbnail."""
    rows = [
        face(
            f"v:{number}:0",
            f"id-{'abcd'[number % 4]}",
            60.0 if number % 6 == 5 else 5.0,
            iqa=40.0 + number,
            segment_id="v-00000",
            track_id=f"v-00000:{number // 6}",
            uri="/clips/<img src=x onerror=alert(1)>.mp4",
            pose_votes=[{"estimator": "<b>e</b>", "yaw": 50.0, "pitch": 0.0, "roll": 0.0}],
            **({"pose_bin": "profile_horizontal"} if number in (11, 17) else {}),
        )
        for number in range(COUNT)
    ]
    run = handmade_run(tmp_path / "run", rows)
    with_thumbnails(run, [row["face_id"] for row in rows[:-1]])
    return run


@contextmanager
def reviewing(out: str, reviewer: str = "Ann") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process of `lpff-ray review`, and the address that it printed."""
    process = start("review", out, "--reviewer", reviewer)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert " at http://" in line, process.communicate()
        yield process, line.split(" at ")[1].split()[0]
    finally:
        process.kill()
        process.communicate()


@contextmanager
def shown(page: Page, address: str) -> Iterator[None]:
    """The page at an address, left again before its server ends."""
    page.open(address)
    page.wait(f"{SHOWN} > 10")
    yield
    page.open("about:blank")


@contextmanager
def reviewed(page: Page, out: str, reviewer: str = "Ann") -> Iterator[None]:
    """The page of a server in this process, which starts faster."""
    with served(out, reviewer) as server, shown(page, server.url):
        yield


def states(page: Page, name: str) -> list[int]:
    """The frames of the faces that are shown with a class: "rejected", "moved" and so on."""
    return sorted(
        page.run(
            f"""const {{ review }} = globalThis;
            review.grid.draw();  // what the next frame would show
            return [...review.grid.used.values()].filter((cell) => cell.element.classList.contains('{name}'))
              .map((cell) => review.faces.columns.frame[cell.row])"""
        )
    )


def kept(page: Page, actions: int) -> None:
    """Until the server has kept so many actions that count."""
    page.wait("return review.faces.actions === arguments[0]", actions)
    page.run("return review.queue")


def focus(page: Page) -> int:
    return int(page.run("return review.grid.focus"))


def test_reject_three_move_two_undo_one_kill_the_server_and_go_on(page: Page, out: str) -> None:
    with reviewing(out) as (process, address), shown(page, address):
        assert "token" not in page.run("return location.href")
        page.press("x", "x", "x")  # each goes on to the next
        page.press("2", "4")
        kept(page, 5)
        page.press("u")
        kept(page, 4)
        process.send_signal(signal.SIGKILL)
        process.wait()
        page.press("x")
        page.wait("return !document.getElementById('problem').hidden")
        assert "not kept" in page.text("#problem")
        assert states(page, "rejected") == [0, 1, 2], "what was not kept is not shown"
    assert all("ERR_CONNECTION_REFUSED" in error for error in page.errors())
    assert lpff_ray.review_state(out).select("face_id", "decision", "bin").rows() == [
        ("v:0:0", "reject", None),
        ("v:1:0", "reject", None),
        ("v:2:0", "reject", None),
        ("v:3:0", None, "profile_left"),
    ]
    with reviewing(out) as (process, address), shown(page, address):
        assert states(page, "rejected") == [0, 1, 2]
        assert states(page, "moved") == [3]
        assert page.text("#undo").startswith("Undo: 1 face moved to left")
        assert "4 decided" in page.text("#count")
        page.press("u", "u")  # of an earlier session
        kept(page, 2)
        assert (states(page, "rejected"), states(page, "moved")) == ([0, 1], [])
        page.press("U", "U")
        kept(page, 4)
        page.open("about:blank")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    chosen = lpff_ray.select(out, "s", "efhq", {**GATES_OPEN, "per_identity_bin": 99})
    assert "v:3:0" in ids(chosen)
    every = lpff_ray.select(
        out, "every", "efhq", {**GATES_OPEN, "per_identity_bin": 99, "with_frontal": True}
    )
    assert not {"v:0:0", "v:1:0", "v:2:0"} & set(ids(every))
    assert len(ids(every)) == COUNT - 3


def test_filters_order_and_pictures(page: Page, out: str) -> None:
    lpff_ray.select(out, "best", "efhq", {**GATES_OPEN, "per_identity_bin": 1})
    with reviewed(page, out):
        page.wait(f"{PICTURES} > 10")
        assert "60 faces" in page.text("#count")
        page.run("review.filters.set({ bins: ['profile_left'] })")
        assert "8 of 60 faces" in page.text("#count")
        page.run(
            "review.filters.set({ bins: [], ranges: { iqa: [90, null] }, sort: 'iqa', turned: true }, false)"
        )
        assert page.run("return [...review.grid.rows]") == list(range(59, 49, -1))
        page.wait("return document.body.innerText.includes('no picture')")
        page.press("p")
        assert "3 of 60 faces" in page.text("#count")
        assert page.run("return review.focused") == 59, "what was in focus stays there"
        page.open(page.run("return location.href"))  # filters are in the address
        page.wait("return globalThis.review && review.grid.rows.length === 3")
        page.press("Escape")
        page.wait("return review.grid.rows.length === 60")
        for button in page.all("#filters .bins button"):
            if "horizontal" in button.text:
                button.click()
        assert "2 of 60 faces" in page.text("#count")
        page.run("review.filters.set({ bins: [], selection: 'best' })")
        best = lpff_ray.selection(out, "best")["face_id"].to_list()
        page.wait("return review.faces.selections.has('best')")
        shown = page.wait(
            "return review.grid.rows.length < 60 && [...review.grid.rows].map((row) => review.faces.id(row))"
        )
        assert sorted(shown) == sorted(best)
        page.run("review.filters.set({ selection: '', video: 0, sort: 'table' })")
        assert page.run("return review.grid.rows.length") == COUNT


def test_keys_and_mouse_choose_faces(page: Page, out: str) -> None:
    with reviewed(page, out):
        columns = page.run("return review.grid.columns")
        page.press("ArrowRight", "ArrowRight", "ArrowDown")
        assert focus(page) == 2 + columns
        page.press("ArrowUp", "ArrowLeft", " ")
        assert states(page, "selected") == [1]
        page.press("End")
        assert (focus(page), page.run("return review.grid.element.scrollTop > 100")) == (COUNT - 1, True)
        page.press("Home", "ArrowUp", "ArrowLeft")
        assert focus(page) == 0
        page.press("Escape")
        assert states(page, "selected") == []
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        def cell(number: int) -> Any:
            return page.run("return review.grid.used.get(arguments[0]).element", number)

        mouse = ActionChains(page.driver, duration=0)
        mouse.click(cell(1)).key_down(Keys.SHIFT).click(cell(4)).key_up(Keys.SHIFT).perform()
        assert states(page, "selected") == [1, 2, 3, 4]
        ActionChains(page.driver).key_down(Keys.CONTROL).click(cell(2)).click(cell(6)).key_up(
            Keys.CONTROL
        ).perform()
        assert states(page, "selected") == [1, 3, 4, 6]
        ActionChains(page.driver, duration=20).click_and_hold(cell(2)).move_to_element(
            cell(7)
        ).release().perform()
        assert states(page, "selected") == [2, 3, 4, 5, 6, 7]
        page.press("a")
        kept(page, 1)
        assert (states(page, "accepted"), states(page, "selected")) == ([2, 3, 4, 5, 6, 7], [])
        ActionChains(page.driver).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT).key_up(
            Keys.SHIFT
        ).perform()
        assert states(page, "selected") == [7, 8, 9]
        page.press("?")
        assert page.one("#help").is_displayed()
        page.press("x")  # for the help, not for the faces
        page.press("Escape")
        assert not page.one("#help").is_displayed()
        assert page.run("return review.faces.actions") == 1
        ActionChains(page.driver).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).perform()
        assert page.text("#target") == "60 faces selected"


def test_people_and_suggestions(page: Page, out: str) -> None:
    with reviewed(page, out):
        page.press(" ", "ArrowRight", " ", "m")
        kept(page, 1)
        page.press("Escape", "Home", "s")
        kept(page, 2)
        page.press("g")
        page.wait("return document.querySelector('#suggestions[open]')")
        assert "A sign for 2 faces" in page.text("#suggestions")
        page.press("Enter")
        kept(page, 3)
    state = lpff_ray.review_state(out)
    people = dict(
        state.filter(pl.col("identity_id").is_not_null()).select("face_id", "identity_id").iter_rows()
    )
    assert len(people) == COUNT // 4 + 1
    assert {people[name] for name in people if name != "v:0:0"} == {"id-a"}
    assert people["v:0:0"] not in {"id-a", "id-b", "id-c", "id-d"}
    moved = state.filter(pl.col("bin").is_not_null()).select("face_id", "bin").rows()
    assert moved == [("v:11:0", "profile_left"), ("v:17:0", "profile_left")]


def test_names_are_never_markup_and_narrow_and_dark_work(page: Page, out: str) -> None:
    with reviewed(page, out, "<i>Ann</i>"):
        page.wait("return document.querySelectorAll('#inspector table td').length > 0")
        assert "<img src=x onerror=alert(1)>.mp4" in page.text("#inspector")
        assert "<b>e</b>" in page.text("#inspector")
        assert (
            page.run("return document.querySelectorAll('#inspector b, #inspector i, img[src=x]').length") == 0
        )
        light = page.run("return getComputedStyle(document.body).color")
        page.prefer("dark")
        assert page.run("return getComputedStyle(document.body).color") != light
        for width in (900, 390):
            page.resize(width, 800)
            page.wait("return document.body.classList.contains('no-inspector')")
            assert page.overflow() == 0
            page.wait(f"{SHOWN} > 3")


def test_two_reviewers_see_each_other(page: Page, out: str) -> None:
    with served(out, "Ben") as other, reviewed(page, out):
        page.press("x")
        kept(page, 1)
        ann = page.run("return location.href")
        page.open(other.url)
        page.wait("return globalThis.review && document.querySelectorAll('.cell.rejected').length === 1")
        assert page.one("#undo").get_property("disabled"), "Ann's decision is not Ben's to undo"
        page.press("ArrowRight", "x")
        kept(page, 2)
        page.open(ann)  # no token any more: a cookie
        page.wait("return globalThis.review && document.querySelectorAll('.cell.rejected').length === 2")
        decided(
            out, {"action": "move", "faces": ["v:5:0"], "bin": "frontal", "reviewer": "Cy", "time": LATER}
        )
        page.run("return review.poll()")
        assert states(page, "moved") == [5]
        assert page.one("#toast").get_property("textContent") == "Changed by Ben, Cy"
    assert set(lpff_ray.review_state(out)["reviewer"]) == {"Ann", "Ben", "Cy"}
