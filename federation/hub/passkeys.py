"""Passkeys of the desk's people: WebAuthn Level 3, user verification required, no password behind.

Adding: `begin` gives the options of `navigator.credentials.create()`, `finish` checks challenge,
origin, relying party and user verification. Signing in: `begin_sign_in` asks for any passkey of
this site (nobody learns which logins exist), `finish_sign_in` finds the member by the credential.
A challenge is a row, used once, five minutes long; a counter that goes back is refused.
"""

import ipaddress
import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
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
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from federation.hub.errors import LastWayInError, PasskeyRefusedError
from federation.hub.members import Member, MemberService, MemberSession
from federation.hub.model import MemberPasskey
from federation.hub.settings import HubSettings
from federation.hub.store import HubStore
from federation.multibase import EncodingError, b64url, b64url_decode

__all__ = ["MemberPasskeys"]

Json = dict[str, Any]
CHALLENGE_LIFE: Final = timedelta(minutes=5)
TIMEOUT_MS: Final = 120_000
MAX_PASSKEYS: Final = 20
_MAX_ID: Final = 1023
"""WebAuthn §4: a credential id has at most 1023 bytes."""


class MemberPasskeys:
    """Adds and removes passkeys of members, and signs members in with them."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        members: MemberService,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._members = members
        self._clock = clock

    @property
    def is_available(self) -> bool:
        """Whether passkeys can be made for this address: a host name, and https or `localhost`."""
        parts = urlsplit(self._settings.origin)
        host = parts.hostname or ""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return parts.scheme == "https" or host == "localhost"
        return False

    def _party(self) -> tuple[str, str]:
        if not self.is_available:
            raise PasskeyRefusedError("unavailable")
        return urlsplit(self._settings.origin).hostname or "", self._settings.origin

    # -- adding -----------------------------------------------------------------------------------

    def of(self, member: Member) -> tuple[MemberPasskey, ...]:
        """The member's passkeys."""
        with self._store.read() as reader:
            return reader.passkeys(member.id)

    def begin(self, member: Member) -> Json:
        """Options for `create()`."""
        host, _ = self._party()
        known = self.of(member)
        if len(known) >= MAX_PASSKEYS:
            raise PasskeyRefusedError("too-many")
        options = generate_registration_options(
            rp_id=host,
            rp_name=self._settings.name,
            user_id=member.id.encode(),
            user_name=member.login,
            user_display_name=member.name,
            challenge=self._challenge("add", member.id),
            timeout=TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[
                PublicKeyCredentialDescriptor(id=b64url_decode(passkey.id)) for passkey in known
            ],
        )
        return options_to_json_dict(options)

    def finish(self, member: Member, response: Mapping[str, Any], *, name: str = "") -> None:
        """Check the answer to `create()` and keep the passkey.

        Raises:
            PasskeyRefusedError: `.reason` names the check.
        """
        host, origin = self._party()
        challenge = self._take(response, "add", member.id)
        try:
            verified = verify_registration_response(
                credential=dict(response),
                expected_challenge=challenge,
                expected_rp_id=host,
                expected_origin=origin,
                require_user_verification=True,
            )
        except WebAuthnException as error:
            raise PasskeyRefusedError("registration") from error
        passkey = MemberPasskey(
            id=b64url(verified.credential_id),
            member=member.id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            name=name.strip()[:60],
            created_at=self._clock(),
            used_on=None,
        )
        with self._store.transact() as tx:
            if not tx.put_passkey(passkey):
                raise PasskeyRefusedError("registration")

    def remove(self, member: Member, credential_id: str) -> None:
        """Remove a passkey; the last way in stays.

        Raises:
            LastWayInError, PasskeyRefusedError.
        """
        with self._store.transact() as tx:
            row = tx.member(member=member.id)
            if row is None or (not row.password and len(tx.passkeys(member.id)) < 2):
                raise LastWayInError
            if not tx.drop_passkey(member.id, credential_id):
                raise PasskeyRefusedError("unknown-passkey")

    # -- signing in -------------------------------------------------------------------------------

    def begin_sign_in(self) -> Json:
        """Options for `get()`: any passkey of this site."""
        host, _ = self._party()
        return options_to_json_dict(
            generate_authentication_options(
                rp_id=host,
                challenge=self._challenge("sign-in", None),
                timeout=TIMEOUT_MS,
                user_verification=UserVerificationRequirement.REQUIRED,
            )
        )

    def finish_sign_in(self, response: Mapping[str, Any]) -> MemberSession:
        """Check the assertion and open a session.

        Raises:
            PasskeyRefusedError: `.reason` names the check.
        """
        host, origin = self._party()
        at = self._clock()
        raw = response.get("rawId")
        try:
            credential_id = b64url_decode(raw) if isinstance(raw, str) else b""
        except EncodingError as error:
            raise PasskeyRefusedError("malformed") from error
        if not 0 < len(credential_id) <= _MAX_ID:
            raise PasskeyRefusedError("malformed")
        with self._store.read() as reader:
            passkey = reader.passkey(b64url(credential_id))
        if passkey is None:
            raise PasskeyRefusedError("unknown-passkey")
        challenge = self._take(response, "sign-in", None)
        try:
            verified = verify_authentication_response(
                credential=dict(response),
                expected_challenge=challenge,
                expected_rp_id=host,
                expected_origin=origin,
                credential_public_key=passkey.public_key,
                # Compared in the store, in one statement, where it is kept.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except WebAuthnException as error:
            raise PasskeyRefusedError("signature") from error
        with self._store.transact() as tx:
            if not tx.count_signature(passkey.id, count=verified.new_sign_count, on=at.date()):
                raise PasskeyRefusedError("copied")
        return self._members.open_session(passkey.member)

    # -- inside -----------------------------------------------------------------------------------

    def _challenge(self, purpose: str, member: str | None) -> bytes:
        challenge = os.urandom(32)
        with self._store.transact() as tx:
            tx.put_challenge(
                sha256(challenge).hexdigest(),
                purpose=purpose,
                member=member,
                expires_at=self._clock() + CHALLENGE_LIFE,
            )
        return challenge

    def _take(self, response: Mapping[str, Any], purpose: str, member: str | None) -> bytes:
        """The challenge that this answer names, used up."""
        try:
            data = json.loads(b64url_decode(response["response"]["clientDataJSON"]))
            challenge = b64url_decode(data["challenge"])
        except (KeyError, TypeError, ValueError, EncodingError) as error:
            raise PasskeyRefusedError("malformed") from error
        with self._store.transact() as tx:
            taken = tx.take_challenge(
                sha256(challenge).hexdigest(), purpose=purpose, member=member, at=self._clock()
            )
        if not taken:
            raise PasskeyRefusedError("challenge")
        return challenge
