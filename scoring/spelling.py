"""Suggesting the key that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Return how to mend a misspelt name: the closest known one, or all of them.

    >>> suggest("treshold", ["threshold", "label"])
    'did you mean `threshold`?'
    >>> suggest("xyz", ["b", "a"])
    'use one of: a, b'
    """
    names = sorted(known)
    if close := get_close_matches(wrong, names, n=1):
        return f"did you mean `{close[0]}`?"
    return f"use one of: {', '.join(names)}"
