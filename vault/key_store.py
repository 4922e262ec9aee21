"""The home's key store: secrets as files, outside the database, its replicas and its backups.

    keys/signing            Ed25519 seed of the home's DID (32 bytes)
    keys/session            with the pepper, the home's half of every session (32)
    keys/home               seals what jobs must read while vaults are locked (32)
    keys/passport(-<n>)     what the passport's P-256 keys are made from (32)
    keys/delegation         opens the grants of standing consents: the seed of an X-Wing pair (32)
    keys/connector-<name>   Ed25519 seed of a connector's depositor key (32)
    keys/peppers/<vault>    the vault's pepper (32): without it no slot opens
    keys/witness/<vault>    highest (seq, H(head)) this home has committed

Folders are 0700, files 0600; a folder that others can read is refused. Copies live at most as long
as backups do, and losing the peppers loses every vault of the home.
"""

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import shutil
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vault.errors import KeyStoreError, VaultUnknownError

__all__ = ["HomeSeal", "KeyStore"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class HomeSeal:
    """AES-256-GCM under keys derived from the home's own key, for what the home must read alone.

    Layout: `nonce(12) ‖ ciphertext ‖ tag(16)`; one derived key per purpose (HKDF-SHA-256, info
    `mobility-vault/home/v1/<purpose>`). Not for records: those are sealed by their vault.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "HomeSeal(***)"

    def _derive(self, purpose: str) -> bytes:
        info = b"mobility-vault/home/v1/" + purpose.encode()
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self._key)

    def seal(self, plaintext: bytes, *, purpose: str, aad: bytes) -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + AESGCM(self._derive(purpose)).encrypt(nonce, plaintext, aad)

    def open(self, sealed: bytes, *, purpose: str, aad: bytes) -> bytes:
        """Raises KeyStoreError: altered, of another purpose, or sealed under another home's key."""
        try:
            return AESGCM(self._derive(purpose)).decrypt(sealed[:12], sealed[12:], aad)
        except (InvalidTag, ValueError) as error:
            raise KeyStoreError("sealed by another home, or altered") from error

    def key(self, purpose: str) -> bytearray:
        """A derived key of 32 bytes for a layout of `vault/crypto`; the caller zeroes it."""
        return bytearray(self._derive(purpose))

    def tag(self, *parts: str, purpose: str) -> bytes:
        """A blind tag of 16 bytes: the same parts, the same tag, in this home only."""
        text = b"\x00".join(part.encode() for part in parts)
        return hmac.new(self._derive(purpose), text, hashlib.sha256).digest()[:16]


class KeyStore:
    """The key folder of one home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for path in (folder, folder / "peppers", folder / "witness"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.stat().st_mode & 0o077:
                raise KeyStoreError(f"key folder {path.name} can be read by others: chmod 700")

    def __repr__(self) -> str:
        return "KeyStore(***)"

    def secret(self, name: str) -> bytes:
        """The 32-byte secret of this name, made at first use. Several processes agree on one."""
        return self._read_or_make(self._folder / self._checked(name))

    def home_seal(self) -> HomeSeal:
        return HomeSeal(self.secret("home"))

    def session_key(self, vault_id: str) -> bytes:
        """The home's half of this vault's sessions: gone with the pepper (32 bytes).

        Raises:
            VaultUnknownError: no pepper, so no vault.
        """
        label = b"mobility-vault/session-key/1\x00"
        return hmac.new(
            self.secret("session"), label + self.pepper(vault_id), hashlib.sha256
        ).digest()

    def connectors(self) -> list[str]:
        """Names of the connectors that have a depositor key."""
        return sorted(path.name[10:] for path in self._folder.glob("connector-*"))

    # --- peppers ------------------------------------------------------------------------------

    def make_pepper(self, vault_id: str) -> bytes:
        return self._read_or_make(self._folder / "peppers" / self._checked(vault_id))

    def pepper(self, vault_id: str) -> bytes:
        """Raises VaultUnknownError: no pepper, so no vault (never here, or shredded)."""
        if not _NAME.fullmatch(
            vault_id
        ):  # people type this number: a wrong one is no fault of ours
            raise VaultUnknownError
        try:
            found = (self._folder / "peppers" / self._checked(vault_id)).read_bytes()
        except FileNotFoundError:
            raise VaultUnknownError from None
        if len(found) != 32:
            raise KeyStoreError("a pepper has the wrong length: restore the key folder")
        return found

    def destroy_pepper(self, vault_id: str) -> None:
        """Overwrite, then remove, then make the removal durable. Idempotent."""
        path = self._folder / "peppers" / self._checked(vault_id)
        with contextlib.suppress(FileNotFoundError):
            with path.open("r+b") as file:
                file.write(secrets.token_bytes(32))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        sync_folder(path.parent)
        with contextlib.suppress(FileNotFoundError):
            (self._folder / "witness" / self._checked(vault_id)).unlink()

    # --- witness ------------------------------------------------------------------------------

    def witness(self, vault_id: str) -> tuple[int, bytes] | None:
        """Highest (seq, H(head)) committed here; None when unknown or unreadable."""
        try:
            found = (self._folder / "witness" / self._checked(vault_id)).read_bytes()
        except FileNotFoundError:
            return None
        return (int.from_bytes(found[:8], "big"), found[8:]) if len(found) == 40 else None

    def remember(self, vault_id: str, *, seq: int, head: bytes, force: bool = False) -> None:
        """Note a committed head. Not synced: a power cut may lose the note, never raise it."""
        known = self.witness(vault_id)
        if known is not None and known[0] >= seq and not force:
            return
        path = self._folder / "witness" / self._checked(vault_id)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        _write(temporary, seq.to_bytes(8, "big") + head, sync=False)
        temporary.replace(path)

    # --- copies -------------------------------------------------------------------------------

    def backup(self, to: Path) -> None:
        """Copy the key folder, permissions kept. Keep the copy apart from the database's."""
        shutil.copytree(self._folder, to)
        to.chmod(0o700)

    def _checked(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise KeyStoreError("not a key name")
        return name

    def _read_or_make(self, path: Path) -> bytes:
        try:
            found = path.read_bytes()
        except FileNotFoundError:
            temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            _write(temporary, secrets.token_bytes(32), sync=True)
            try:
                os.link(temporary, path)  # fails if another process was first: theirs counts
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
            sync_folder(path.parent)
            found = path.read_bytes()
        if path.stat().st_mode & 0o077:
            raise KeyStoreError(f"key file {path.name} can be read by others: chmod 600")
        if len(found) != 32:
            raise KeyStoreError(f"key file {path.name} has the wrong length")
        return found


def _write(path: Path, data: bytes, *, sync: bool) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, data)
        if sync:
            os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
