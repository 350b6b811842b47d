"""Values that only who holds the decision log's secret can read (AES-256-GCM)."""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from features.errors import StoreUnavailableError

_NONCE_SIZE = 12
_KEY_SIZE = 32


def derive_key(secret: bytes, use: bytes) -> bytes:
    """Return a key of 32 bytes for one use of a secret; one key tells nothing of another."""
    return hashlib.blake2b(use, key=secret, digest_size=_KEY_SIZE).digest()


class Seal:
    """Seals values under keys of a store; a value moved to another key does not open.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, content: bytes, place: bytes) -> bytes:
        """Return content sealed for a place."""
        nonce = os.urandom(_NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, content, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Return what was sealed for a place.

        Raises:
            StoreUnavailableError: It is damaged, or was sealed with another secret.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:], place)
        except InvalidTag as error:
            raise StoreUnavailableError(
                "a sealed value of the decision log cannot be opened",
                field="store",
                value=f"{len(sealed)} bytes",
                expectation="sealed with this log's secret",
                fix="restore the log and its `subject.key` from the same backup",
            ) from error
