"""Only what a trusted key signed, as it was signed, is loaded; mistakes in keys never open up."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey

from features.errors import ConfigError, HemostatError, MissingModelError, UntrustedModelError
from features.model_bundle import (
    MANIFEST_FILE,
    MODEL_FILE,
    SIGNATURE_FILE,
    Manifest,
    TrustedKeys,
    load_manifest,
    read_bundle,
)
from features.model_bundle.signing import (
    SigningKey,
    read_signing_key,
    read_trusted_keys,
    write_key_pair,
)
from training.bundle_writing import check_key, sign_bundle, write_bundle

Reseal = Callable[..., None]
Attack = Callable[[Path, Reseal, SigningKey, SigningKey], None]


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[SigningKey, ...]:
    """A trusted key and a foreign one; the environment trusts the first."""
    made = [write_key_pair(tmp_path / name, name) for name in ("ours", "theirs")]
    monkeypatch.setenv("HEMOSTAT_TRUSTED_KEYS", str(made[0][1]))
    return tuple(read_signing_key(private) for private, _, _ in made)


def _change_signature(bundle: Path, **fields: object) -> None:
    told = json.loads((bundle / SIGNATURE_FILE).read_bytes())
    (bundle / SIGNATURE_FILE).write_text(json.dumps({**told, **fields}))


def _remove_signature(bundle: Path, *_: object) -> None:
    (bundle / SIGNATURE_FILE).unlink()


def _sign_by_foreign_key(
    bundle: Path, _reseal: Reseal, _ours: SigningKey, theirs: SigningKey
) -> None:
    sign_bundle(bundle, theirs)


def _sign_by_foreign_key_under_our_name(
    bundle: Path, _reseal: Reseal, ours: SigningKey, theirs: SigningKey
) -> None:
    content = (bundle / MANIFEST_FILE).read_bytes()
    (bundle / SIGNATURE_FILE).write_bytes(SigningKey(ours.key_id, theirs.private).sign(content))


def _raise_the_threshold(bundle: Path, reseal: Reseal, *_: object) -> None:
    head = load_manifest(bundle, TrustedKeys()).heads[0]
    reseal(heads=[msgspec.structs.replace(head, verify_threshold=0.99)])


def _swap_the_model(bundle: Path, reseal: Reseal, *_: object) -> None:
    reseal({MODEL_FILE: (bundle / MODEL_FILE).read_bytes()[:-1] + b"\x00"})


def _add_a_space(bundle: Path, *_: object) -> None:
    path = bundle / MANIFEST_FILE
    path.write_bytes(path.read_bytes() + b" ")


def _change_tenant(_bundle: Path, reseal: Reseal, *_: object) -> None:
    reseal(tenant="another shop")


def _take_signature_of_another_bundle(
    bundle: Path, _reseal: Reseal, ours: SigningKey, _theirs: SigningKey
) -> None:
    other = (bundle / MANIFEST_FILE).read_bytes().replace(b'"seed": 1', b'"seed": 2')
    assert other != (bundle / MANIFEST_FILE).read_bytes()
    (bundle / SIGNATURE_FILE).write_bytes(ours.sign(other))


def _name_no_algorithm(bundle: Path, *_: object) -> None:
    _change_signature(bundle, algorithm="none")


def _cut_the_signature(bundle: Path, *_: object) -> None:
    _change_signature(bundle, signature="")


def _send_zeros(bundle: Path, *_: object) -> None:
    _change_signature(bundle, signature=base64.b64encode(bytes(64)).decode())


def _break_base64(bundle: Path, *_: object) -> None:
    _change_signature(bundle, signature="!" * 88)


def _add_a_field(bundle: Path, *_: object) -> None:
    _change_signature(bundle, trusted=True)


def _empty_the_file(bundle: Path, *_: object) -> None:
    (bundle / SIGNATURE_FILE).write_bytes(b"")


def _fill_the_file(bundle: Path, *_: object) -> None:
    path = bundle / SIGNATURE_FILE
    path.write_bytes(path.read_bytes() + b" " * 100_000)


ATTACKS: tuple[Attack, ...] = (
    _remove_signature,
    _sign_by_foreign_key,
    _sign_by_foreign_key_under_our_name,
    _raise_the_threshold,
    _swap_the_model,
    _add_a_space,
    _change_tenant,
    _take_signature_of_another_bundle,
    _name_no_algorithm,
    _cut_the_signature,
    _send_zeros,
    _break_base64,
    _add_a_field,
    _empty_the_file,
)


def test_a_bundle_signed_by_a_trusted_key_is_read(
    bundle: Path, keys: tuple[SigningKey, ...]
) -> None:
    sign_bundle(bundle, keys[0])
    trust = read_bundle(bundle).trust
    assert (trust.state, trust.key_id, trust.warning) == ("trusted", keys[0].key_id, "")


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_bundle_is_refused_for_its_signature(
    bundle: Path, keys: tuple[SigningKey, ...], reseal: Reseal, attack: Attack
) -> None:
    sign_bundle(bundle, keys[0])
    attack(bundle, _without_trust(reseal), *keys)
    for read in (read_bundle, load_manifest):
        with pytest.raises(UntrustedModelError, match=SIGNATURE_FILE):
            read(bundle)


def _without_trust(reseal: Reseal) -> Reseal:
    """Reseal as somebody would who has no trusted keys set."""

    def run(*arguments: object, **fields: object) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("HEMOSTAT_TRUSTED_KEYS")
            reseal(*arguments, **fields)

    return run


def test_a_file_changed_after_signing_is_refused_by_its_name(
    bundle: Path, keys: tuple[SigningKey, ...]
) -> None:
    sign_bundle(bundle, keys[0])
    (bundle / MODEL_FILE).write_bytes(b"another graph")
    with pytest.raises(MissingModelError, match=MODEL_FILE):
        read_bundle(bundle)


def test_a_signature_that_is_a_folder_is_refused(
    bundle: Path, keys: tuple[SigningKey, ...]
) -> None:
    (bundle / SIGNATURE_FILE).mkdir()
    with pytest.raises(MissingModelError, match=SIGNATURE_FILE):
        read_bundle(bundle)


def test_a_huge_signature_file_is_not_read_whole(
    bundle: Path, keys: tuple[SigningKey, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_bundle(bundle, keys[0])
    _fill_the_file(bundle)
    # What is left after 4096 bytes is white space: still the same signature.
    assert read_bundle(bundle).trust.state == "trusted"
    (bundle / SIGNATURE_FILE).write_bytes(b" " * 5000 + keys[0].sign(b""))
    with pytest.raises(UntrustedModelError):
        read_bundle(bundle)


def test_without_trusted_keys_a_bundle_is_accepted_and_warned_of(
    bundle: Path, keys: tuple[SigningKey, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEMOSTAT_TRUSTED_KEYS", "")
    assert read_bundle(bundle).trust.state == "unsigned"
    sign_bundle(bundle, keys[1])
    trust = read_bundle(bundle).trust
    assert (trust.state, trust.key_id) == ("unchecked", keys[1].key_id)
    assert "HEMOSTAT_TRUSTED_KEYS" in trust.warning
    _empty_the_file(bundle)
    assert read_bundle(bundle).trust.state == "unsigned"


def test_a_bundle_is_written_signed_and_signed_again_by_another_key(
    tmp_path: Path, draft: Manifest, files: dict[str, bytes], keys: tuple[SigningKey, ...]
) -> None:
    ours, theirs = keys
    folder, _ = write_bundle(tmp_path / "bundles", draft, files, ours)
    assert read_bundle(folder).trust.key_id == ours.key_id
    sign_bundle(folder, theirs)
    later = msgspec.structs.replace(draft, created_at="2026-02-02T00:00:00+00:00")
    again, _ = write_bundle(tmp_path / "bundles", later, files, ours)
    assert again == folder
    assert read_bundle(folder).trust.key_id == ours.key_id
    assert load_manifest(folder).created_at == draft.created_at


def test_training_that_nobody_here_would_load_is_refused_before_the_work(
    keys: tuple[SigningKey, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_key(keys[0])
    for key in (None, keys[1]):
        with pytest.raises(ConfigError, match="--signing-key"):
            check_key(key)
    monkeypatch.delenv("HEMOSTAT_TRUSTED_KEYS")
    check_key(None)


def test_a_damaged_bundle_is_not_signed(bundle: Path, keys: tuple[SigningKey, ...]) -> None:
    (bundle / MODEL_FILE).write_bytes(b"another graph")
    with pytest.raises(MissingModelError, match=MODEL_FILE):
        sign_bundle(bundle, keys[0])
    assert not (bundle / SIGNATURE_FILE).exists()


def test_keys_are_files_that_only_their_owner_reads_and_nothing_overwrites(tmp_path: Path) -> None:
    private, public, key_id = write_key_pair(tmp_path / "keys", "trainer")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert read_signing_key(private).key_id == key_id
    assert list(read_trusted_keys({"HEMOSTAT_TRUSTED_KEYS": str(public)}).by_id) == [key_id]
    before = private.read_bytes()
    with pytest.raises(ConfigError, match="there already"):
        write_key_pair(tmp_path / "keys", "trainer")
    assert private.read_bytes() == before
    assert "Ed25519PrivateKey" not in repr(read_signing_key(private))


def test_several_keys_may_be_trusted_and_one_taken_out_counts_no_more(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "trusted"
    private, _, first = write_key_pair(folder, "a")
    _, public, second = write_key_pair(folder, "b")
    _, other, third = write_key_pair(tmp_path / "more", "c")
    monkeypatch.setenv("HEMOSTAT_TRUSTED_KEYS", os.pathsep.join([str(folder), str(other)]))
    assert set(read_trusted_keys().by_id) == {first, second, third}
    sign_bundle(bundle, read_signing_key(private))
    assert read_bundle(bundle).trust.key_id == first
    (folder / "a.pub.pem").unlink()
    with pytest.raises(UntrustedModelError, match=first):
        read_bundle(bundle)
    assert public.exists()


def _make_other_keys(folder: Path) -> dict[str, bytes]:
    pem, info = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    strong = rsa.generate_private_key(65537, 2048).public_key().public_bytes(pem, info)
    near = Ed448PrivateKey.generate().public_key().public_bytes(pem, info)
    return {"rsa": strong, "ed448": near, "text": b"no key", "empty": b""}


@pytest.mark.parametrize("kind", ["rsa", "ed448", "text", "empty", "absent", "folder", "private"])
def test_a_wrong_trusted_key_is_refused_and_never_means_no_keys(
    tmp_path: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "private":
        shutil.copy(write_key_pair(tmp_path / "pair", "trainer")[0], path)
    elif kind != "absent":
        path.write_bytes(_make_other_keys(tmp_path)[kind])
    monkeypatch.setenv("HEMOSTAT_TRUSTED_KEYS", str(path))
    with pytest.raises(ConfigError, match="a key cannot be used"):
        read_bundle(bundle)


@pytest.mark.parametrize("content", [b"", b"no key", None])
def test_a_wrong_signing_key_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HemostatError, match="keys create"):
        read_signing_key(path)
