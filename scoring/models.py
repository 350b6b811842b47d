"""The models of all tenants, and their replacement when a bundle is promoted or rolled back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.errors import ConfigError, MissingModelError
from features.model_bundle import MANIFEST_FILE, SIGNATURE_FILE, load_manifest, resolve_bundle
from scoring.metrics import ScoringMetrics
from scoring.model import Model, load_model
from scoring.scorer import VERSION_LENGTH
from scoring.watching import Watched


@dataclass(frozen=True, slots=True)
class BundlePlace:
    """Where a tenant's bundles stand: one bundle, or a folder of them with a `current` link."""

    tenant: str
    path: Path


def parse_bundles(words: Sequence[str]) -> tuple[BundlePlace, ...]:
    """Return the places that `--bundle` options name: `PATH` or `TENANT=PATH`.

    Raises:
        MissingModelError: There is no bundle at a path.
        ConfigError: Two options are for one tenant, or a bundle is another tenant's.
    """
    places: dict[str, BundlePlace] = {}
    for word in words:
        tenant, separator, path = word.rpartition("=")
        trained_for = load_manifest(Path(path)).tenant
        if separator and tenant != trained_for:
            raise _describe_other_tenant(tenant, trained_for)
        if trained_for in places:
            raise ConfigError(
                "two bundles for one tenant",
                field="bundle",
                value=trained_for,
                expectation="one bundle, or folder of bundles, per tenant",
                fix="leave one out",
            )
        places[trained_for] = BundlePlace(trained_for, Path(path))
    return tuple(places.values())


class Models:
    """The model in force of each tenant.

    Args:
        places: From `parse_bundles`.
        metrics: Shows which version is in force.

    Raises:
        MissingModelError: A bundle cannot be used.
        SchemaMismatchError: A bundle was trained with other features.
    """

    def __init__(self, places: Sequence[BundlePlace], metrics: ScoringMetrics) -> None:
        self._metrics = metrics
        self._watched = {place.tenant: _watch(place, metrics) for place in places}
        self._publish()

    @property
    def in_force(self) -> Mapping[str, Model]:
        """The models by tenant; a new mapping after each reload."""
        return self._in_force

    @property
    def line_tenants(self) -> frozenset[str]:
        """Tenants whose order lines are scored, too."""
        return self._line_tenants

    async def refresh(self) -> None:
        """Take over bundles that were promoted or rolled back since."""
        changed = [await watched.refresh() for watched in self._watched.values()]
        if any(changed):
            self._publish()

    def _publish(self) -> None:
        self._in_force = {tenant: watched.value for tenant, watched in self._watched.items()}
        self._line_tenants = frozenset(t for t, m in self._in_force.items() if m.has_line_heads)
        for tenant, model in self._in_force.items():
            self._metrics.model.labels(tenant).info({"version": model.version[:VERSION_LENGTH]})


def _watch(place: BundlePlace, metrics: ScoringMetrics) -> Watched[Model]:
    return Watched(
        "bundle",
        read_stamp=lambda: _read_stamp(place.path),
        load=lambda: _load(place),
        describe=lambda model: model.version[:VERSION_LENGTH],
        metrics=metrics,
    )


def _read_stamp(path: Path) -> object:
    """Return which bundle a place names now, and which state of it."""
    folder = resolve_bundle(path)
    stamps: list[object] = [folder]
    for name in (MANIFEST_FILE, SIGNATURE_FILE):
        try:
            status = (folder / name).stat()
        except FileNotFoundError:
            stamps.append(None)
            continue
        stamps.append((status.st_mtime_ns, status.st_ino, status.st_size))
    return tuple(stamps)


def _load(place: BundlePlace) -> Model:
    try:
        model = load_model(place.path)
    except OSError as error:
        raise MissingModelError(
            "the model bundle cannot be read",
            field="bundle",
            value=str(place.path),
            expectation=error.strerror or "a readable folder",
            fix="restore the bundle, or run `hemostat train` again",
        ) from error
    if model.manifest.tenant != place.tenant:
        raise _describe_other_tenant(place.tenant, model.manifest.tenant)
    return model


def _describe_other_tenant(tenant: str, trained_for: str) -> ConfigError:
    return ConfigError(
        "the bundle was trained for another tenant",
        field="bundle",
        value=trained_for,
        expectation=tenant,
        fix="train one on this tenant's log, or name the bundle's own tenant",
    )
