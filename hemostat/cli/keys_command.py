"""`hemostat keys`: keys that sign model bundles, and signing a bundle that is there already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from hemostat.cli.output import JsonOption, Output

app = typer.Typer(name="keys")


@dataclass(frozen=True, slots=True)
class KeyReport:
    """A new pair of keys.

    Attributes:
        key_id: What signatures and messages call it.
        private: Signs; for whoever trains.
        public: Verifies; for servers.
    """

    key_id: str
    private: Path
    public: Path


@dataclass(frozen=True, slots=True)
class SignReport:
    """A bundle and who signed it."""

    bundle: Path
    version: str
    key_id: str


@app.callback()
def _group() -> None:
    """Keys that sign model bundles, so that servers refuse bundles of others."""


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Name of the two files, without ending.")],
    out: Annotated[Path, typer.Option(help="Folder for them; not the folder of bundles.")],
    as_json: JsonOption = False,
) -> None:
    """Make a pair of Ed25519 keys: NAME.key.pem signs, NAME.pub.pem verifies.

    Keep the private file where models are trained, readable by its owner only. Give servers the
    public one and name it, or its folder, in HEMOSTAT_TRUSTED_KEYS: from then on they refuse
    every bundle that none of these keys signed.
    """
    from features.errors import ConfigError
    from features.model_bundle.signing import write_key_pair

    if Path(name).name != name or name.startswith("."):
        raise ConfigError(
            "a key's name is no path",
            field="NAME",
            value=name,
            expectation="a file name without ending, such as `trainer`",
            fix="give the folder as --out",
        )
    private, public, key_id = write_key_pair(out, name)
    lines = (
        f"Key {key_id}: {private} (keep it secret), {public}",
        f"Servers: HEMOSTAT_TRUSTED_KEYS={public}",
        f"Next: hemostat train LOG --out BUNDLES --signing-key {private}",
    )
    Output(as_json).show(KeyReport(key_id, private, public), [], text="\n".join(lines))


@app.command("sign")
def sign(
    bundle: Annotated[Path, typer.Argument(help="A bundle, or a folder of them: its champion.")],
    key: Annotated[Path, typer.Option(help="The private key: NAME.key.pem.")],
    as_json: JsonOption = False,
) -> None:
    """Sign a bundle that is there already, after checking that it is whole.

    Whoever signs vouches for it: look at it first. An earlier signature is replaced.
    """
    from features.model_bundle.reading import load_manifest, resolve_bundle
    from features.model_bundle.signing import TrustedKeys, read_signing_key
    from training.bundle_writing import sign_bundle

    folder = resolve_bundle(bundle)
    trust = sign_bundle(folder, read_signing_key(key))
    version = load_manifest(folder, TrustedKeys()).version
    Output(as_json).show(
        SignReport(folder, version, trust.key_id),
        [],
        text=f"{folder} is signed by key {trust.key_id}",
    )
