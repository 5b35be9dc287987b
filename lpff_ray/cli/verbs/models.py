"""The command line's `lpff-ray models list | pull | verify`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Column, Table

from lpff_ray.errors import UserError
from lpff_ray.models import store
from lpff_ray.models.cards import ModelCard, PluginCard, load_cards, load_plugins, verify
from lpff_ray.monitoring.console import console

app = typer.Typer(help="The model store: cards, plug-ins, hashes.", no_args_is_help=True)

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME...]", help="Models; default all that are here.")
]


@app.command("list")
def list_models() -> None:
    """The models, what they are for, their licences and where they come from."""
    table = Table(Column("name", no_wrap=True), "task", "licence", "from", "MB", "sha256")
    for card in load_cards().values():
        package = f"pip package {card.package}"
        table.add_row(
            card.name, card.task, card.licence, package, _megabytes(card.size_bytes), card.sha256[:12]
        )
    for plugin in load_plugins().values():
        table.add_row(
            plugin.name,
            plugin.task,
            plugin.licence,
            "the model store" if store.is_stored(plugin) else "not pulled",
            "\n".join(_megabytes(file.size_bytes) for file in plugin.files),
            "\n".join(file.sha256[:12] if file.sha256 else "not known" for file in plugin.files),
        )
    console.print(table)
    for plugin in load_plugins().values():
        if plugin.batch != "any":
            console.print(f"{plugin.name}: {plugin.batch}")
    console.print(f"model store: {store.store_folder()}; another place: {store.MIRROR}=PLACE")


@app.command()
def pull(names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Plug-ins.")]) -> None:
    """Fetch plug-ins into the model store, from LPFF_RAY_MODELS or their card's addresses, and check their hashes."""
    for card in [store.plugin(name) for name in names]:
        for line in store.pull(card):
            console.print(line)


@app.command("verify")
def verify_models(names: Names = None) -> None:
    """Compare models with the hashes on their cards."""
    embedded, plugins = load_cards(), load_plugins()
    cards: list[ModelCard | PluginCard] = []
    for name in names or []:
        cards.append(embedded[name] if name in embedded else store.plugin(name))
    if not names:
        cards = [*embedded.values(), *(card for card in plugins.values() if store.is_stored(card))]
    wrong = []
    for card in cards:
        try:
            if isinstance(card, ModelCard):
                verify(card)
                console.print(f"{card.path()}: sha256 as on its card")
            else:
                console.print("\n".join(store.verify_plugin(card)))
        except UserError as error:
            wrong.append(str(error))
    if len(wrong) > 1:
        console.print("\n".join(wrong[:-1]))
    if wrong:
        raise UserError(wrong[-1])


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.1f}"
