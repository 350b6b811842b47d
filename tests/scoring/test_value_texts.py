"""Values as people read them."""

from __future__ import annotations

import math

import pytest

from features.definitions import FEATURE_NAMES, FEATURES
from scoring.value_texts import format_value


@pytest.mark.parametrize(
    ("feature", "value", "en", "zh"),
    [
        ("return_rate_90d", 0.451, "45%", "45%"),
        ("request_value_minor", 123_456, "1,234.56", "1,234.56"),
        ("request_hold_days", 29.04, "29.0 days", "29.0 天"),
        ("request_delay_hours", 26.0, "26 h", "26 小时"),
        ("request_hour_of_day", 7.0, "7:00 UTC", "7:00 UTC"),
        ("request_day_of_week", 0.0, "Monday", "周一"),
        ("request_has_receipt", 0.0, "no", "否"),
        ("request_channel", 3.0, "store", "门店"),
        ("request_reason_code", 1.0, "size too small", "尺码偏小"),
        ("request_tender", 3.0, "gift card", "礼品卡"),
        ("request_stage", 4.0, "shipped", "已发货"),
        ("reason_similarity_mean_last16", 0.987, "0.99", "0.99"),
        ("return_count_90d", 10.0, "10", "10"),
        ("customer_state", -1.0, "guest", "游客"),
        ("request_channel", 99.0, "99", "99"),
    ],
)
def test_each_unit_has_its_form(feature: str, value: float, en: str, zh: str) -> None:
    assert format_value(FEATURE_NAMES.index(feature), value) == (en, zh)


def test_every_feature_says_when_it_is_missing() -> None:
    for column in range(len(FEATURES)):
        assert format_value(column, math.nan) == ("not known", "未知")
