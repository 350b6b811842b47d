"""A small world to serve: two tenants, their customers and bundles whose answers are known.

Tenant `shop` has live heads:

- `abuse__return`: 0.9 if half of what was ordered in 90 days came back, else 0.05.
- `abuse__order`: 0.9 from ten lines on, else 0.05.
- `cancel__order`, `cancel__cancellation`: 0.4 for a value of 500.00 or more, else 0.05.

Tenant `bazaar` is like Online Retail: its abuse head comes from simulated data
(shadow), and its own head is about order lines: 0.7 from 100.00 on, else 0.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.synthetic import (
    HeadPlan,
    make_history,
    make_stump,
    write_bundle,
    write_store,
)

SHOP = "shop"
BAZAAR = "bazaar"
HONEST = "honest"
RETURNER = "returner"

P_ABUSE, P_HONEST = 0.9, 0.05
P_LEAVE, P_STAY = 0.4, 0.05
P_LINE_DEAR, P_LINE_CHEAP = 0.7, 0.2


@dataclass(frozen=True, slots=True)
class World:
    """Where everything stands.

    Attributes:
        store: The online store; customers `HONEST` and `RETURNER` for both tenants.
        shop_bundles: Folder of bundles with a `current` link.
        bazaar_bundle: One bundle.
        applied_us: Ingest time that the store has applied.
    """

    store: Path
    shop_bundles: Path
    bazaar_bundle: Path
    applied_us: int


def plan_shop(verify_threshold: float = 0.5) -> list[HeadPlan]:
    """Return the heads of `SHOP`."""
    is_returner = make_stump("return_rate_90d", 0.5, P_HONEST, P_ABUSE)
    is_large = make_stump("request_line_count", 10, P_HONEST, P_ABUSE)
    is_dear = make_stump("request_value_minor", 50_000, P_STAY, P_LEAVE)
    return [
        HeadPlan("abuse", "return", is_returner, verify_threshold=verify_threshold),
        HeadPlan("abuse", "order", is_large, verify_threshold=verify_threshold),
        HeadPlan("cancel", "order", is_dear),
        HeadPlan("cancel", "cancellation", is_dear),
    ]


def plan_bazaar() -> list[HeadPlan]:
    """Return the heads of `BAZAAR`."""
    is_returner = make_stump("return_rate_90d", 0.5, P_HONEST, P_ABUSE)
    is_large = make_stump("request_line_count", 10, P_HONEST, P_ABUSE)
    is_dear = make_stump("request_value_minor", 10_000, P_LINE_CHEAP, P_LINE_DEAR)
    return [
        HeadPlan("abuse", "return", is_returner, "simulated", 0.5),
        HeadPlan("abuse", "order", is_large, "simulated", 0.5),
        HeadPlan("return_or_cancel_30d", "order_line", is_dear),
    ]


def build_world(folder: Path, applied_us: int) -> World:
    """Write store and bundles into a folder."""
    histories = {}
    for tenant in (SHOP, BAZAAR):
        for customer, n_returns in ((HONEST, 0), (RETURNER, 6)):
            histories[tenant, customer] = make_history(
                tenant, customer, n_orders=8, n_returns=n_returns, end_us=applied_us
            )
    write_store(folder / "store", histories, applied_us)
    write_bundle(folder / "shop" / "v1", SHOP, plan_shop())
    (folder / "shop" / "current").symlink_to("v1")
    write_bundle(folder / "bazaar", BAZAAR, plan_bazaar())
    return World(folder / "store", folder / "shop", folder / "bazaar", applied_us)
