"""Reason texts to small vectors: language-free, no model file, microseconds.

Signed feature hashing (Weinberger et al., ICML 2009) of character n-grams into
64 dimensions. Characters, not words, since Chinese has no spaces: a run of Han
characters gives uni-, bi- and trigrams, Latin text gives tri- and tetragrams of
its words. Near-identical wordings get near-identical vectors, which is what
marks scripted returns; meaning across languages it does not see (the reason
code does).
"""

from __future__ import annotations

import math
import re
import unicodedata

import numpy as np
import numpy.typing as npt
import xxhash

DIM = 64
EMBEDDER = "ngram64-v1"

_MAX_CHARS = 512
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af]+")
_WORD = re.compile(r"[^\W_\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af]+")


def _iterate_grams(text: str) -> list[str]:
    """Return the n-grams of a normalised text, with repetitions."""
    grams: list[str] = []
    for run in _HAN.findall(text):
        grams.extend(run)
        grams.extend(run[i : i + 2] for i in range(len(run) - 1))
        grams.extend(run[i : i + 3] for i in range(len(run) - 2))
    for word in _WORD.findall(text):
        padded = f"^{word}$"
        grams.append(padded)
        grams.extend(padded[i : i + 3] for i in range(len(padded) - 2))
        grams.extend(padded[i : i + 4] for i in range(len(padded) - 3))
    return grams


def embed_text(text: str) -> npt.NDArray[np.int8]:
    """Return the embedding of a reason text.

    Args:
        text: Any language; the first 512 characters count. Case, width and
            combining forms do not (Unicode NFKC, case folded).

    Returns:
        Shape `(64,)`, int8, of norm 127 up to rounding. All zero only if the text
        has no letter or digit.

    >>> a, b = embed_text("尺码偏小，穿不下"), embed_text("尺码偏小 穿不下了")
    >>> int(a.astype(int) @ b) > int(a.astype(int) @ embed_text("物流太慢"))
    True
    """
    normal = unicodedata.normalize("NFKC", text[:_MAX_CHARS]).casefold()
    sums = [0.0] * DIM
    counts: dict[str, int] = {}
    for gram in _iterate_grams(normal):
        counts[gram] = counts.get(gram, 0) + 1
    for gram, count in counts.items():
        digest = xxhash.xxh3_64_intdigest(gram.encode())
        weight = 1.0 + math.log(count)
        sums[digest % DIM] += weight if digest >> 63 else -weight
    vector = np.array(sums)
    norm = float(np.sqrt(vector @ vector))
    if norm == 0.0:
        if not counts:
            return np.zeros(DIM, np.int8)
        # Signs cancelled to nothing: still a text, so still a vector.
        vector[0] = norm = 1.0
    return np.rint(vector / norm * 127.0).astype(np.int8)
