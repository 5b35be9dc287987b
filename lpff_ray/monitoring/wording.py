"""Text for messages: counts with their nouns."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number of things, as in "1 face", "2 faces"; plural: of a noun that does not just take an s."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
