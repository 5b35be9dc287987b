"""Every command that a document shows is run here, one after the other, or is marked as needing what is not here.

The mark stands before the block: `<!-- needs: a cluster -->`. What runs is `lpff-ray`, in this process, on the demo's
clip. OUT is the run.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from command import call, run
from repository import REPOSITORY

from lpff_ray.cli.demo_clip import DemoClip

DOCUMENTS = (
    "README.md",
    "cluster/README.md",
    *sorted(f"docs/{path.name}" for path in REPOSITORY.glob("docs/*.md")),
)
NEEDS = {
    "a browser",
    "a cluster",
    "a fresh machine",
    "the network",
    "shared data",
    "files of yours",
    "another package",
}
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
MARK = r"(?:<!-- needs: (?P<needs>[^\n]+) -->\n+)?"
INDENTED = re.compile(MARK + r"(?P<block>(?:^ {4}\S.*\n)(?:^(?: {4}.*)?\n)*)", re.MULTILINE)
FENCED = re.compile(MARK + r"^```(?:sh|bash)\n(?P<block>.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = r"lpff-ray|\./run_cluster\.sh|kubectl|sbatch|git|docker|mkdocs|pip|source"
NO_TURNED_FACES = {"efhq", "lpff", "verification"}
"""Presets that rightly find nothing in the demo's clip, whose one face looks ahead."""


class Block(NamedTuple):
    """The commands of a block, and what it needs that is not here; "" if nothing."""

    document: str
    commands: tuple[str, ...]
    needs: str


def blocks(document: str) -> Iterator[Block]:
    """The blocks of a document that hold commands."""
    text = (REPOSITORY / document).read_text("utf-8")
    found = [*INDENTED.finditer(FENCE.sub("", text)), *FENCED.finditer(text)]
    for one in found:
        lines = one["block"].replace("\\\n", " ").splitlines()
        commands = [line.strip() for line in lines if re.match(rf" *(?:{PROGRAMS}) ", line)]
        if commands:
            yield Block(document, tuple(commands), one["needs"] or "")


ALL = [block for document in DOCUMENTS for block in blocks(document)]
HERE = [block for block in ALL if not block.needs]


def test_marks_are_known() -> None:
    assert {block.needs for block in ALL} - {""} <= NEEDS
    assert len(HERE) >= 6


@pytest.mark.parametrize(
    "block", HERE, ids=[f"{block.document}-{number}" for number, block in enumerate(HERE)]
)
def test_what_is_not_marked_is_of_lpff_ray_alone(block: Block) -> None:
    assert [command for command in block.commands if not command.startswith("lpff-ray ")] == []


@pytest.fixture
def folder(demo_clip: DemoClip, demo_run: Path, tmp_path: Path) -> Path:
    """What the documents take for granted: `videos/`, and `run`, mined at every 5th frame."""
    (tmp_path / "videos").mkdir()
    shutil.copy(demo_clip.path, tmp_path / "videos")
    shutil.copytree(demo_run, tmp_path / "run")
    return tmp_path


def test_commands_do_what_they_say(folder: Path) -> None:
    done: set[str] = set()
    for block in HERE:
        for command in block.commands:
            arguments = ["run" if word == "OUT" else word for word in shlex.split(command, comments=True)[1:]]
            line = shlex.join(arguments)
            if line in done:
                continue
            done.add(line)
            ended = call(*arguments, cwd=folder)
            if ended.returncode == 2 and "select" in arguments:
                assert NO_TURNED_FACES & set(arguments), ended.stderr
                assert "leaves no face" in ended.stderr
                name = arguments[arguments.index("--name") + 1]
                ended = call("select", "run", "--preset", "uniform", "--name", name, cwd=folder)
            assert ended.returncode == 0, f"{block.document}: {command}\n{ended.stdout}{ended.stderr}"
    assert {line.split()[0] for line in done} >= {
        "plan",
        "mine",
        "status",
        "dedupe",
        "select",
        "export",
        "compact",
    }


@pytest.mark.parametrize(("words", "found"), [("lpff-ray mi", "mine"), ("lpff-ray mine --ev", "--every")])
def test_the_shell_completes_as_the_quick_start_says(words: str, found: str) -> None:
    assert "_LPFF_RAY_COMPLETE=bash_source lpff-ray" in (REPOSITORY / "docs" / "quickstart.md").read_text(
        "utf-8"
    )
    number = str(len(words.split()) - 1)
    done = run(env={"_LPFF_RAY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": number})
    assert done.stdout.splitlines() == [f"plain,{found}"]
