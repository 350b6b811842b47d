"""Events to the rows of the core: `to_fold_rows`, `to_request_rows`, `to_line_rows`.

Everything is computed a column at a time; only keys are hashed one by one. The
rules, which the scorer's conversion of one request must equal, and the slow twin
of a history, too. "Absent" is 0; enums are their proto numbers; every sum is an
exact int64.

**Fold rows** (kinds of `FOLDED_KINDS`, non-empty `customer_id`)

- `event_time_us`, `ingest_time_us`, `event_key = compute_event_key(tenant, event_id)`,
  `channel` from the envelope.
- `value_minor`: order_placed: `max(0, sum(quantity * unit_price_minor) -
  discount_minor)`; cancel_requested, order_cancelled, return_requested:
  `quantity * unit_price_minor`; else 0.
- `line_count`: number of lines of order_placed; else 0.
- `reason_code`, `embedding`: of cancel_requested, order_cancelled, return_requested.
  An embedding that has not exactly 64 bytes counts as none. `HAS_EMBEDDING`: any
  byte of it is not 0.
- return_requested only: `hold_s = max(0, floor((event_time - base) / 1 s))`, base =
  `delivery_time` if present, else `order_time`; `HAS_HOLD` if there is a base, else
  `hold_s` is 0. `IS_LATE_IN_WINDOW`: `HAS_HOLD`, `return_window_days > 0` and
  `5 * hold_s >= 4 * return_window_days * 86400`. `IS_CROSS_CHANNEL`: `channel` and
  `order_channel` are both specified and differ. `IS_NO_RECEIPT`: not `has_receipt`
  and empty `order_id`. `IS_GIFT_CARD`: `refund_tender` is TENDER_GIFT_CARD.
- order_cancelled: `IS_BY_CUSTOMER` if the initiator is the customer. order_kept:
  `IS_OFFER_TAKEN`. label_set: `IS_ABUSE_CONFIRMED` for ABUSE_CONFIRMED and
  CHARGEBACK, `IS_REVERSAL` from `is_reversal`.

**Request rows** (order_placed, cancel_requested, return_requested; guests, too)

- All: `time_us` = event time, `case_key` = event key, `channel` from the envelope.
- ORDER: `order_time_us = time_us`, `order_channel = channel`,
  `promised_delivery_us`; `value_minor = order_value_minor` = the fold's order value;
  `unit_price_minor` = the greatest of its lines (0 without lines); `discount_minor` =
  order discount + sum of `quantity * unit_discount_minor`; `gift_card_minor`;
  `quantity` = sum over lines, at most 2^31 - 1; `line_count`;
  `multi_variant_line_count` = lines whose non-empty style stands in another line of
  the order, too; `return_window_days`; `tender`; flags `HAS_ORDER`, and `IS_GIFT_CARD`
  if `gift_card_minor > 0` or the tender is TENDER_GIFT_CARD.
- ORDER_LINE: its order's row, but for `call`, and `quantity`, `unit_price_minor`,
  `value_minor = quantity * unit_price_minor` of the line.
- CANCELLATION and RETURN: `order_time_us`, `delivery_time_us`, `quantity`,
  `unit_price_minor`, `value_minor = quantity * unit_price_minor`,
  `return_window_days`, `order_channel`, `reason_code`, `embedding` and
  `HAS_EMBEDDING` as in the fold. All order money and counts are 0.
- CANCELLATION: `delay_s`, `stage`, flag `HAS_ORDER` always.
- RETURN: `tender = refund_tender`; flags `HAS_RECEIPT`, `HAS_ORDER` if `order_id` is not
  empty, `IS_PHOTO_CHECKED`, `IS_VIDEO_PASSED`, `IS_TAG_KNOWN` if `is_tag_on` is present,
  `IS_TAG_ON`, `IS_GIFT_CARD` if `refund_tender` is TENDER_GIFT_CARD.
"""

from features.log.fold_columns import FoldColumns, to_fold_rows
from features.log.request_columns import (
    CASE_KINDS,
    LineColumns,
    RequestColumns,
    to_line_rows,
    to_request_rows,
)

__all__ = [
    "CASE_KINDS",
    "FoldColumns",
    "LineColumns",
    "RequestColumns",
    "to_fold_rows",
    "to_line_rows",
    "to_request_rows",
]
