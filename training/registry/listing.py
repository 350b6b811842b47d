"""What stands in a folder of bundles: each model with its figures, its lineage and its part."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from features.errors import HemostatError, UntrustedModelError
from features.model_bundle import HeadMetrics, load_manifest
from features.model_bundle.reading import read_trust
from training.registry.journal import Entry, list_champions, read_journal
from training.registry.layout import list_names, read_champion
from training.registry.lineage import Lineage, read_lineage

Part = Literal["champion", "former", "challenger"]


class HeadFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A head and how it did on later cases; None: too few of them."""

    head: str
    metrics: HeadMetrics | None


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A model of the folder.

    Attributes:
        model: Its folder.
        part: `champion` serves, `former` served and can be gone back to, `challenger`: neither.
        version: Its whole version; empty: its manifest cannot be read.
        fault: Why it cannot be read.
        tenant: Whose cases it is for.
        signature: `trusted`; without trusted keys `unchecked` or `unsigned`; empty: refused.
        signed_by: Id of the key that signed it; empty: none.
        created_at: When it was written.
        parent: Who was champion when it was trained; empty: nobody, or not known.
        heads: Its heads.
        lineage: Where it comes from; None: not recorded.
    """

    model: str
    part: Part
    version: str = ""
    fault: str = ""
    tenant: str = ""
    signature: str = ""
    signed_by: str = ""
    created_at: str = ""
    parent: str = ""
    heads: tuple[HeadFigures, ...] = ()
    lineage: Lineage | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of bundles.

    Attributes:
        champion: Who serves; None: nobody.
        models: All of them: the champion, former champions, then the newest challenger first.
        journal: All lines.
        note: Where the link and the journal differ; empty: they do not.
    """

    champion: str | None
    models: tuple[ModelEntry, ...]
    journal: tuple[Entry, ...]
    note: str = ""


_ORDER: tuple[Part, ...] = ("champion", "former", "challenger")


def list_models(out: Path) -> Listing:
    """Return all models of a folder, and its journal.

    Raises:
        MissingModelError: There is no folder of bundles.
        HemostatError: The journal was tampered with.
    """
    names = list_names(out)
    champion = read_champion(out)
    entries = read_journal(out)
    known = list_champions(entries)
    former = set(known) - {champion}
    models = []
    for name in names:
        part: Part = "former" if name in former else "challenger"
        models.append(_read_entry(out, name, "champion" if name == champion else part, entries))
    models.sort(key=lambda one: one.created_at, reverse=True)
    models.sort(key=lambda one: _ORDER.index(one.part))
    return Listing(
        champion=champion,
        models=tuple(models),
        journal=tuple(entries),
        note=_tell_difference(champion, known, names),
    )


def _tell_difference(champion: str | None, known: list[str], names: list[str]) -> str:
    if champion is not None and champion not in names:
        return f"the champion {champion} is not here: promote another model, or restore it"
    if known[-1:] == ([] if champion is None else [champion]):
        return ""
    told = known[-1] if known else "nobody"
    return (
        f"the journal says that {told} serves, the link says {champion or 'nobody'}; the link "
        "counts, and the next change writes it down"
    )


def _read_entry(out: Path, name: str, part: Part, entries: list[Entry]) -> ModelEntry:
    parents = [
        one.champion_before for one in entries if one.action == "trained" and one.model == name
    ]
    try:
        manifest = load_manifest(out / name)
        trust = read_trust(out / name)
        lineage = read_lineage(out / name)
    except HemostatError as error:
        return ModelEntry(model=name, part=part, fault=_tell_fault(error))
    return ModelEntry(
        model=name,
        part=part,
        version=manifest.version,
        tenant=manifest.tenant,
        signature=trust.state,
        signed_by=trust.key_id,
        created_at=manifest.created_at,
        parent=parents[0] if parents else "",
        heads=tuple(HeadFigures(head=one.name, metrics=one.metrics) for one in manifest.heads),
        lineage=lineage,
    )


def _tell_fault(error: HemostatError) -> str:
    is_signature = isinstance(error, UntrustedModelError)
    return f"{error.message}: {error.value}" if is_signature else error.message
