"""Names of the events: derived from source rows, so every import gives the same ids."""

from __future__ import annotations


def name_order(first_source_row: int) -> str:
    """Return the id of an invoice's `order_placed`.

    >>> name_order(1)
    'order-1'
    """
    return f"order-{first_source_row}"


def name_line(source_row: int) -> str:
    """Return the line id of a sold row; unique in the whole source.

    >>> name_line(3)
    'row-3'
    """
    return f"row-{source_row}"


def name_pair(credit_row: int, purchase_row: int, *, is_cancelled: bool) -> str:
    """Return the id of the event of a credit row and one of its purchases.

    >>> name_pair(142, 7, is_cancelled=False)
    'return-142-7'
    """
    return f"{'cancel' if is_cancelled else 'return'}-{credit_row}-{purchase_row}"


def name_unlinked_return(credit_row: int) -> str:
    """Return the id of a return without order.

    >>> name_unlinked_return(142)
    'return-142'
    """
    return f"return-{credit_row}"
