"""Suggesting the key that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def suggest_close(wrong: str, known: Iterable[str]) -> str:
    """Return the known name that was probably meant, as a question; empty: none is close.

    >>> suggest_close("treshold", ["threshold", "label"])
    'did you mean `threshold`?'
    """
    close = get_close_matches(wrong, sorted(known), n=1)
    return f"did you mean `{close[0]}`?" if close else ""


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Return how to mend a misspelt name: the closest known one, or all of them.

    >>> suggest("treshold", ["threshold", "label"])
    'did you mean `threshold`?'
    >>> suggest("xyz", ["b", "a"])
    'use one of: a, b'
    """
    names = sorted(known)
    return suggest_close(wrong, names) or f"use one of: {', '.join(names)}"
