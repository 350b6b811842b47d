from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.embedding import DIM, embed_text


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
