"""The key a funder's documents are sealed to: made in its browser, published here, versioned.

Only the public half comes here. A new version replaces the one before for new documents; the old
private half still opens what was sealed to it. Vaults read the current version as a JWS signed by
the funder's own key in the registry, so that nobody between can put another key in its place.
"""

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from federation.hub.access import Action
from federation.hub.errors import EntryRefusedError, KeyUnknownError, NotAllowedError
from federation.hub.keys import HubKeys
from federation.hub.members import Member
from federation.hub.model import DocumentKey, Funder
from federation.hub.store import HubStore
from federation.jose import sign_jws
from federation.sealing import BoxPublicKey, SealSuite
from federation.sealing.errors import SealingError
from federation.trust import format_instant

__all__ = ["KEY_TYP", "DocumentKeys"]

KEY_LIFE: Final = timedelta(days=2 * 365)
"""ANSSI and NIST SP 800-57 advise one to two years for a key that others encrypt to."""
KEY_TYP: Final = "mobility-document-key+jwt"
_TOO_SOON: Final = timedelta(days=30)


class DocumentKeys:
    """Publishes and serves document keys of hosted funders."""

    def __init__(self, store: HubStore, keys: HubKeys, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock

    def of(self, member: Member) -> tuple[DocumentKey, ...]:
        """Every version of the member's funder, the newest first."""
        member.require(Action.READ_SETTINGS)
        with self._store.read() as reader:
            return reader.document_keys(member.funder or "")

    def publish(self, member: Member, public: bytes) -> DocumentKey:
        """Publish the next version: an uncompressed P-256 point (65 bytes), made in a browser.

        Raises:
            NotAllowedError, EntryRefusedError: not such a point, or one that was published before.
        """
        member.require(Action.MANAGE_KEYS)
        if member.funder is None:
            raise NotAllowedError
        try:
            key = BoxPublicKey.decode(BoxPublicKey(SealSuite.P256, public).encode())
        except SealingError as error:
            raise EntryRefusedError("not a P-256 key", where="public") from error
        now = self._clock()
        with self._store.transact() as tx:
            tx.lock_hub()
            known = tx.document_keys(member.funder)
            if any(k.public == key.encode() for k in known):
                raise EntryRefusedError("published before", where="public")
            made = DocumentKey(
                funder=member.funder,
                version=1 + max((k.version for k in known), default=0),
                public=key.encode(),
                member=member.id,
                created_at=now,
                not_after=now + KEY_LIFE,
            )
            tx.put_document_key(made)
        return made

    def current(self, slug: str) -> DocumentKey | None:
        """The newest version; whether it is past its date is for the caller to see."""
        with self._store.read() as reader:
            found = reader.document_keys(slug)
        return found[0] if found else None

    def ends_soon(self, key: DocumentKey) -> bool:
        """Whether it is time to make the next version."""
        return key.not_after - self._clock() < _TOO_SOON

    def signed(self, funder: Funder) -> str:
        """The current key as a compact JWS of the funder: `{iss, version, key, notAfter}`.

        Raises:
            KeyUnknownError: none was made.
        """
        key = self.current(funder.slug)
        if key is None:
            raise KeyUnknownError
        claims: dict[str, Any] = {
            "iss": funder.did,
            "version": key.version,
            "key": base64.urlsafe_b64encode(key.public).decode().rstrip("="),
            "notAfter": format_instant(key.not_after),
        }
        return sign_jws(claims, self._keys.signer(funder.slug, funder.did), typ=KEY_TYP)
