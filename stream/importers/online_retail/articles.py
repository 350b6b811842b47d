"""What a stock code stands for: goods, or a line of bookkeeping among them."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class ArticleKind(StrEnum):
    """Kind of a stock code; the value is also the name of its bucket."""

    PRODUCT = "product"
    GIFT_VOUCHER = "gift_voucher"
    CUSHION_PADS = "cushion_pads"
    POSTAGE = "postage"
    CARRIAGE = "carriage"
    MANUAL = "manual"
    DISCOUNT = "discount"
    SAMPLES = "samples"
    CHARITY_COMMISSION = "charity_commission"
    MARKETPLACE_FEE = "marketplace_fee"
    BANK_CHARGES = "bank_charges"
    BAD_DEBT = "bad_debt"
    UNLISTED = "unlisted_article"


GOODS: Final = frozenset({ArticleKind.PRODUCT, ArticleKind.GIFT_VOUCHER, ArticleKind.CUSHION_PADS})
"""Kinds that are ordered and returned. All other kinds make no order line and no return."""

_NAMED: Final = {
    "PADS": ArticleKind.CUSHION_PADS,
    "POST": ArticleKind.POSTAGE,
    "DOT": ArticleKind.POSTAGE,
    "C2": ArticleKind.CARRIAGE,
    "M": ArticleKind.MANUAL,
    "D": ArticleKind.DISCOUNT,
    "S": ArticleKind.SAMPLES,
    "CRUK": ArticleKind.CHARITY_COMMISSION,
    "AMAZONFEE": ArticleKind.MARKETPLACE_FEE,
    "BANK CHARGES": ArticleKind.BANK_CHARGES,
    "B": ArticleKind.BAD_DEBT,
}
# Five digits, then letters for a size or colour; DCGS are the goods of a partner's shop.
_PRODUCT: Final = re.compile(r"[0-9]{5}[A-Z]*|DCGS[0-9A-Z]+")
_VARIANT: Final = re.compile(r"([0-9]{5})[A-Z]+")


def compute_article_kind(sku: str) -> ArticleKind:
    """Return the kind of an upper-case stock code.

    A code of no known form is `UNLISTED`: it is counted and makes no event,
    since nothing says that it is a thing that can be sent back.

    >>> compute_article_kind("85123A").value, compute_article_kind("DOT").value
    ('product', 'postage')
    """
    if sku in _NAMED:
        return _NAMED[sku]
    if _PRODUCT.fullmatch(sku):
        return ArticleKind.PRODUCT
    if sku.startswith("GIFT_"):
        return ArticleKind.GIFT_VOUCHER
    return ArticleKind.UNLISTED


def compute_style(sku: str) -> str:
    """Return the article family: the stock code without the letters of its variant.

    >>> compute_style("85123A"), compute_style("22423"), compute_style("DCGS0003")
    ('85123', '22423', 'DCGS0003')
    """
    variant = _VARIANT.fullmatch(sku)
    return variant.group(1) if variant else sku
