from __future__ import annotations

import pytest

from stream.importers.online_retail.articles import (
    GOODS,
    ArticleKind,
    compute_article_kind,
    compute_style,
)
from stream.importers.online_retail.buckets import BUCKETS, MEANINGS


@pytest.mark.parametrize(
    ("sku", "kind"),
    [
        ("22423", ArticleKind.PRODUCT),
        ("85123A", ArticleKind.PRODUCT),
        ("15056BL", ArticleKind.PRODUCT),
        ("DCGS0003", ArticleKind.PRODUCT),
        ("DCGS0066P", ArticleKind.PRODUCT),
        ("DCGSSGIRL", ArticleKind.PRODUCT),
        ("GIFT_0001_20", ArticleKind.GIFT_VOUCHER),
        ("PADS", ArticleKind.CUSHION_PADS),
        ("POST", ArticleKind.POSTAGE),
        ("DOT", ArticleKind.POSTAGE),
        ("C2", ArticleKind.CARRIAGE),
        ("M", ArticleKind.MANUAL),
        ("D", ArticleKind.DISCOUNT),
        ("S", ArticleKind.SAMPLES),
        ("CRUK", ArticleKind.CHARITY_COMMISSION),
        ("AMAZONFEE", ArticleKind.MARKETPLACE_FEE),
        ("BANK CHARGES", ArticleKind.BANK_CHARGES),
        ("B", ArticleKind.BAD_DEBT),
        ("2242", ArticleKind.UNLISTED),
        ("TEST001", ArticleKind.UNLISTED),
    ],
)
def test_stock_codes_have_named_kinds(sku: str, kind: ArticleKind) -> None:
    assert compute_article_kind(sku) is kind


def test_style_drops_the_letters_of_a_variant_only() -> None:
    assert compute_style("46000M") == "46000"
    assert compute_style("15056BL") == "15056"
    assert compute_style("DCGS0066P") == "DCGS0066P"
    assert compute_style("PADS") == "PADS"


def test_every_kind_that_is_not_goods_has_a_bucket_of_its_name() -> None:
    buckets = {bucket.value for bucket in BUCKETS}
    assert {kind.value for kind in ArticleKind if kind not in GOODS} <= buckets
    assert set(MEANINGS) == set(BUCKETS)
