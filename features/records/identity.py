"""The identity record: which customers share a device, an address or a payment token.

A ring of accounts shows as many members, new ones, whose returns and labels add
up. Bounded exactly: of all customers ever seen the 16 least hashes are members.
A hash that once was out can never come back, so every member's totals are whole
and any order of events gives equal bytes.
"""

from __future__ import annotations

import numpy as np

N_MEMBERS = 16

IDENTITY_DTYPE = np.dtype(
    [
        ("is_saturated", "<i8"),  # 1: more than `N_MEMBERS` customers were seen.
        # Ascending by member hash; 0: empty.
        ("member", "<u8", (N_MEMBERS,)),
        ("first_us", "<i8", (N_MEMBERS,)),  # Least event time.
        ("order_count", "<i8", (N_MEMBERS,)),
        ("return_count", "<i8", (N_MEMBERS,)),
        ("abuse_count", "<i8", (N_MEMBERS,)),  # Confirmed, less what was taken back.
    ]
)
"""One shared identity's record in memory; times in microseconds UTC."""
