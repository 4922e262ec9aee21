"""A DID document, as much of it as verifying needs.

MobilityError
└── DidError (Refused)                  the DID cannot be used
    └── DidMalformedError (InvalidInput)    not a DID, or a document that contradicts itself
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from federation.keys import MultikeyError, PublicKey, decode_multikey, key_of_jwk
from schemas.errors import InvalidInput, MobilityError, Refused
from schemas.ids import Did

__all__ = ["DidDocument", "DidError", "DidMalformedError", "VerificationMethod"]

_MAX_METHODS = 64
"""More than any member needs; bounds work on a hostile document."""


class DidError(MobilityError, Refused):
    """The DID cannot be used here."""

    code = "did-refused"


class DidMalformedError(DidError, InvalidInput):
    """Not a DID we read, or a document that is not its own."""

    code = "did-malformed"


@dataclass(frozen=True, slots=True)
class VerificationMethod:
    """A public key and what it may be used for."""

    id: str
    controller: Did
    multikey: str
    purposes: frozenset[str]
    """`assertionMethod`, `authentication`…"""

    def public(self) -> PublicKey:
        """The key."""
        return decode_multikey(self.multikey)


@dataclass(frozen=True, slots=True)
class DidDocument:
    """Verification methods of one DID."""

    id: Did
    methods: tuple[VerificationMethod, ...]
    services: tuple[tuple[str, str], ...] = ()
    """(type, address) of each service with one of both."""

    def service(self, kind: str) -> str | None:
        """Address of the first service of this type."""
        return next((address for found, address in self.services if found == kind), None)

    def method(self, identifier: str) -> VerificationMethod | None:
        """The method with this DID URL."""
        return next((m for m in self.methods if m.id == identifier), None)

    def key(self, identifier: str, purpose: str) -> PublicKey:
        """Key of a method that may be used for `purpose`.

        Raises:
            DidError: no such method, or not for this purpose.
        """
        method = self.method(identifier)
        if method is None or purpose not in method.purposes:
            raise DidError(f"the DID has no such verification method for {purpose}")
        return method.public()

    @classmethod
    def from_json(cls, value: object, *, expected: str) -> DidDocument:
        """Read a document; methods must be the DID's own, as Multikey or JsonWebKey.

        Raises:
            DidMalformedError: another `id`, or members of the wrong kind.
        """
        if not isinstance(value, Mapping) or value.get("id") != expected:
            raise DidMalformedError("the document is not the DID's own")
        listed = value.get("verificationMethod", [])
        if not isinstance(listed, list) or len(listed) > _MAX_METHODS:
            raise DidMalformedError("verificationMethod is not a short list")
        purposes: dict[str, set[str]] = {}
        for purpose in ("assertionMethod", "authentication"):
            named = value.get(purpose, [])
            if not isinstance(named, list) or len(named) > _MAX_METHODS:
                raise DidMalformedError(f"{purpose} is not a short list")
            for item in named:
                identifier = item.get("id") if isinstance(item, Mapping) else item
                if isinstance(identifier, str):
                    purposes.setdefault(_absolute(identifier, expected), set()).add(purpose)
                if isinstance(item, Mapping):
                    listed = [*listed, item]
        methods = []
        for item in listed:
            if not isinstance(item, Mapping) or not isinstance(item.get("id"), str):
                raise DidMalformedError("a verification method is malformed")
            identifier = _absolute(item["id"], expected)
            if item.get("controller") != expected or not identifier.startswith(f"{expected}#"):
                continue
            try:
                multikey = _multikey(item)
            except MultikeyError:
                continue
            methods.append(
                VerificationMethod(
                    identifier,
                    Did(expected),
                    multikey,
                    frozenset(purposes.get(identifier, ())),
                )
            )
        return cls(Did(expected), tuple(methods), _services(value.get("service")))


def _services(listed: object) -> tuple[tuple[str, str], ...]:
    """What is not one type and one address is left out: others may mean something by it."""
    return tuple(
        (item["type"], item["serviceEndpoint"])
        for item in (listed if isinstance(listed, list) else ())[:_MAX_METHODS]
        if isinstance(item, Mapping)
        and isinstance(item.get("type"), str)
        and isinstance(item.get("serviceEndpoint"), str)
    )


def _multikey(method: Mapping[str, Any]) -> str:
    text, jwk = method.get("publicKeyMultibase"), method.get("publicKeyJwk")
    if isinstance(text, str) and jwk is None:
        return decode_multikey(text).multikey()
    if text is None and jwk is not None:
        return key_of_jwk(jwk).multikey()
    raise MultikeyError("one public key expected")


def _absolute(identifier: str, did: str) -> str:
    return f"{did}{identifier}" if identifier.startswith("#") else identifier
