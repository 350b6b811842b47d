"""What may be set in a simulation: one frozen, typed configuration.

All durations say their unit. Everything else that shapes the world (tables of
categories, agent types, texts) is data in the modules of this package; sources
and choices stand in `docs/SIMULATION.md`.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.simulation.patterns import Pattern

US_PER_S: Final = 1_000_000
US_PER_MINUTE: Final = 60 * US_PER_S
US_PER_HOUR: Final = 3_600 * US_PER_S
US_PER_DAY: Final = 86_400 * US_PER_S

SHOP_UTC_OFFSET: Final = dt.timezone(dt.timedelta(hours=8))
"""The shop's wall clock; its days and hours are meant so (no summer time)."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LabelSettings(_Settings):
    """Who checks cases, how well, and how long it takes (all chosen)."""

    audit_share: Share = 0.06
    """Share of returns verified (and clicks checked) by lot, whatever they look like. The
    customer notices."""
    silent_audit_share: Share = 0.01
    """Share of approved returns and of clicks that are looked at by a second lot. Nobody but
    the staff learns of it: what it finds changes nothing for the customer."""
    referral_scale: float = Field(default=1.0, ge=0.0)
    """Scales how readily an odd-looking return is referred for a check. 0: audits only."""
    delay_median_days: Positive = 9.0
    """Median time from the goods' inspection (or the click) to the verdict, plus one day."""
    delay_sigma: float = Field(default=0.7, ge=0.0)
    """Log standard deviation of that delay."""
    sensitivity: Share = 0.8
    """Share of checked abuse that a check recognises, all checkers together."""
    specificity: Share = 0.98
    """Share of honest checked cases that a check clears, all checkers together."""
    appeal_share: Share = 0.6
    """Wrongly confirmed cases whose appeal is upheld later."""
    closing_verdicts: int = Field(default=2, ge=0)
    """Confirmed returns after which an account is closed; its customer comes back under a
    new one. 0: accounts stay open."""


class OfferSettings(_Settings):
    """How the simulated shop answers a cancel click or a return."""

    no_offer_share: Share = 0.5
    """Probability that no offer is made, equal for every click, so that the cases
    without an offer are a fair sample."""
    return_offer_share: Share = 0.08
    """Probability of an offer for a return whose order is found and that is not verified."""


class IngestSettings(_Settings):
    """How facts reach the log (all chosen)."""

    delay_median_s: Positive = 8.0
    """Median time from event to ingest in the own channels; marketplaces: ten times that."""
    late_share: Share = 0.004
    """Events that come days late."""
    late_max_days: float = Field(default=21.0, ge=1.0, le=29.0)
    """Longest lateness; the stream accepts up to 30 days."""
    duplicate_share: Share = 0.002
    """Events that are told twice."""


class CustomerOverride(_Settings):
    """A what-if: one customer's parameter set to a value.

    Attributes:
        customer: Index of the customer, from 0.
        parameter: Field of `population.Profile`, e.g. `orders_per_year`.
        value: Its new value.
    """

    customer: int = Field(ge=0)
    parameter: str
    value: float


class PriceOverride(_Settings):
    """A what-if: the price of a style, or of one SKU, scaled from a day on.

    Attributes:
        style: Its place of the shelf, from 0; the style that is there on the first day of the
            new price. None: the SKU says it.
        sku: SKU as written into events. Empty: all of the style.
        from_day: First day of the new price, from the start.
        factor: New price over old, e.g. 0.8.
    """

    style: int | None = Field(default=None, ge=0)
    sku: str = ""
    from_day: int = Field(ge=0)
    factor: float = Field(gt=0.0, le=10.0)

    @model_validator(mode="after")
    def _check_subject(self) -> PriceOverride:
        if (self.style is None) is (self.sku == ""):
            raise ValueError("a price override names either a style or a SKU")
        return self


class CarrierDelay(_Settings):
    """A what-if: a carrier takes longer from a day on.

    Attributes:
        carrier: Name as written into shipments.
        from_day: First day on which parcels leave that take longer.
        until_day: First day on which they no longer do. None: for good.
        delay_days: Added to each parcel's way.
    """

    carrier: str = Field(min_length=1)
    from_day: int = Field(ge=0)
    until_day: int | None = None
    delay_days: float = Field(gt=0.0, le=60.0)


class PolicyChange(_Settings):
    """A what-if: the shop's terms from a day on; None leaves a term as it was.

    Attributes:
        from_day: First day of the new terms.
        return_window_days: For orders placed from then on.
        no_offer_share: For cancel clicks from then on.
    """

    from_day: int = Field(ge=0)
    return_window_days: int | None = Field(default=None, ge=7, le=365)
    no_offer_share: Share | None = None


class StockSettings(_Settings):
    """How much lies on the shelf (chosen)."""

    is_limited: bool = True
    """False: nothing ever sells out, so customers never touch each other."""
    cover: Positive = 1.0
    """Factor on the demand that is kept in stock; 0.5 sells out often."""


class PatternStart(_Settings):
    """Drift: a pattern that nobody knows before a day."""

    pattern: Pattern
    from_day: int = Field(ge=0)


class SimulationConfig(_Settings):
    """One world. Equal configurations give equal bytes.

    Memory and time grow with customers x days; 3,000 customers over 548 days
    give about 100,000 events.
    """

    seed: int = Field(default=7, ge=0, lt=2**64)
    tenant: str = Field(default="demo", min_length=1, max_length=100)
    n_customers: int = Field(default=3_000, ge=1, le=10_000_000)
    days: int = Field(default=548, ge=1, le=36_500)
    start: dt.date = Field(
        default=dt.date(2024, 1, 1), ge=dt.date(1990, 1, 1), le=dt.date(2060, 1, 1)
    )
    """First day, by the shop's clock (UTC+8)."""
    n_styles: int = Field(default=180, ge=13, le=100_000)
    return_window_days: int = Field(default=30, ge=7, le=365)
    abuser_scale: float = Field(default=1.0, ge=0.0, le=10.0)
    """Scales the share of customers who abuse."""
    chinese_share: Share = 0.7
    """Customers who write Chinese; the others write English."""
    new_template_from_day: int = Field(default=384, ge=0)
    """Day from which further wordings of reasons are in use."""
    ring_scale: float = Field(default=1.0, ge=0.0, le=20.0)
    """Scales the share of rings of accounts."""
    promotion_scale: float = Field(default=1.0, ge=0.0, le=3.0)
    """Scales how deep promotions go and how much more they sell."""
    dissatisfaction_scale: float = Field(default=1.0, ge=0.0, le=5.0)
    """Scales how often honest customers change their mind."""
    fashion_scale: float = Field(default=1.0, gt=0.0, le=10.0)
    """Scales the demand for goods in body sizes against all other goods."""
    labels: LabelSettings = LabelSettings()
    offers: OfferSettings = OfferSettings()
    ingest: IngestSettings = IngestSettings()
    stock: StockSettings = StockSettings()
    pattern_starts: tuple[PatternStart, ...] = ()
    customer_overrides: tuple[CustomerOverride, ...] = ()
    price_overrides: tuple[PriceOverride, ...] = ()
    carrier_delays: tuple[CarrierDelay, ...] = ()
    policy_changes: tuple[PolicyChange, ...] = ()

    @model_validator(mode="after")
    def _check_overrides(self) -> SimulationConfig:
        for customer in self.customer_overrides:
            if customer.customer >= self.n_customers:
                raise ValueError(f"customer {customer.customer} of {self.n_customers} overridden")
        for price in self.price_overrides:
            if price.style is not None and price.style >= self.n_styles:
                raise ValueError(f"style {price.style} of {self.n_styles} overridden")
        return self

    @property
    def start_us(self) -> int:
        """Midnight of the first day by the shop's clock, microseconds UTC."""
        midnight = dt.datetime.combine(self.start, dt.time(), SHOP_UTC_OFFSET)
        return int(midnight.timestamp()) * US_PER_S

    @property
    def end_us(self) -> int:
        """End of the horizon; nothing is ingested at or after it."""
        return self.start_us + self.days * US_PER_DAY
