"""The documents say what is: files, names, options, links, and the worked extensions of CONTRIBUTING.md."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from repository import REPOSITORY

import lpff_ray
from benchmarks import figures
from lpff_ray.cli.checks import LINUX_ONLY
from lpff_ray.cli.main import app
from lpff_ray.exports.registry import FORMATS, format_class
from lpff_ray.plan import manifest
from lpff_ray.tables import failures, schema

NAMING = ("docs/architecture.md", "docs/glossary.md", "CONTRIBUTING.md")
"""The documents that say where things are."""
HANDWRITTEN = (
    "README.md",
    "CONTRIBUTING.md",
    "cluster/README.md",
    *sorted(f"docs/{path.name}" for path in REPOSITORY.glob("docs/*.md")),
)
FOREIGN = {
    "--data": "of stylegan's training",
    "--sizes": "of benchmarks.scale",
    "--metrics-export-port": "of `ray start`",
}
"""Options that stand alone between backquotes and are another program's."""
FOLDERS = "lpff_ray|actors|cluster|training|benchmarks|tests|docs"

FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def text_of(document: str) -> str:
    return (REPOSITORY / document).read_text("utf-8")


def quoted(text: str) -> list[str]:
    """What stands between backquotes, outside of code blocks."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


# Worked extensions


def shown_files() -> Iterator[tuple[str, str]]:
    """(file name, code) of the code blocks that show a whole file."""
    for _, rest, code in FENCE.findall(text_of("CONTRIBUTING.md")):
        name = re.fullmatch(r" file=(\S+)", rest)
        if name:
            yield name[1], code


@pytest.mark.parametrize(("name", "code"), [*shown_files()], ids=[name for name, _ in shown_files()])
def test_a_file_is_shown_as_it_is(name: str, code: str) -> None:
    assert code == text_of(name), f"copy {name} into CONTRIBUTING.md"


def test_every_worked_extension_is_shown() -> None:
    folder = REPOSITORY / "tests" / "fixtures" / "extensions"
    there = {str(path.relative_to(REPOSITORY)) for path in folder.glob("*.py")}
    assert {name for name, _ in shown_files()} == there


# Files and names


@pytest.mark.parametrize("document", NAMING)
def test_files_that_are_named_exist(document: str) -> None:
    named = [word for word in quoted(text_of(document)) if re.fullmatch(rf"(?:{FOLDERS})/[\w./*-]*", word)]
    assert named
    assert [word for word in named if not any(REPOSITORY.glob(word.rstrip("/")))] == []


def found(name: str) -> Any:
    """What `module:attribute` names."""
    module, _, attribute = name.partition(":")
    top = module.split(".")[0]
    thing = importlib.import_module(module if top in FOLDERS.split("|") else f"lpff_ray.{module}")
    for part in attribute.split("."):
        thing = getattr(thing, part)
    return thing


@pytest.mark.parametrize("document", NAMING)
def test_names_in_modules_exist(document: str) -> None:
    named = [
        word for word in quoted(text_of(document)) if re.fullmatch(r"[a-z_][\w.]*:[A-Za-z_][\w.]*", word)
    ]
    named = [word for word in named if word != "module:name" and word != "module:attribute"]
    assert named
    missing = []
    for name in named:
        try:
            found(name)
        except (ImportError, AttributeError) as error:
            missing.append(f"{name}: {error}")
    assert missing == []


@pytest.mark.parametrize("document", HANDWRITTEN)
def test_names_of_the_public_api_exist(document: str) -> None:
    """`lpff_ray.NAME(...)` in code, or alone between backquotes."""
    text = text_of(document)
    named = {*re.findall(r"\blpff_ray\.(\w+)\(", text), *re.findall(r"`lpff_ray\.(\w+)`", text)}
    groups = {
        group.partition(".")[2] for group in re.findall(r"`(lpff_ray\.[a-z_]+)` \|", text_of(NAMING[0]))
    }
    assert [name for name in named - groups if name not in dir(lpff_ray)] == []


def test_registries_are_listed_with_their_entry_points() -> None:
    rows = re.findall(
        r"^ *\| [\w ]+ \| `([\w.]+:[A-Z_]+)` \| `([\w.]+)` \|$", text_of("docs/architecture.md"), re.M
    )
    assert len(rows) == 10
    assert [(name, found(name).group) for name, _ in rows] == rows


def test_columns_of_the_tables_are_explained() -> None:
    words = {word for quote in quoted(text_of("docs/tables.md")) for word in re.findall(r"\w+", quote)}
    tables = (schema.FACES, schema.DEDUPE, schema.SELECTION, failures.FAILURES)
    assert [name for table in tables for name in table if name not in words] == []


def test_parts_that_need_linux_are_said() -> None:
    text = " ".join(text_of("docs/mining.md").split())
    assert [part for part in LINUX_ONLY if part.partition(" (")[0] not in text] == []


def test_columns_that_the_glossary_names_exist() -> None:
    tables = [
        value for value in vars(schema).values() if hasattr(value, "names") and hasattr(value, "dtypes")
    ]
    known = {*manifest.COLUMNS, *failures.FAILURES, *(name for table in tables for name in table)}
    named = [
        column
        for listed in re.findall(r"columns? ((?:`\w+`(?:, )?)+)", text_of("docs/glossary.md"))
        for column in re.findall(r"\w+", listed)
    ]
    assert named
    assert [name for name in named if name not in known] == []


# Options of the command line


def options(command: click.Command, verb: str = "") -> dict[str, set[str]]:
    """The options of every verb, by its name; those of its own verbs count for a group, too."""
    context = command.make_context(verb, [], resilient_parsing=True)
    have = {
        name
        for parameter in command.get_params(context)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    by_verb = {verb: have | {"--help"}}
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            by_verb |= options(inner, (verb and f"{verb} {name}") or name)
            by_verb[verb] |= by_verb[(verb and f"{verb} {name}") or name]
    return by_verb


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    by_verb = options(app)
    fields = {field for name in FORMATS for field in format_class(name).model_fields}
    by_verb["export"] |= {f"--{field.replace('_', '-')}" for field in fields}
    by_verb[""] |= by_verb["export"]
    return by_verb


@pytest.mark.parametrize("document", HANDWRITTEN)
def test_options_exist(document: str, known: dict[str, set[str]]) -> None:
    """Those of `lpff-ray VERB ...`, and, in text, those that stand alone between backquotes."""
    text = text_of(document)
    unknown = []
    for command in re.findall(r"lpff-ray ([^`\n#]*)", text):
        verb = command.split(" ")[0] if command.split(" ")[0] in known else ""
        unknown += [f"{verb} {option}" for option in OPTION.findall(command) if option not in known[verb]]
    for word in quoted(text):
        if word.startswith("--"):
            unknown += [option for option in OPTION.findall(word) if option not in {*known[""], *FOREIGN}]
    assert unknown == []


# Links


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives to a document's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", document.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", HANDWRITTEN)
def test_relative_links_resolve(document: str) -> None:
    broken = []
    for link in LINK.findall(text_of(document)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (REPOSITORY / document).parent / path if path else REPOSITORY / document
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


# Figures


def test_blocks_of_figures_are_known_to_the_program_that_writes_them() -> None:
    found = [name for document in figures.documents() for name in figures.blocks(document.read_text("utf-8"))]
    assert sorted(found) == sorted(figures.FIGURES), "each block stands in one document"
    for document in figures.documents():
        text = document.read_text("utf-8")
        assert text.count("<!-- figures:") == text.count("<!-- /figures -->") == len(figures.blocks(text))


def test_a_block_is_filled_and_nothing_else() -> None:
    page = "before 1\n<!-- figures:one -->\nold\n<!-- /figures -->\nbetween\n<!-- figures:two -->\n<!-- /figures -->\n"
    assert figures.filled(page, {"one": "new\n"}) == page.replace("old", "new")
    assert figures.blocks(page) == {"one": "old\n", "two": ""}


MEASURED = re.compile(
    r"\d ?%|\b\d[\d,.]* (?:ms|MB|GB|faces|identities|clips|frames|people|seconds)\b|\d (?:faces|frames)/s"
)
"""Numbers of what was measured: shares, times, sizes, counts of faces. Those of settings are written otherwise."""
GENERATED = ("docs/accuracy.md", "docs/scale.md", "docs/speed.md", "docs/columns.md", "docs/models.md")


@pytest.mark.parametrize("document", [name for name in HANDWRITTEN if name not in GENERATED])
def test_measured_numbers_stand_in_blocks_only(document: str) -> None:
    text = FENCE.sub("", figures.filled(text_of(document), dict.fromkeys(figures.FIGURES, "")))
    assert [found.group() for found in MEASURED.finditer(text)] == []


@pytest.mark.parametrize("document", GENERATED)
def test_generated_documents_name_their_command(document: str) -> None:
    assert re.search(r"^Made by `python -m benchmarks\.\w+ .*`", text_of(document), re.MULTILINE)


def test_the_tests_that_prove_the_stages_of_both_papers_exist() -> None:
    rows = [line for line in text_of("docs/datasets.md").splitlines() if re.match(r"\|.*`tests/", line)]
    named = [name for row in rows for name in re.findall(r"`(tests/[\w/]+\.py)`", row)]
    assert len(rows) > 20
    assert [name for name in named if not (REPOSITORY / name).is_file()] == []
