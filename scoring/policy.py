"""The policy: what operations decide without a release, as one validated YAML file.

Caps, thresholds, tiers, checks and the words of reasons. Where things run is not
policy (see `settings`), and what was learned is not either (see the bundle).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from features.definitions import FEATURE_NAMES
from features.errors import ConfigError
from features.request_rows import Call
from features.rfm import RfmScale, RfmTable
from features.spelling import suggest
from features.strict_yaml import parse_yaml
from scoring.evaluation_rules import EvaluationRules
from scoring.heads import HEAD_NAMES, TARGETS
from scoring.policy_section import Section

DEFAULT_POLICY = Path(__file__).parent / "policies" / "default.yaml"

BASIS_POINTS = 10_000
PERCENT = 100

CaseCall = Literal["order", "cancellation", "return"]
StoreDownHint = Literal["MODEL", "APPROVE", "VERIFY"]


def _check_whole_basis_points(share: Decimal) -> Decimal:
    if share * BASIS_POINTS % 1:
        raise PydanticCustomError("basis_points", "at most four decimal places")
    return share


Share = Annotated[Decimal, Field(ge=0, le=1), AfterValidator(_check_whole_basis_points)]
"""A share in [0, 1] of at most four decimals, so that money is computed in integers."""

AuditShare = Annotated[
    Decimal, Field(ge=0, le=Decimal("0.2")), AfterValidator(_check_whole_basis_points)
]
"""A share of cases that cost somebody a look and tell no model anything new by themselves."""

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Text(Section):
    """One text for clerks and customers, in English and Simplified Chinese."""

    en: str = Field(min_length=1)
    zh_cn: str = Field(min_length=1)


class VerifyRules(Section):
    """When the hint is `VERIFY`.

    Attributes:
        targets: Whose heads may say so.
        thresholds: By head, e.g. `abuse__return`; a head not named here has its bundle's.
        store_down_hint: What to say while the store does not answer for a customer:
            `MODEL` (what the request alone gives), `APPROVE` or `VERIFY`.
        audit_share: Share of approved returns and cancel clicks that are audited
            silently, at most a fifth; see `scoring.audit_draw`.
    """

    targets: frozenset[str]
    thresholds: dict[str, Probability]
    store_down_hint: dict[CaseCall, StoreDownHint]
    audit_share: AuditShare = Decimal("0.01")

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        _check_known("target", self.targets, TARGETS)
        _check_known("head", self.thresholds, HEAD_NAMES)
        _check_all_calls("store_down_hint", self.store_down_hint)
        return self


class TierCaps(Section):
    """Most that may be spent on one case, minor units, by tier."""

    high: int = Field(ge=0)
    ordinary: int = Field(ge=0)
    new: int = Field(ge=0)


class Scale(Section):
    """One scale of the RFM table; see `features.rfm.RfmScale`."""

    weight_percent: int = Field(ge=0, le=PERCENT)
    steps: list[tuple[float, Annotated[int, Field(ge=0, le=100)]]] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        bounds = [bound for bound, _ in self.steps]
        if bounds != sorted(set(bounds)):
            raise PydanticCustomError("steps", "bounds must ascend")
        return self


class Rfm(Section):
    """The RFM table."""

    recency_days: Scale
    order_count_365d: Scale
    net_value_365d_minor: Scale

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        total = sum(
            scale.weight_percent
            for scale in (self.recency_days, self.order_count_365d, self.net_value_365d_minor)
        )
        if total != PERCENT:
            raise PydanticCustomError(
                "weights", "weight_percent adds up to {total}, not 100", {"total": total}
            )
        return self

    def to_table(self) -> RfmTable:
        """Return the table as the core wants it."""
        return RfmTable(
            *(
                RfmScale(scale.weight_percent, tuple(scale.steps))
                for scale in (self.recency_days, self.order_count_365d, self.net_value_365d_minor)
            )
        )


class BudgetRules(Section):
    """What may be spent to keep a customer.

    Attributes:
        margin_share_cap: Share of the case's gross margin.
        default_margin: Gross margin over value where a unit cost is missing.
        keep_threshold: Below this P(cancel) the customer would stay anyway: nothing.
        high_tier_above: RFM score above which a customer is of the high tier.
        tier_caps_minor: Absolute caps.
        rfm: The table behind the score.
    """

    margin_share_cap: Share
    default_margin: Share
    keep_threshold: Probability
    high_tier_above: float = Field(ge=0, le=100)
    tier_caps_minor: TierCaps
    rfm: Rfm


class CallChecks(Section):
    """The single check that a `VERIFY` asks for.

    Attributes:
        default: If no reason names a better one.
        by_reason: By reason; the strongest reason that stands here decides.
    """

    default: Text
    by_reason: dict[str, Text]


class ReasonRule(Section):
    """One reason: which features speak for it, and its words.

    Attributes:
        features: Their contributions are added up.
        text: Its words; the code is the rule's name.
        text_high: Words if the strongest feature is above the typical customer's;
            the code then ends in `_HIGH`.
        text_low: The same for below, `_LOW`.
    """

    features: tuple[str, ...]
    text: Text
    text_high: Text | None = None
    text_low: Text | None = None

    @model_validator(mode="after")
    def _check_features(self) -> Self:
        _check_known("feature", self.features, FEATURE_NAMES)
        return self


class PolicyRules(Section):
    """The content of a policy file.

    Attributes:
        version: The author's name for this state of the file.
        staleness_limit_s: An answer is `STALE` if the customer's shard lags more.
        verify: When to verify.
        budget: What may be spent.
        checks: What to check, by call.
        reasons: By reason code.
        other_reason: Words for features that no reason names; its code is `OTHER`.
        evaluation: How models are judged; nothing that is answered depends on it.
    """

    version: str = Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")
    staleness_limit_s: float = Field(gt=0)
    verify: VerifyRules
    budget: BudgetRules
    checks: dict[CaseCall, CallChecks]
    reasons: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{2,40}$")], ReasonRule]
    other_reason: Text
    evaluation: EvaluationRules = EvaluationRules()

    @model_validator(mode="after")
    def _check_across_sections(self) -> Self:
        _check_all_calls("checks", self.checks)
        for call_checks in self.checks.values():
            _check_known("reason", call_checks.by_reason, self.reasons)
        named = [feature for rule in self.reasons.values() for feature in rule.features]
        if twice := sorted({feature for feature in named if named.count(feature) > 1}):
            raise PydanticCustomError(
                "feature_twice", "feature `{name}` stands in two reasons", {"name": twice[0]}
            )
        return self


@dataclass(frozen=True, eq=False)
class Policy:
    """A loaded policy, with what is derived from it once.

    Attributes:
        version: The file's own version and a hash of its bytes, so that an edit
            without a new version does not go unnoticed.
        rules: The content.
        rfm: The RFM table.
        margin_share_cap_bp: Basis points.
        default_margin_bp: Basis points.
        audit_share_bp: Basis points.
    """

    version: str
    rules: PolicyRules
    rfm: RfmTable
    margin_share_cap_bp: int
    default_margin_bp: int
    audit_share_bp: int

    def get_store_down_hint(self, call: Call) -> StoreDownHint:
        """Return what to say at a call while the store is down."""
        return self.rules.verify.store_down_hint[to_case_call(call)]

    def get_checks(self, call: Call) -> CallChecks:
        """Return the checks of a call."""
        return self.rules.checks[to_case_call(call)]


def to_case_call(call: Call) -> CaseCall:
    """Return the policy's name of a call; an order line belongs to its order."""
    if call is Call.CANCELLATION:
        return "cancellation"
    return "return" if call is Call.RETURN else "order"


def load_policy(path: Path = DEFAULT_POLICY) -> Policy:
    """Return the policy of a file.

    Raises:
        ConfigError: It cannot be read, is no YAML, or breaks a rule; names the key.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            "the policy cannot be read",
            field="policy",
            value=str(path),
            expectation=error.strerror or "a readable file",
            fix="correct --policy, or leave it out for the default policy",
        ) from error
    return parse_policy(content, str(path))


def parse_policy(content: bytes, name: str) -> Policy:
    """Return the policy of a file's content; `name` stands in error messages.

    Raises:
        ConfigError: It is no YAML or breaks a rule; names the key.
    """
    try:
        rules = PolicyRules.model_validate(parse_yaml(content))
    except yaml.YAMLError as error:
        raise _describe_bad_yaml(error, name) from error
    except ValidationError as error:
        raise _describe_violation(error, name) from error
    return Policy(
        version=f"{rules.version}+{hashlib.sha256(content).hexdigest()[:8]}",
        rules=rules,
        rfm=rules.budget.rfm.to_table(),
        margin_share_cap_bp=int(rules.budget.margin_share_cap * BASIS_POINTS),
        default_margin_bp=int(rules.budget.default_margin * BASIS_POINTS),
        audit_share_bp=int(rules.verify.audit_share * BASIS_POINTS),
    )


def _check_known(what: str, names: Any, known: Any) -> None:
    for name in names:
        if name not in known:
            raise PydanticCustomError(
                "unknown_name",
                "no {what} `{name}`; {hint}",
                {"what": what, "name": name, "hint": suggest(name, known)},
            )


def _check_all_calls(section: str, by_call: Mapping[CaseCall, object]) -> None:
    calls: tuple[CaseCall, ...] = ("order", "cancellation", "return")
    for call in calls:
        if call not in by_call:
            raise PydanticCustomError(
                "missing_call", "{section} has no `{call}`", {"section": section, "call": call}
            )


def _describe_bad_yaml(error: yaml.YAMLError, name: str) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    where = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return ConfigError(
        "the policy is not valid YAML",
        field=f"{name}{where}",
        value=str(getattr(error, "problem", None) or error),
        expectation="YAML with each key once",
        fix="correct that line",
    )


def _describe_violation(error: ValidationError, name: str) -> ConfigError:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"] if part != "[key]")
    shown = first["input"]
    return ConfigError(
        f"the policy {name} is refused",
        field=place or "(the whole file)",
        value="" if isinstance(shown, Mapping | BaseModel) else repr(shown)[:60],
        expectation=first["msg"],
        fix="correct that key; a running server keeps its last good policy",
    )
