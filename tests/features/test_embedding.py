from __future__ import annotations

import math
import random
import re
import unicodedata

import numpy as np
import numpy.typing as npt
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from features.embedding import (
    DIM,
    EMBEDDERS,
    Embedder,
    embed_text,
    embed_texts,
    embedder_at,
)


def similarity(a: str, b: str) -> float:
    x, y = embed_text(a).astype(float), embed_text(b).astype(float)
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


@given(st.text(max_size=600))
def test_a_text_gives_a_unit_vector_or_none_at_all(text: str) -> None:
    vector = embed_text(text)
    assert vector.shape == (DIM,)
    assert vector.dtype == np.int8
    norm = float(np.linalg.norm(vector.astype(float)))
    # Rounding to int8 moves each of 64 components by at most a half.
    assert norm == 0.0 or abs(norm - 127.0) <= 4.0


@given(st.text(st.characters(categories=["Ll", "Nd"], max_codepoint=0x7F), min_size=1))
def test_a_word_is_never_taken_for_no_text(text: str) -> None:
    assert embed_text(text).any()


@pytest.mark.parametrize("text", ["", " ", "!!!", "——", "🙂"])
def test_what_has_no_letter_and_no_digit_is_no_text(text: str) -> None:
    assert not embed_text(text).any()


@given(st.text(max_size=25))  # One character may become eighteen; 512 count.
def test_width_and_composition_of_characters_do_not_matter(text: str) -> None:
    composed = unicodedata.normalize("NFKC", text)
    assert np.array_equal(embed_text(composed), embed_text(unicodedata.normalize("NFKD", composed)))


def test_case_and_full_width_forms_do_not_matter() -> None:
    assert np.array_equal(embed_text("TOO SMALL"), embed_text("too small"))
    assert np.array_equal(embed_text("ｔｏｏ ｓｍａｌｌ"), embed_text("too small"))


def test_only_the_first_512_characters_count() -> None:
    assert np.array_equal(embed_text("a b " * 128 + "z" * 9), embed_text("a b " * 128))


@pytest.mark.parametrize(
    ("reason", "reworded", "other"),
    [
        ("the size is too small for me", "size too small for me", "the parcel came late"),
        ("尺码偏小，穿不下", "尺码偏小穿不下了", "物流太慢，不想要了"),
        ("衣服有色差，和图片不一样", "和图片不一样，有色差", "买错了，重新下单"),
        ("サイズが小さい", "サイズが小さいです", "配送が遅い"),
    ],
)
def test_a_reworded_reason_is_nearer_than_another_one(
    reason: str, reworded: str, other: str
) -> None:
    assert similarity(reason, reworded) > 0.5 > similarity(reason, other) + 0.1


def test_embeddings_never_change_between_versions() -> None:
    # Logs keep embeddings, not texts: another result needs another EMBEDDER name.
    assert embed_text("尺码偏小").tobytes().hex() == (
        "00260000000000000000004d000000da000000000000000000000000da000026"
        "000000000000000000260000000000000000000000000000da0000da00000000"
    )


_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af]+")
_WORD = re.compile(r"[^\W_\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af]+")


def _iterate_windows(run: str, sizes: range) -> list[str]:
    return [run[i : i + size] for size in sizes for i in range(len(run) - size + 1)]


def embed_plainly(text: str) -> npt.NDArray[np.int8]:
    """`ngram64-v1` from its definition, a gram at a time."""
    normal = unicodedata.normalize("NFKC", text[:512]).casefold()
    grams = [gram for run in _HAN.findall(normal) for gram in _iterate_windows(run, range(1, 4))]
    for word in _WORD.findall(normal):
        grams += [f"^{word}$", *_iterate_windows(f"^{word}$", range(3, 5))]
    if not grams:
        return np.zeros(DIM, np.int8)
    sums = [0.0] * DIM
    for gram in dict.fromkeys(grams):
        digest = xxhash.xxh3_64_intdigest(gram.encode())
        sums[digest % DIM] += (1.0 if digest >> 63 else -1.0) * (1.0 + math.log(grams.count(gram)))
    norm = math.sqrt(sum(value * value for value in sums))
    if norm == 0.0:
        sums[0] = norm = 1.0
    return np.rint(np.array(sums) / norm * 127.0).astype(np.int8)


# Every length class of the hash, every width of UTF-8, runs and words side by side.
_LONG = st.builds(lambda unit, n: unit * n, st.text(min_size=1, max_size=5), st.integers(0, 400))


@given(st.lists(st.one_of(st.text(max_size=60), _LONG), max_size=4))
def test_texts_at_once_equal_the_definition(texts: list[str]) -> None:
    vectors = embed_texts(texts)
    assert vectors.shape == (len(texts), DIM)
    for text, vector in zip(texts, vectors, strict=True):
        assert np.array_equal(vector, embed_plainly(text))


def test_sentences_in_two_languages_equal_the_definition() -> None:
    rng = random.Random(5)
    words = [
        "the",
        "size",
        "runs",
        "too",
        "small",
        "it",
        "does",
        "not",
        "fit",
        "me",
        "colour",
        "differs",
        "zipper",
        "broken",
        "late",
    ]
    han = "尺码偏小穿不下了颜色与图片不符质量太差拉链坏了物流太慢，。！ＡＢ①㍿"
    texts = [" ".join(rng.choices(words, k=rng.randint(1, 30))) for _ in range(200)]
    texts += ["".join(rng.choices(han, k=rng.randint(1, 80))) for _ in range(200)]
    assert np.array_equal(embed_texts(texts), [embed_plainly(text) for text in texts])


def test_a_text_of_lone_surrogates_is_no_error() -> None:
    assert np.array_equal(embed_text("a\ud800b"), embed_plainly("a\ud800b"))


def test_no_letter_lies_beyond_the_classes() -> None:
    beyond = "".join(map(chr, range(0x34000, 0x110000)))
    assert not _HAN.search(beyond)
    assert not _WORD.search(beyond)


def test_a_new_embedder_applies_from_its_date() -> None:
    newer = Embedder(2, "mirror64-v1", 1_000, lambda texts: -EMBEDDERS[0].embed(texts))
    embedders = (*EMBEDDERS, newer)
    assert [embedder_at(us, embedders).id for us in (-1, 0, 999, 1_000, 2_000)] == [1, 1, 1, 2, 2]
    assert np.array_equal(embed_text("late", newer), -embed_text("late"))


def test_embedders_have_numbers_and_names_of_their_own() -> None:
    assert len({embedder.id for embedder in EMBEDDERS}) == len(EMBEDDERS)
    assert len({embedder.name for embedder in EMBEDDERS}) == len(EMBEDDERS)
    assert all(0 < embedder.id < 256 for embedder in EMBEDDERS)
    assert [e.since_us for e in EMBEDDERS] == sorted(e.since_us for e in EMBEDDERS)
    assert EMBEDDERS[0].since_us == 0
