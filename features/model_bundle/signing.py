"""Who made a bundle: an Ed25519 signature beside its manifest, and the keys that are trusted.

`manifest.sig` signs the exact bytes of `manifest.json`; these hold the checksums of every
other file that is read, so one signature covers the whole bundle. What the signature cannot
tell: that a bundle is the newest one. An older bundle of the same hand passes, too; the
registry's journal is what tells of it.

Keys are files outside the registry: the private one where models are trained, the public
ones where they are served. `HEMOSTAT_TRUSTED_KEYS` names the latter, files or folders,
separated by `:`. With it, a bundle without a good signature is refused wherever bundles
are loaded. Without it every whole bundle is accepted, as on a laptop.

Ed25519: RFC 8032, by `cryptography`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from features.errors import ConfigError, MissingModelError, UntrustedModelError

SIGNATURE_FILE = "manifest.sig"
TRUSTED_KEYS_VARIABLE = "HEMOSTAT_TRUSTED_KEYS"
PUBLIC_SUFFIX = ".pub.pem"
"""How files of public keys end; a folder of trusted keys holds such files."""

_ALGORITHM: Final = "ed25519"
_MAX_SIGNATURE_BYTES = 4096
_SIGN = "sign it with `hemostat keys sign BUNDLE --key FILE` where the trusted key is kept"
_DISTRUST = "do not use it: ask who wrote it, then train or sign it again"


class ManifestSignature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `manifest.sig` holds.

    Attributes:
        algorithm: Always `ed25519`.
        key_id: First 16 hexadecimal digits of the SHA-256 of the raw public key.
        signature: 64 bytes, Base64.
    """

    algorithm: Literal["ed25519"]
    key_id: str
    signature: str


@dataclass(frozen=True)
class TrustedKeys:
    """Public keys by id. None at all: nobody asked for signatures."""

    by_id: Mapping[str, Ed25519PublicKey] = field(default_factory=dict)

    @property
    def is_configured(self) -> bool:
        """Whether bundles must be signed."""
        return bool(self.by_id)


@dataclass(frozen=True)
class SigningKey:
    """A private key with the id of its public one."""

    key_id: str
    private: Ed25519PrivateKey = field(repr=False)

    def sign(self, manifest: bytes) -> bytes:
        """Return the content of `manifest.sig` for the exact bytes of a manifest."""
        signature = ManifestSignature(
            algorithm=_ALGORITHM,
            key_id=self.key_id,
            signature=base64.b64encode(self.private.sign(manifest)).decode(),
        )
        return msgspec.json.encode(signature) + b"\n"


@dataclass(frozen=True)
class Trust:
    """What is known of who made a bundle.

    Attributes:
        state: `trusted`: signed by a trusted key. `unchecked`: signed, but no keys are
            configured. `unsigned`: not signed, and no keys are configured.
        key_id: Whose signature; empty: none.
    """

    state: Literal["trusted", "unchecked", "unsigned"]
    key_id: str = ""

    @property
    def warning(self) -> str:
        """What to tell whoever loads the bundle; empty: nothing."""
        if self.state == "trusted":
            return ""
        return f"the bundle's signature was not asked for: set {TRUSTED_KEYS_VARIABLE}"


def compute_key_id(key: Ed25519PublicKey) -> str:
    """Return a key's short name: 16 hexadecimal digits of the hash of its 32 bytes."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def verify_signature(folder: Path, manifest: bytes, trusted: TrustedKeys) -> Trust:
    """Return who signed a manifest, if that is somebody trusted.

    Args:
        folder: The bundle's, symlinks resolved; its signature is read here.
        manifest: The bytes that were read and are going to be used.
        trusted: Whose signatures are accepted; none configured: any, and none at all.

    Raises:
        UntrustedModelError: Keys are configured, and the bundle is not signed by one of
            them, or it is not what was signed.
    """
    content = _read_signature(folder)
    if not trusted.is_configured:
        found = None if content is None else _decode_leniently(content)
        return Trust("unsigned") if found is None else Trust("unchecked", found.key_id)
    if content is None:
        raise _distrust("no signature", "a bundle signed by a trusted key", _SIGN)
    try:
        signature = msgspec.json.decode(content, type=ManifestSignature)
        raw = base64.b64decode(signature.signature, validate=True)
    except (msgspec.DecodeError, binascii.Error, ValueError) as error:
        raise _distrust(
            "a signature that cannot be read", "an Ed25519 signature as hemostat writes it"
        ) from error
    key = trusted.by_id.get(signature.key_id)
    if key is None:
        raise _distrust(
            f"key {signature.key_id[:16]!r}", f"one of {', '.join(sorted(trusted.by_id))}", _SIGN
        )
    try:
        key.verify(raw, manifest)
    except InvalidSignature as error:
        raise _distrust(
            f"not what key {signature.key_id} signed", "the manifest as it was signed"
        ) from error
    return Trust("trusted", signature.key_id)


def read_trusted_keys(variables: Mapping[str, str] | None = None) -> TrustedKeys:
    """Return the keys that `HEMOSTAT_TRUSTED_KEYS` names; not set or empty: none.

    Read anew at each load: a key that was taken out of the folder no longer counts.

    Args:
        variables: The environment; None: the process's own.

    Raises:
        ConfigError: A file named cannot be read or is no public Ed25519 key, or a folder
            named holds none: a mistake here must not make a server accept anything.
    """
    words = (os.environ if variables is None else variables).get(TRUSTED_KEYS_VARIABLE, "")
    keys = {}
    for word in filter(None, words.split(os.pathsep)):
        path = Path(word)
        files = sorted(path.glob(f"*{PUBLIC_SUFFIX}")) if path.is_dir() else [path]
        if not files:
            raise _refuse_key(path, f"no file *{PUBLIC_SUFFIX} in it", "public keys")
        for file in files:
            key = _read_public_key(file)
            keys[compute_key_id(key)] = key
    return TrustedKeys(keys)


def read_signing_key(path: Path) -> SigningKey:
    """Return the private key of a file.

    Raises:
        ConfigError: It cannot be read, or is no private Ed25519 key without password.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise _refuse_key(path, error.strerror or "unreadable", "a readable file") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _refuse_key(
            path, "no private key, or one with a password", "a private key"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _refuse_key(path, "another kind of key", "a private Ed25519 key")
    return SigningKey(compute_key_id(key.public_key()), key)


def write_key_pair(folder: Path, name: str) -> tuple[Path, Path, str]:
    """Make a new key and write both its files; what exists is never overwritten.

    Args:
        folder: Where to; made, for its owner only, if it does not exist.
        name: Of the files, without ending.

    Returns:
        The private file (readable by its owner only), the public file, and the key's id.

    Raises:
        ConfigError: A file is there already, or the folder cannot be written.
    """
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    paths = (folder / f"{name}.key.pem", folder / f"{name}{PUBLIC_SUFFIX}")
    contents = (
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )
    taken = next((path for path in paths if path.exists()), None)
    if taken is not None:
        raise _refuse_key(taken, "there already", "a name that is free")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, content, mode in zip(paths, contents, (0o600, 0o644), strict=True):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
    except OSError as error:
        raise _refuse_key(folder, error.strerror or str(error), "a folder to write to") from error
    return paths[0], paths[1], compute_key_id(public)


def _read_signature(folder: Path) -> bytes | None:
    """Return the signature's content; None: there is none. Never more than a page of it."""
    path = folder / SIGNATURE_FILE
    try:
        with path.open("rb") as file:
            return file.read(_MAX_SIGNATURE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MissingModelError(
            "the bundle's signature cannot be read",
            field=SIGNATURE_FILE,
            value=error.strerror or "unreadable",
            expectation="a readable file",
            fix="restore the bundle from a copy",
        ) from error


def _decode_leniently(content: bytes) -> ManifestSignature | None:
    try:
        return msgspec.json.decode(content, type=ManifestSignature)
    except msgspec.DecodeError:
        return None


def _read_public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise _refuse_key(path, error.strerror or "unreadable", "a readable file") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _refuse_key(path, "no public key", "a public key, PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _refuse_key(path, "another kind of key", "a public Ed25519 key")
    return key


def _distrust(value: str, expectation: str, fix: str = _DISTRUST) -> UntrustedModelError:
    return UntrustedModelError(
        "the model bundle is not trusted",
        field=SIGNATURE_FILE,
        value=value,
        expectation=expectation,
        fix=fix,
    )


def _refuse_key(path: Path, value: str, expectation: str) -> ConfigError:
    return ConfigError(
        "a key cannot be used",
        field=str(path),
        value=value,
        expectation=expectation,
        fix="make a pair with `hemostat keys create NAME --out FOLDER`, and trust its "
        f"*{PUBLIC_SUFFIX} file",
    )
