"""What customers write for one reason in one language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wordings:
    """Wordings of one reason; `{item}` is the word for the article, `{n}` a small number.

    Attributes:
        default: What the drop-down writes when nobody types.
        usual: In use from the first day.
        later: In use only in the last part of the horizon, so that a model meets sentences it
            never saw in training.
    """

    default: str
    usual: tuple[str, ...]
    later: tuple[str, ...]
