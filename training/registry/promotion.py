"""Who serves: registers what was trained, promotes, refuses, rolls back. All effects are here.

Every change holds the journal's lock, writes the journal first and moves the link last.
A process killed in between leaves the link where it was, on a whole bundle; the next
change finds that link and journal differ, writes that down, and goes on from the link.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from features.errors import (
    ConfigError,
    HemostatError,
    MissingModelError,
    UntrustedModelError,
)
from features.model_bundle import (
    TrustedKeys,
    load_manifest,
    read_bundle,
    to_rows,
    verify_golden_outputs,
)
from features.model_bundle.signing import read_trusted_keys
from training.onnx_export import open_session, run_model
from training.registry.gate_terms import (
    BARS,
    Candidate,
    Champion,
    Gate,
    GateBars,
    Question,
    list_failed,
)
from training.registry.gates import compute_gates
from training.registry.journal import (
    Action,
    Journal,
    Signature,
    list_champions,
    open_journal,
    read_journal,
)
from training.registry.layout import (
    NAME_LENGTH,
    find_model,
    list_names,
    point_to,
    read_champion,
)
from training.registry.lineage import read_lineage

FIRST_MODEL = "the first model of this folder"
CHAMPION_IS_GONE = "the champion's bundle is gone"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a wish to change who serves.

    Attributes:
        action: What the journal says: `trained`: nothing changed but that there is one more.
        model: The bundle's folder.
        version: Its whole version.
        champion: Who serves now; None: nobody.
        champion_before: Who served before.
        gates: What the gates said; none: they were not asked.
        is_forced: Failed gates were overruled.
        reason: Why, in the words of who asked.
    """

    action: Action
    model: str
    version: str
    champion: str | None
    champion_before: str | None
    gates: tuple[Gate, ...] = ()
    is_forced: bool = False
    reason: str = ""

    @property
    def failed(self) -> list[Gate]:
        """The gates that are not met."""
        return list_failed(self.gates)


def check_registry(out: Path) -> None:
    """Refuse a folder whose link or journal is wrong; call it before the work.

    Raises:
        ConfigError: `current` is no link to a bundle of the folder.
        HemostatError: The journal was tampered with.
    """
    read_champion(out)
    read_journal(out)


def register(
    out: Path,
    model: str,
    signature: Signature,
    *,
    wants_promotion: bool = False,
    bars: GateBars = BARS,
) -> Change:
    """Write down that a bundle was trained; it serves if nobody does, or where it is to.

    The first model of a folder meets no gates, nor one whose champion was removed:
    without it no call would have an answer.

    Args:
        out: Folder of bundles.
        model: The bundle's folder in it, whole.
        signature: Who trained it, and when.
        wants_promotion: Ask the gates at once.
        bars: Of the gates.

    Raises:
        HemostatError: The bundle cannot be read, or the journal was tampered with.
    """
    version = load_manifest(out / model).version
    with open_journal(out) as journal:
        before = _settle(out, journal, signature)
        journal.append("trained", model, signature, version=version, champion_before=before or "")
        if before is None or before not in list_names(out):
            reason = FIRST_MODEL if before is None else CHAMPION_IS_GONE
            return _install(out, journal, "promoted", model, signature, reason=reason)
        if wants_promotion and before != model:
            return _decide(out, journal, model, signature, signature.at, bars, "", False)
    return Change(
        action="trained", model=model, version=version, champion=before, champion_before=before
    )


def promote(
    out: Path,
    wanted: str,
    signature: Signature,
    *,
    as_of: datetime | None = None,
    reason: str = "",
    is_forced: bool = False,
    bars: GateBars = BARS,
) -> Change:
    """Make a challenger the champion, if the gates let it; refusals are journaled, too.

    Args:
        out: Folder of bundles.
        wanted: The challenger's version, or its beginning.
        signature: Who asks, and when.
        as_of: The time that the age of its training data is counted to; None: when asked.
        reason: Why; needed to force.
        is_forced: Overrule failed gates, but for those that no server could live with.
        bars: Of the gates.

    Raises:
        ConfigError: It is champion already, or is forced without a reason.
        MissingModelError: There is no such model.
        HemostatError: The journal was tampered with.
    """
    if is_forced and not reason.strip():
        raise ConfigError(
            "gates are overruled for a reason only",
            field="--reason",
            value="not given",
            expectation="why this model shall serve although gates fail",
            fix="add --reason 'what you know that the gates do not'",
        )
    model = find_model(out, wanted)
    with open_journal(out) as journal:
        if _settle(out, journal, signature) == model:
            raise ConfigError(
                "this model is the champion already",
                field="CHALLENGER",
                value=model,
                expectation="a model that does not serve",
                fix=f"see `hemostat models --bundles {out}`",
            )
        return _decide(
            out, journal, model, signature, as_of or signature.at, bars, reason, is_forced
        )


def roll_back(out: Path, signature: Signature, *, reason: str = "") -> Change:
    """Make the champion before this one champion again; again: the one before that.

    No gate is asked but that a server would load it: going back must work in a bad hour.

    Args:
        out: Folder of bundles.
        signature: Who asks, and when.
        reason: Why.

    Raises:
        ConfigError: There was no champion before that is still here.
        MissingModelError: That one is damaged.
        HemostatError: The journal was tampered with.
    """
    names = set(list_names(out))
    with open_journal(out) as journal:
        before = _settle(out, journal, signature)
        former = [name for name in list_champions(journal.entries)[:-1] if name in names]
        if before is None or not former:
            raise ConfigError(
                "there is no champion to go back to",
                field="--bundles",
                value=str(out),
                expectation="a folder with a champion, and one before it that is still there",
                fix="promote another model: `hemostat models` lists them",
            )
        fault = _find_fault(out / former[-1])
        if fault:
            raise MissingModelError(
                "the champion before this one cannot serve",
                field=str(out / former[-1]),
                value=fault,
                expectation="a whole bundle",
                fix="restore it from a copy, or remove it to go back further",
            )
        return _install(out, journal, "rolled_back", former[-1], signature, reason=reason)


def _settle(out: Path, journal: Journal, signature: Signature) -> str | None:
    """Return the champion; write down where the link and the journal differ."""
    champion = read_champion(out)
    known = list_champions(journal.entries)[-1:]
    if known != ([] if champion is None else [champion]):
        journal.append(
            "found",
            champion or "",
            signature,
            version=_read_version(out, champion),
            champion_before=known[0] if known else "",
            reason="the link was moved by hand, or a change was interrupted; the link counts",
        )
    return champion


def _decide(
    out: Path,
    journal: Journal,
    model: str,
    signature: Signature,
    as_of: datetime,
    bars: GateBars,
    reason: str,
    is_forced: bool,
) -> Change:
    """Ask the gates, then promote or refuse."""
    question = Question(_read_candidate(out / model), _read_former(out), as_of, bars)
    gates = tuple(compute_gates(question))
    failed = list_failed(gates)
    is_overruled = bool(failed) and is_forced and all(gate.can_be_forced for gate in failed)
    if not failed or is_overruled:
        return _install(
            out, journal, "promoted", model, signature,
            reason=reason, is_forced=is_overruled, gates=gates,
        )  # fmt: skip
    before = read_champion(out)
    version = question.manifest.version
    journal.append(
        "refused",
        model,
        signature,
        version=version,
        champion_before=before or "",
        reason=reason,
        gates=gates,
    )
    return Change(
        action="refused",
        model=model,
        version=version,
        champion=before,
        champion_before=before,
        gates=gates,
        reason=reason,
    )


def _install(
    out: Path,
    journal: Journal,
    action: Action,
    model: str,
    signature: Signature,
    *,
    reason: str,
    is_forced: bool = False,
    gates: Sequence[Gate] = (),
) -> Change:
    """Write the journal, then move the link."""
    before = read_champion(out)
    version = _read_version(out, model)
    journal.append(
        action,
        model,
        signature,
        version=version,
        champion_before=before or "",
        reason=reason,
        is_forced=is_forced,
        gates=gates,
    )
    point_to(out, model)
    return Change(
        action=action,
        model=model,
        version=version,
        champion=model,
        champion_before=before,
        gates=tuple(gates),
        is_forced=is_forced,
        reason=reason,
    )


def _read_version(out: Path, model: str | None) -> str:
    try:
        return "" if model is None else load_manifest(out / model).version
    except HemostatError:
        return ""


def _read_candidate(folder: Path) -> Candidate:
    """Return a model as the gates see it.

    Raises:
        MissingModelError: Not even its manifest or its lineage can be read.
        ConfigError: A trusted key that is configured cannot be used.
    """
    trusted = read_trusted_keys()
    try:
        manifest = load_manifest(folder, trusted)
    except UntrustedModelError as error:
        # Its name is all that is used of it: the gates stop at the signature.
        return Candidate(
            manifest=load_manifest(folder, TrustedKeys()),
            lineage=None,
            fault="",
            distrust=f"{error.field}: {error.value}",
            must_be_signed=True,
        )
    return Candidate(
        manifest=manifest,
        lineage=read_lineage(folder),
        fault=_find_fault(folder),
        must_be_signed=trusted.is_configured,
    )


def _read_former(out: Path) -> Champion | None:
    name = read_champion(out)
    if name is None:
        return None
    try:
        return Champion(name, load_manifest(out / name))
    except HemostatError as error:
        return Champion(name, None, error.message)


def _find_fault(folder: Path) -> str:
    """Return why a bundle cannot serve: its name, all its files, the graph's own answers."""
    try:
        bundle = read_bundle(folder)
        if not bundle.manifest.version.startswith(folder.name) or len(folder.name) < NAME_LENGTH:
            return f"it is {bundle.manifest.version[:NAME_LENGTH]} under another model's name"
        outputs = run_model(open_session(bundle.model), to_rows(bundle.manifest.golden))
        verify_golden_outputs(bundle.manifest, outputs)
    except HemostatError as error:
        return f"{error.message}: {error.field} {error.value}"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def sign(by: str, now: datetime) -> Signature:
    """Return who acts and when; without a name, nobody is made up."""
    return Signature(by or "unknown", now.astimezone(UTC))
