"""Records of extensions in an open vault: those of one, and those that nobody here can read."""

from typing import TYPE_CHECKING, Final, cast

from federation.openid4vp import CredentialQuery
from schemas.extensions import installed
from schemas.records import ExtensionRecord, Kind

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["asked_facts", "extension_records", "strangers"]

_NAMES: Final = ("credentialSubject", "facts", None, "name")


def asked_facts(query: CredentialQuery) -> frozenset[str]:
    """Names of the facts that a query for an `ExtensionStatement` asks for."""
    return frozenset(
        str(value) for claim in query.claims if claim.path == _NAMES for value in claim.values or ()
    )


def extension_records(
    vault: "OpenVault", extension: str, type_: str | None = None
) -> list[ExtensionRecord]:
    """Records of one extension (of one type), as they are filed: dated ones by date, then those
    without a date of their own."""
    return [
        record
        for record in cast(list[ExtensionRecord], vault.all(Kind.EXTENSION))
        if record.extension == extension and type_ in (None, record.type)
    ]


def strangers(vault: "OpenVault") -> list[ExtensionRecord]:
    """Records of extensions that are not installed here: sealed, exported and deleted like any."""
    known = installed()
    return [
        record
        for record in cast(list[ExtensionRecord], vault.all(Kind.EXTENSION))
        if record.extension not in known
    ]
