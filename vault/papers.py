"""Papers: attestations that were printed, and the link on them that shows the signed proof.

Whoever holds the paper reads, at the home's public page, what it says and whether it still stands;
no account. The citizen sees every paper and withdraws any of them at any time. At rest the proof is
sealed under the link's own secret (`vault/crypto/README.md`, verification link): the home alone
cannot read it, nor tell who it belongs to beyond the vault's random number.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from federation.multibase import EncodingError, b64url, b64url_decode
from federation.sealing import entropy
from vault.crypto.errors import CryptoError
from vault.crypto.verify_link import LINK_SECRET_SIZE, link_id, open_link, seal_link
from vault.errors import PaperGoneError, PaperUnknownError

if TYPE_CHECKING:
    from vault.home import Home
    from vault.open_vault import OpenVault

__all__ = ["PAPER_TERM", "Paper", "papers", "publish", "read_paper", "withdraw_paper"]

PAPER_TERM: Final = timedelta(days=3 * 366)
"""How long a link answers: three years, as long as a wage can be claimed (Code du travail,
L. 3245-1)."""


@dataclass(frozen=True, slots=True)
class Paper:
    """One printed attestation, as its owner sees it. The link's secret is on the paper only."""

    id: str
    made_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None


def publish(vault: "OpenVault", proof: Mapping[str, Any]) -> str:
    """Keep `proof` for its paper; returns the 43 characters that go into the QR, shown once."""
    at = vault.home.clock()
    secret = entropy.token(LINK_SECRET_SIZE)
    name = link_id(secret)
    sealed = seal_link(
        json.dumps(proof, ensure_ascii=False, separators=(",", ":")).encode(),
        secret=secret,
        vault=vault.vault_id,
    )
    with vault.library.writing() as draft:
        draft.tx.put_paper(vault.vault_id, name, sealed=sealed, at=at, expires_at=at + PAPER_TERM)
        draft.journal("paper-made", paper=name.hex())
    return b64url(secret)


def papers(vault: "OpenVault") -> list[Paper]:
    """Every paper made from this vault, newest first, withdrawn ones included."""
    with vault.library.reading() as shelf:
        rows = shelf.reader.papers(vault.vault_id)
    return [Paper(row.paper_id.hex(), row.at, row.expires_at, row.withdrawn_at) for row in rows]


def withdraw_paper(vault: "OpenVault", paper: str) -> None:
    """Erase the proof behind a paper; its page says from then on that it was withdrawn.

    Raises:
        PaperUnknownError: no such paper of this vault.
    """
    try:
        name = bytes.fromhex(paper)
    except ValueError:
        raise PaperUnknownError from None
    with vault.library.writing() as draft:
        if not draft.tx.withdraw_paper(vault.vault_id, name, at=vault.home.clock()):
            raise PaperUnknownError
        draft.journal("paper-withdrawn", paper=paper)


def read_paper(home: "Home", link: str) -> Mapping[str, Any]:
    """The signed proof behind a paper's link, for its bearer. Works while the vault is locked.

    Raises:
        PaperUnknownError: not a link of this home.
        PaperGoneError: withdrawn by its owner, or past its term.
    """
    try:
        secret = b64url_decode(link)
    except EncodingError:
        raise PaperUnknownError from None
    if len(secret) != LINK_SECRET_SIZE:
        raise PaperUnknownError
    with home.store.read() as reader:
        row = reader.paper(link_id(secret))
    if row is None:
        raise PaperUnknownError
    if row.withdrawn_at is not None or row.sealed is None:
        raise PaperGoneError("withdrawn")
    if row.expires_at <= home.clock():
        raise PaperGoneError("expired")
    try:
        found = json.loads(open_link(row.sealed, secret=secret, vault=row.vault_id))
    except CryptoError as error:
        raise PaperUnknownError from error
    assert isinstance(found, dict)  # noqa: S101  # sealed by `publish`
    return found
