"""Passkeys: WebAuthn Level 3 with the PRF extension, so that a passkey can open a vault.

Adding one takes two ceremonies, because many authenticators give PRF results only at `get`:

1. `begin_registration`: options for `navigator.credentials.create()`, user verification required.
2. `finish_registration`: challenge taken, origin, relying party, user verification and (absent by
   request) attestation checked. Without `prf.enabled` it ends here: a *login key*, which tells the
   home which vault is meant and opens nothing. With it: options for a `get()` with this passkey's
   own PRF input (`evalByCredential`).
3. `finish_slot`: the assertion is checked and the PRF's 32 bytes seal a slot.

Unlocking: `begin_unlock`, `finish_unlock`. Without a vault's number the first `get()` is for any
passkey of this site; the answer names the vault, and a second one asks for its PRF.

Left to the caller: the session (who adds is in an open vault), slow-down and audit of wrong secrets
(`Home.submit_unlock`). PyPI `webauthn` checks signatures and structures and has no parameter for
extensions: they are added to its JSON here.
"""

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import options_to_json_dict
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from federation.did.web import url_of
from federation.multibase import EncodingError, b64url, b64url_decode
from schemas.errors import MobilityError
from vault.crypto.secret import KEY_SIZE, Secret, zero
from vault.crypto.slot_parameters import PasskeyParameters
from vault.crypto.slots import SlotKind, seal_slot
from vault.errors import (
    PasskeyCopiedError,
    PasskeyError,
    PasskeyUnavailableError,
    SlotUnknownError,
    VaultUnknownError,
)
from vault.library import Draft
from vault.slots import seal_name
from vault.store import Passkey, Slot
from vault.unlocking import PasskeyProof

if TYPE_CHECKING:
    from vault.home import Home
    from vault.open_vault import OpenVault

__all__ = ["LoginOnly", "PasskeyService", "Registered", "RelyingParty"]

Json = dict[str, Any]
CHALLENGE_LIFE: Final = timedelta(minutes=5)
TIMEOUT_MS: Final = 120_000
"""What the browser is told; WebAuthn recommends 2 to 10 minutes when a person must verify."""
_MAX_ID: Final = 1023
"""WebAuthn §4: a credential id has at most 1023 bytes."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whom passkeys are made for: a host name, never an address."""

    id: str
    origin: str

    @classmethod
    def of(cls, did: str, *, allow_loopback: bool) -> "RelyingParty":
        """From the home's DID, never from a header that the caller sends.

        Raises:
            PasskeyUnavailableError: an IP address, or http anywhere but on `localhost`.
        """
        try:
            parts = urlsplit(url_of(did, loopback_http=allow_loopback))
        except MobilityError as error:
            raise PasskeyUnavailableError from error
        host = parts.hostname or ""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            pass
        else:
            raise PasskeyUnavailableError
        if parts.scheme != "https" and host != "localhost":
            raise PasskeyUnavailableError
        return cls(host, f"{parts.scheme}://{parts.netloc}")


@dataclass(frozen=True, slots=True)
class Registered:
    """A passkey was added. `then`: options of the `get()` that makes it a slot; None: a login
    key."""

    credential_id: str
    then: Json | None


@dataclass(frozen=True, slots=True)
class LoginOnly:
    """The passkey is known and opens nothing by itself: go on with `then` (its PRF is needed), or
    ask for another secret of this vault when there is none."""

    vault_id: str
    then: Json | None


class PasskeyService:
    """Passkeys, over one home."""

    def __init__(self, home: "Home") -> None:
        self._home = home

    @property
    def party(self) -> RelyingParty:
        """Raises PasskeyUnavailableError."""
        home = self._home
        return RelyingParty.of(home.did, allow_loopback=home.settings.allow_loopback)

    @property
    def is_available(self) -> bool:
        """Whether this home has a name that passkeys can be made for."""
        try:
            return bool(self.party.id)
        except PasskeyUnavailableError:
            return False

    # --- adding -------------------------------------------------------------------------------

    def begin_registration(self, vault: "OpenVault") -> Json:
        """Options for `create()`. The user handle is the vault's number, nothing of a person."""
        party = self.party
        with self._home.store.read() as reader:
            known = reader.passkeys(vault.vault_id)
        title = vault.label() or f"Coffre {vault.vault_id[:8]}"
        options = generate_registration_options(
            rp_id=party.id,
            rp_name="Coffre de mobilité",
            user_id=bytes.fromhex(vault.vault_id),
            user_name=title,
            user_display_name=title,
            challenge=self._challenge("register", vault.vault_id),
            timeout=TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[_descriptor(passkey) for passkey in known],
        )
        return {**options_to_json_dict(options), "extensions": {"prf": {}}}

    def finish_registration(
        self, vault: "OpenVault", response: Mapping[str, Any], *, name: str = ""
    ) -> Registered:
        """Check the answer to `create()` and keep the passkey.

        Raises:
            PasskeyError: `.reason` names the check.
        """
        party, at = self.party, self._home.clock()
        challenge = self._take(response, "register", vault.vault_id)
        try:
            verified = verify_registration_response(
                credential=dict(response),
                expected_challenge=challenge,
                expected_rp_id=party.id,
                expected_origin=party.origin,
                require_user_verification=True,
            )
        except WebAuthnException as error:
            raise PasskeyError("registration") from error
        extensions = response.get("clientExtensionResults")
        prf = extensions.get("prf") if isinstance(extensions, Mapping) else None
        has_prf = isinstance(prf, Mapping) and prf.get("enabled") is True
        with self._home.store.read() as reader:
            if reader.passkeys_named(verified.credential_id):
                raise PasskeyError("registration")
        passkey = Passkey(
            vault.vault_id,
            verified.credential_id,
            verified.credential_public_key,
            verified.sign_count,
            _transports(response),
            os.urandom(KEY_SIZE) if has_prf else None,
            None,
            at,
        )
        text = b64url(verified.credential_id)
        with vault.library.writing() as draft:
            draft.tx.put_passkey(passkey)
            seal_name(vault, draft, text, name)
            draft.journal("key-added", kind="login-key")
        return Registered(
            text, self._options(vault.vault_id, [passkey], "slot") if has_prf else None
        )

    def begin_slot(self, vault: "OpenVault", credential_id: str) -> Json:
        """Options for `get()` to make a slot of a login key whose authenticator has PRF: the
        second ceremony was not finished. Raises SlotUnknownError."""
        for passkey in self._passkeys(vault.vault_id):
            if (
                b64url(passkey.credential_id) == credential_id
                and passkey.prf_input is not None
                and passkey.slot_id is None
            ):
                return self._options(vault.vault_id, [passkey], "slot")
        raise SlotUnknownError

    def finish_slot(self, vault: "OpenVault", response: Mapping[str, Any], prf: str) -> str:
        """Check the assertion and seal a slot with the PRF's output; returns the slot's id.

        Raises:
            PasskeyError: `.reason` names the check. PasskeyCopiedError: its counter went back.
        """
        passkey = self._asserted(response, "slot", vault.vault_id)
        if passkey.prf_input is None or passkey.slot_id is not None:
            raise PasskeyError("prf")
        prf_input = passkey.prf_input
        secret = _prf_output(prf)
        try:
            sealed = seal_slot(
                vault.root,
                kind=SlotKind.PASSKEY_PRF,
                secret=secret,
                pepper=self._home.key_store.pepper(vault.vault_id),
                vault=vault.vault_id,
                parameters=PasskeyParameters(
                    self.party.id, passkey.credential_id, prf_input
                ).encode(),
                ring_key=self._home.slots.ring_key(vault),
            )
        finally:
            zero(secret)
        login = b64url(passkey.credential_id)
        name = (vault.setting(f"slot-name:{login}") or b"").decode()

        def link(draft: Draft, row: Slot) -> None:
            draft.tx.put_passkey(replace(passkey, slot_id=row.slot_id))
            draft.tx.delete_setting(vault.vault_id, f"slot-name:{login}")
            seal_name(vault, draft, row.slot_id, name)

        return self._home.slots.add_passkey_slot(vault, sealed, and_then=link).slot_id

    # --- unlocking ----------------------------------------------------------------------------

    def begin_unlock(self, vault_id: str | None = None) -> Json:
        """Options for `get()`. With a vault's number, its passkeys and their PRF inputs; without
        one, or for a number nobody has, any passkey of this site."""
        passkeys = self._passkeys(vault_id) if vault_id else []
        return self._options(vault_id if passkeys else None, passkeys, "unlock")

    def finish_unlock(
        self, response: Mapping[str, Any], prf: str | None
    ) -> PasskeyProof | LoginOnly:
        """Check the assertion. The proof goes to `Home.submit_unlock(passkey=…)`.

        Raises:
            PasskeyError, PasskeyCopiedError: `.reason` names the check.
        """
        passkey = self._asserted(response, "unlock", None)
        if passkey.slot_id is None:
            return LoginOnly(passkey.vault_id, None)
        if prf is None:
            return LoginOnly(passkey.vault_id, self._options(passkey.vault_id, [passkey], "unlock"))
        return PasskeyProof(passkey.vault_id, passkey.slot_id, Secret(_prf_output(prf)))

    # --- inside -------------------------------------------------------------------------------

    def _passkeys(self, vault_id: str) -> list[Passkey]:
        with self._home.store.read() as reader:
            return reader.passkeys(vault_id)

    def _options(self, vault_id: str | None, passkeys: list[Passkey], purpose: str) -> Json:
        options = options_to_json_dict(
            generate_authentication_options(
                rp_id=self.party.id,
                challenge=self._challenge(purpose, vault_id),
                timeout=TIMEOUT_MS,
                allow_credentials=[_descriptor(passkey) for passkey in passkeys],
                user_verification=UserVerificationRequirement.REQUIRED,
            )
        )
        inputs = {
            b64url(passkey.credential_id): {"first": b64url(passkey.prf_input)}
            for passkey in passkeys
            if passkey.prf_input is not None
        }
        if inputs:
            options["extensions"] = {"prf": {"evalByCredential": inputs}}
        return options

    def _challenge(self, purpose: str, vault_id: str | None) -> bytes:
        challenge = os.urandom(32)
        self._home.sessions_store.put_challenge(
            sha256(challenge).digest(),
            purpose=purpose,
            vault_id=vault_id,
            expires_at=self._home.clock() + CHALLENGE_LIFE,
        )
        return challenge

    def _take(self, response: Mapping[str, Any], purpose: str, vault_id: str) -> bytes:
        """The challenge that this answer names, used up."""
        try:
            inner = response["response"]
            data = json.loads(b64url_decode(inner["clientDataJSON"]))
            challenge = b64url_decode(data["challenge"])
        except (KeyError, TypeError, ValueError, EncodingError) as error:
            raise PasskeyError("malformed") from error
        if not self._home.sessions_store.take_challenge(
            sha256(challenge).digest(), purpose=purpose, vault_id=vault_id, at=self._home.clock()
        ):
            raise PasskeyError("challenge")
        return challenge

    def _asserted(self, response: Mapping[str, Any], purpose: str, vault_id: str | None) -> Passkey:
        """Whose passkey answered, after its signature, origin, user verification and counter were
        checked."""
        party, at = self.party, self._home.clock()
        raw = response.get("rawId")
        try:
            credential_id = b64url_decode(raw) if isinstance(raw, str) else b""
        except EncodingError as error:
            raise PasskeyError("malformed") from error
        if not 0 < len(credential_id) <= _MAX_ID:
            raise PasskeyError("malformed")
        with self._home.store.read() as reader:
            known = reader.passkeys_named(credential_id)
        passkey = next((p for p in known if vault_id in (None, p.vault_id)), None)
        if passkey is None:
            raise PasskeyError("unknown-passkey")
        challenge = self._take(response, purpose, passkey.vault_id)
        try:
            verified = verify_authentication_response(
                credential=dict(response),
                expected_challenge=challenge,
                expected_rp_id=party.id,
                expected_origin=party.origin,
                credential_public_key=passkey.public_key,
                # The counter is compared in the store, in one statement, where it is kept.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except WebAuthnException as error:
            raise PasskeyError("signature") from error
        count, day = verified.new_sign_count, _midnight(at)
        try:
            with self._home.store.transact() as tx:
                moved = tx.count_signature(
                    passkey.vault_id, credential_id, sign_count=count, on=day
                )
        except VaultUnknownError as error:
            raise PasskeyError("unknown-passkey") from error
        if not moved:
            raise PasskeyCopiedError
        return replace(passkey, sign_count=count, last_used_on=day)


def _descriptor(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    known = {hint.value: hint for hint in AuthenticatorTransport}
    hints = [known[text] for text in passkey.transports.split() if text in known]
    return PublicKeyCredentialDescriptor(id=passkey.credential_id, transports=hints or None)


def _transports(response: Mapping[str, Any]) -> str:
    inner = response.get("response")
    listed = inner.get("transports") if isinstance(inner, Mapping) else None
    known = {hint.value for hint in AuthenticatorTransport}
    return " ".join(sorted({text for text in listed or () if text in known}))


def _prf_output(text: str) -> bytearray:
    try:
        secret = bytearray(b64url_decode(text))
    except EncodingError as error:
        raise PasskeyError("prf") from error
    if len(secret) != KEY_SIZE:
        raise PasskeyError("prf")
    return secret


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
