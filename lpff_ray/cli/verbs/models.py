"""`lpff-ray models list | pull | verify`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.table import Column

from lpff_ray.cli.options import argument, as_json
from lpff_ray.cli.output import Shown, Table, report
from lpff_ray.cli.verb import Verb, VerbGroup
from lpff_ray.errors import UserError


@click.group(cls=VerbGroup)
def models() -> None:
    """The model store: cards of models, their licences, files and hashes."""


@models.command("list", cls=Verb)
@as_json
def list_models(as_json: bool) -> None:
    """The models, what they are for, their licences and where they come from."""
    from lpff_ray.models import store
    from lpff_ray.models.cards import load_cards, load_plugins

    embedded = [
        {
            "name": card.name,
            "task": card.task,
            "licence": card.licence,
            "from": f"pip package {card.package}",
            "files": [{"size_bytes": card.size_bytes, "sha256": card.sha256}],
            "note": "",
        }
        for card in load_cards().values()
    ]
    optional = [
        {
            "name": plugin.name,
            "task": plugin.task,
            "licence": plugin.licence,
            "from": "the model store" if store.is_stored(plugin) else "not pulled",
            "files": [{"size_bytes": file.size_bytes, "sha256": file.sha256} for file in plugin.files],
            "note": "" if plugin.batch == "any" else plugin.batch,
        }
        for plugin in load_plugins().values()
    ]
    result = {"models": embedded + optional, "store": str(store.store_folder())}
    report(as_json, result, _listed(result, store.MIRROR))


def _listed(result: dict[str, Any], mirror: str) -> Iterator[Shown]:
    table = Table(Column("name", no_wrap=True), "task", "licence", "from", "MB", "sha256")
    for model in result["models"]:
        sizes = [file["size_bytes"] for file in model["files"]]
        hashes = [file["sha256"] for file in model["files"]]
        table.add_row(
            *(model[key] for key in ("name", "task", "licence", "from")),
            "\n".join("" if size is None else f"{size / 1e6:.1f}" for size in sizes),
            "\n".join(sha256[:12] if sha256 else "not known" for sha256 in hashes),
        )
    yield table
    yield from (f"{model['name']}: {model['note']}" for model in result["models"] if model["note"])
    yield f"model store: {result['store']}; to have it elsewhere: {mirror}=FOLDER or URI"


@models.command(cls=Verb)
@argument(
    "names", metavar="NAME...", nargs=-1, required=True, about="Optional models; see lpff-ray models list."
)
@as_json
def pull(names: Sequence[str], as_json: bool) -> None:
    """Fetch optional models into the model store and check their hashes.

    They come from LPFF_RAY_MODELS, if that names a mirror, or from the addresses on their cards.
    """
    from lpff_ray.models import store

    cards = [store.plugin(name) for name in names]
    if as_json:
        report(True, {"pulled": {card.name: store.pull(card) for card in cards}}, ())
    for card in [] if as_json else cards:
        report(False, {}, store.pull(card))  # one by one: a large one takes minutes


@models.command(cls=Verb)
@argument("names", metavar="[NAME...]", nargs=-1, about="Models; without any, all that are here.")
@as_json
def verify(names: Sequence[str], as_json: bool) -> None:
    """Compare models with the hashes on their cards."""
    checked = list(_verified(names))
    good = [line for model in checked if model["ok"] for line in model["lines"]]
    wrong = [line for model in checked if not model["ok"] for line in model["lines"]]
    report(as_json, {"ok": not wrong, "models": checked}, good + wrong[:-1])
    if wrong:
        raise UserError(wrong[-1])


def _verified(names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """For each of the models: its name, whether it is as on its card, and lines that say so."""
    from lpff_ray.models import store
    from lpff_ray.models.cards import ModelCard, PluginCard, load_cards, load_plugins
    from lpff_ray.models.cards import verify as verify_card

    embedded, plugins = load_cards(), load_plugins()
    cards: list[ModelCard | PluginCard]
    if names:
        cards = [embedded[name] if name in embedded else store.plugin(name) for name in names]
    else:
        cards = [*embedded.values(), *(card for card in plugins.values() if store.is_stored(card))]
    for card in cards:
        try:
            if isinstance(card, ModelCard):
                verify_card(card)
                lines = [f"{card.path()}: sha256 as on its card"]
            else:
                lines = store.verify_plugin(card)
            yield {"name": card.name, "ok": True, "lines": lines}
        except UserError as error:
            yield {"name": card.name, "ok": False, "lines": [str(error)]}
