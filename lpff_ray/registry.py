"""Named implementations of one kind of thing: decoders, measures, models, export formats, selection methods.

One mechanism serves all kinds. Ours are listed as texts, `module:attribute`, and imported when first asked for, since
some need packages that take seconds. Other packages add theirs by an entry point in the registry's group:

    [project.entry-points."lpff_ray.decoders"]
    mydecoder = "mypackage.decoder:MyDecoder"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar, cast

from lpff_ray.errors import UserError

Implementation = TypeVar("Implementation")


class Registry(Generic[Implementation]):
    """The implementations of one kind by name: ours in their order, then other packages' by name.

    kind: its name in messages ("decoder"). group: of entry points ("lpff_ray.decoders").
    """

    def __init__(self, kind: str, group: str, ours: Mapping[str, str]) -> None:
        self.kind, self.group = kind, group
        self._ours = dict(ours)

    def names(self) -> list[str]:
        """Every name that `load` takes."""
        return list(self._targets())

    def __contains__(self, name: object) -> bool:
        return name in self._ours or name in self._targets()

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets())

    def load(self, name: str) -> Implementation:
        """The implementation `name`, imported.

        Raises UserError for an unknown name, and where another package's can not be imported.
        """
        # Ours first: entry points are read from the metadata of every installed package, and a decoder is loaded
        # for each segment and photo.
        targets = self._ours if name in self._ours else self._targets()
        if name not in targets:
            raise UserError(
                f"{self.kind} {name!r}: there is no such {self.kind}; there are {', '.join(targets)}"
            )
        module, _, attribute = targets[name].partition(":")
        try:
            found: Any = import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            if name in self._ours:
                raise
            raise UserError(f"{self.kind} {name!r}: {targets[name]} can not be imported: {error}") from error
        return cast("Implementation", found)

    def _targets(self) -> dict[str, str]:
        """`module:attribute` by name. A name of ours is never taken by another package's entry point."""
        others = sorted((point.name, point.value) for point in entry_points(group=self.group))
        return self._ours | {name: target for name, target in others if name not in self._ours}
