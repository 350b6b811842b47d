"""Events to the rows of the core: `to_fold_rows`, `to_request_rows`, `to_line_rows`.

The rules in one place. The compiled passes over `EventCells` follow them, the scorer's
conversion of one request must equal them, and the slow twin of the features, too.
"Absent" is 0; enums are their proto numbers; every sum is an exact int64. "Customer",
"sku", "region", ... are fields of the event's payload (of the line, for order lines);
keys, links and members are those of `features.keys`.

**Fold rows: which**

An event makes one row per entity of `FAN_OUT[kind]` that it names, in that order; an
`order_placed` then makes, line by line, one row per entity of `FAN_OUT[ORDER_LINE]`
that the line names. Named is:

- CUSTOMER, ACTIVITY: `customer_id` is not empty.
- SKU, STYLE, SUPPLIER, REGION, STORE: `sku`, `style`, `supplier`, `region`, `store_id`
  is not empty. BATCH: `batch` is not empty; its key names the supplier, too, which may
  be empty.
- DEVICE, ADDRESS, PAYMENT_TOKEN: `device_hash`, `address_hash`, `payment_token_hash` is
  not empty, and `customer_id` is not empty.

Nothing else decides: who cancelled, for example, is for the folds (`IS_BY_CUSTOMER`).

**Fold rows: what they say**

All rows of an event (all rows of a line) are equal but for `entity`.

- All: `event_time_us`, `ingest_time_us`, `event_key`, `channel` from the envelope;
  `member` = the member hash of the customer, 0 for a guest.
- `value_minor`: order_placed: `max(0, sum(quantity * unit_price_minor) -
  discount_minor)`; order line, cancel_requested, order_cancelled, return_requested:
  `quantity * unit_price_minor`; refund_issued: `amount_minor`; price_changed,
  competitor_price_seen: `unit_price_minor`; offer_made, offer_closed: `cost_minor`.
- `amount`: order_placed: `discount_minor + sum(quantity * unit_discount_minor)`;
  return_requested: `hold_s = max(0, floor((event_time - base) / 1 s))`, base =
  `delivery_time` if present, else `order_time` (neither: 0); service_replied:
  `waited_s`; delivery_delayed: `delay_s`; checkout_abandoned: `cart_age_s`;
  return_received: `weight_g`; review_posted: `rating`.
- `order_link`: order line, return_requested: of `order_id`. `return_link`:
  return_requested, return_received, return_inspected: of `return_id`. `style_link`: order
  line, return_requested, size_chart_viewed: of `style`. `store_link`: return_requested: of
  `store_id`.
- `line_count`: order_placed: number of lines; order line: its number, from 0.
  `multi_variant_count`: order_placed: lines with `IS_MULTI_VARIANT`. `weight_g`:
  return_requested: `evidence.weight_g`.
- Kinds with a reason (`reason` of cancel_requested, order_cancelled, return_requested;
  `message` of service_message; `review` of review_posted): `reason_code` = its code;
  `sentiment` and `HAS_SENTIMENT` if its sentiment is present; `embedding`, `embedder` and
  `HAS_EMBEDDING` if it has an embedding of which any byte is not 0.
- `stage`: cancel_requested, order_cancelled. `condition`: return_inspected.

Flags:

- order line: `IS_MULTI_VARIANT` if its style is not empty and stands in another line of
  the order, too; `IS_OCCASION`, `IS_HIGH_RESALE` from `is_occasion_wear`, `is_high_resale`.
- return_requested: `HAS_HOLD` if there is a base; `IS_LATE_IN_WINDOW`: `HAS_HOLD`,
  `return_window_days > 0` and `5 * hold_s >= 4 * return_window_days * 86400`;
  `IS_CROSS_CHANNEL`: `channel` and `order_channel` are both specified and differ;
  `IS_NO_RECEIPT`: not `has_receipt` and empty `order_id`; `IS_GIFT_CARD`: `refund_tender` is
  TENDER_GIFT_CARD; `IS_OCCASION`, `IS_HIGH_RESALE` as for lines; `IS_PHOTO_CHECKED`,
  `IS_VIDEO_PASSED`, `IS_TAG_KNOWN` if `is_tag_on` is present, `IS_TAG_ON`, all of
  `evidence`; `IS_CLAIM_AFTER_DELIVERY`: the reason's code is NOT_DELIVERED and
  `delivery_time` is present.
- order_cancelled: `IS_BY_CUSTOMER` if the initiator is the customer. order_kept:
  `IS_OFFER_TAKEN`. return_inspected: `IS_WRONG_ITEM`, `IS_EMPTY_BOX`. refund_issued:
  `IS_GIFT_CARD` if `tender` is TENDER_GIFT_CARD, `HAS_RETURN` if `return_id` is not empty.
- label_set: `IS_ABUSE_CONFIRMED` for ABUSE_CONFIRMED and CHARGEBACK; `IS_CHARGEBACK`,
  `IS_ABUSE_CLEARED`, `IS_APPEAL_UPHELD` for their kinds; `IS_REVERSAL` from `is_reversal`.
- offer_closed: `IS_OFFER_ACCEPTED`, `IS_OFFER_REFUSED`, `IS_OFFER_EXPIRED` by its result.

**Request rows** (order_placed, cancel_requested, return_requested; guests, too)

- All: `time_us` = event time, `case_key` = event key, `channel` from the envelope,
  `member` = the member hash of the customer, 0 for a guest.
- ORDER: `order_time_us = time_us`, `order_channel = channel`,
  `promised_delivery_us`; `value_minor = order_value_minor` = the fold's order value;
  `unit_price_minor` = the greatest of its lines (0 without lines); `discount_minor` =
  the fold's `amount`; `gift_card_minor`; `quantity` = sum over lines, at most 2^31 - 1;
  `line_count`; `multi_variant_line_count`; `return_window_days`; `tender`; flags
  `HAS_ORDER`, and `IS_GIFT_CARD` if `gift_card_minor > 0` or the tender is
  TENDER_GIFT_CARD. Its product is its dearest line's: of the greatest
  `quantity * unit_price_minor`, the first of equals; `style_link` and
  `product_price_minor` (= `unit_price_minor`) are that line's.
- ORDER_LINE: its order's row, but for `call`, and `quantity`, `unit_price_minor`,
  `value_minor = quantity * unit_price_minor`, `style_link`, `product_price_minor =
  unit_price_minor` of the line; its product is the line's.
- CANCELLATION and RETURN: `order_time_us`, `delivery_time_us`, `quantity`,
  `unit_price_minor`, `value_minor = quantity * unit_price_minor`,
  `product_price_minor = unit_price_minor`, `style_link`, `return_window_days`,
  `order_channel`, `reason_code`; `embedding`, `embedder` and `HAS_EMBEDDING` as in the
  fold. All order money and counts are 0.
- CANCELLATION: `delay_s`, `stage`, flag `HAS_ORDER` always.
- RETURN: `tender = refund_tender`; flags `HAS_RECEIPT`, `HAS_ORDER` if `order_id` is not
  empty, `IS_PHOTO_CHECKED`, `IS_VIDEO_PASSED`, `IS_TAG_KNOWN` if `is_tag_on` is present,
  `IS_TAG_ON`, `IS_GIFT_CARD` if `refund_tender` is TENDER_GIFT_CARD.

**Requests: which entities**

CUSTOMER and ACTIVITY: as for fold rows. SKU, STYLE, SUPPLIER, BATCH: of the case's
product. REGION: `region` of orders (and their lines) and cancellations; a return names
none. STORE: `store_id`. DEVICE, ADDRESS, PAYMENT_TOKEN: by their hashes; a guest's case
names them, too. The key of an entity that is not named is 0.
"""

from features.log.fan_out import FoldRows, to_fold_rows
from features.log.request_columns import CASE_KINDS, RequestRows, to_line_rows, to_request_rows

__all__ = [
    "CASE_KINDS",
    "FoldRows",
    "RequestRows",
    "to_fold_rows",
    "to_line_rows",
    "to_request_rows",
]
