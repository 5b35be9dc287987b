"""Nothing that a name holds can end the data of a page, or stand in it as markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_run import made_up_run

import lpff_ray
from lpff_ray.reports.html.page import json_block

HOSTILE = ["</script>", "<!--", "]]>", "&lt;", "\u2028", "\udc80", '"', "\\u003c"]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(max_size=9) | st.sampled_from(HOSTILE), max_size=4))
def test_a_json_block_can_not_be_left(value: object) -> None:
    text = str(json_block(value))
    assert not set("<>&") & set(text)
    assert text.isascii()
    assert json.loads(text) == value


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        json_block([float("nan")])


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = made_up_run(tmp_path_factory.mktemp("page") / "run", 20, selected=False)
    return Path(lpff_ray.report(out)).read_text("utf-8")


def test_the_policy_names_the_scripts_that_there_are(html: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    text = policy[1].replace("&#39;", "'").replace("&#43;", "+")
    assert re.findall(r"'sha256-([^']+)'", text) == hashes
    assert len(hashes) == 2
    assert "default-src 'none'" in text
    assert "unsafe-eval" not in text


def test_nothing_in_it_is_fetched(html: str) -> None:
    scripts = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert re.findall(r"(?:src|href|action)\s*=\s*[\"'](?!#|data:)[^\"']*", scripts) == []
    assert "@import" not in html
    assert "url(" not in scripts


def test_it_is_the_same_every_time(tmp_path: Path) -> None:
    """But for the moment at which it was made."""
    out = made_up_run(tmp_path / "run", 30, selected=False)
    pages = [Path(lpff_ray.report(out, str(tmp_path / f"{name}.html"))).read_text("utf-8") for name in "ab"]
    first, second = (re.sub(r"made [-0-9: ]+ UTC", "", page) for page in pages)
    assert first == second
