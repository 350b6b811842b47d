"""Reason texts to small vectors: language-free, no model file, microseconds.

Signed feature hashing (Weinberger et al., ICML 2009) of character n-grams into
64 dimensions. Characters, not words, since Chinese has no spaces: a run of Han
characters gives uni-, bi- and trigrams, Latin text gives tri- and tetragrams of
its words. Near-identical wordings get near-identical vectors, which is what
marks scripted returns; meaning across languages it does not see (the reason
code does).

Vectors of different embedders cannot be compared, so logs and records say whose
they hold, and a new embedder applies from its date (`EMBEDDERS`).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from features.text_grams import (
    DIM,
    HAN_LETTER,
    NO_LETTER,
    WORD_LETTER,
    embed_chars,
)
from features.text_hash import SECRET

__all__ = ["DIM", "EMBEDDER", "EMBEDDERS", "Embedder", "embed_text", "embed_texts", "embedder_at"]

Embeddings = npt.NDArray[np.int8]
"""Shape `(n, DIM)`, each row of norm 127 up to rounding."""

_MAX_CHARS = 512
_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af"
_WORD_OR_HAN = re.compile(rf"(?P<han>[{_HAN}]+)|[^\W_{_HAN}]+")
_N_CLASSES = 0x34000
"""No letter or digit of Unicode has a code point from here on (tested)."""


@dataclass(frozen=True, slots=True)
class Embedder:
    """One way to make vectors of texts.

    Attributes:
        id: Its number in records, rows and cells, 1 to 255; never given twice.
        name: Its name in logs, e.g. `ngram64-v1`.
        since_us: Texts of events that the log takes in from this time on are
            embedded by it; microseconds UTC.
        embed: Texts to `Embeddings`; all zero only for a text without letter or digit.
    """

    id: int
    name: str
    since_us: int
    embed: Callable[[Sequence[str]], Embeddings]


def _normalise(text: str) -> str:
    """Return what of a text counts, without case, width and combining forms."""
    text = text[:_MAX_CHARS]
    if text.isascii():
        return text.lower()
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    return text.casefold()


@cache
def _build_classes() -> npt.NDArray[np.uint8]:
    """Return the class of each code point."""
    classes = np.full(_N_CLASSES, NO_LETTER, np.uint8)
    for run in _WORD_OR_HAN.finditer("".join(map(chr, range(_N_CLASSES)))):
        classes[slice(*run.span())] = HAN_LETTER if run["han"] else WORD_LETTER
    return classes


@cache
def _build_weights(n_counts: int) -> npt.NDArray[np.float64]:
    """Return the weight of a gram by its count, 0 to `n_counts`."""
    return np.array([0.0, *(1.0 + math.log(count) for count in range(1, n_counts + 1))])


def _embed_grams(texts: Sequence[str]) -> Embeddings:
    """Return the vectors of `ngram64-v1`."""
    normal = [_normalise(text) for text in texts]
    lengths = np.fromiter(map(len, normal), np.int64, len(normal))
    # A power of two, so that few sizes of tables are ever made.
    longest = 1 << int(lengths.max(initial=64) - 1).bit_length()
    chars = np.frombuffer("".join(normal).encode("utf-32-le", "surrogatepass"), np.uint32)
    out = np.empty((len(texts), DIM), np.int8)
    weights = _build_weights(longest)
    embed_chars(chars, np.cumsum(lengths), longest, _build_classes(), SECRET, weights, out)
    return out


EMBEDDERS: tuple[Embedder, ...] = (Embedder(1, "ngram64-v1", 0, _embed_grams),)
"""All embedders whose vectors may stand in a log, by `since_us`; the first from 0 on."""

EMBEDDER = EMBEDDERS[-1].name
"""Name of the newest embedder."""


def embedder_at(time_us: int, embedders: Sequence[Embedder] = EMBEDDERS) -> Embedder:
    """Return the embedder in force at a time, microseconds UTC.

    >>> embedder_at(1_772_366_400_000_000).name
    'ngram64-v1'
    """
    in_force = [embedder for embedder in embedders if embedder.since_us <= time_us]
    return in_force[-1] if in_force else embedders[0]


def embed_texts(texts: Sequence[str], embedder: Embedder = EMBEDDERS[-1]) -> Embeddings:
    """Return the embeddings of reason texts, shape `(n, DIM)`, int8; see `embed_text`."""
    return embedder.embed(texts)


def embed_text(text: str, embedder: Embedder = EMBEDDERS[-1]) -> npt.NDArray[np.int8]:
    """Return the embedding of a reason text.

    Args:
        text: Any language; the first 512 characters count. Case, width and
            combining forms do not (Unicode NFKC, case folded).
        embedder: Whose vector to make.

    Returns:
        Shape `(64,)`, int8, of norm 127 up to rounding. All zero only if the text
        has no letter or digit.

    >>> a, b = embed_text("尺码偏小，穿不下"), embed_text("尺码偏小 穿不下了")
    >>> int(a.astype(int) @ b) > int(a.astype(int) @ embed_text("物流太慢"))
    True
    """
    vector: npt.NDArray[np.int8] = embedder.embed([text])[0]
    return vector
