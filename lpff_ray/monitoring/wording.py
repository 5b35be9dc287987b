"""Text for messages: counts with their nouns, names that can not harm the terminal."""

from __future__ import annotations

import re

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0 and C1 controls, which a terminal obeys; marks that turn the direction of writing; halves of characters."""


def escaped(text: str, keep: str = "") -> str:
    """The text with control characters written out (`\\x1b`), for names of files may hold any.

    keep: characters that are left as they are.
    """
    return CONTROL.sub(lambda found: found[0] if found[0] in keep else _written(found[0]), text)


def _written(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number of things, as in "1 face", "2 faces"; plural: of a noun that does not just take an s."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
