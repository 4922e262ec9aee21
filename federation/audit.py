"""Auditing a `vault-attested` usage proof: a few leaves of its evidence tree, opened on consent.

1. The entitled funder asks for n leaves; the hub makes a nonce. Which leaves is nobody's choice:
   `positions` follows from the tree's root, which was signed before, and the nonce.
2. The citizen sees the request and consents again, or declines.
3. For each leaf the home opens salt, digests and path, who deposited it, and coarse claims of the
   trip it belongs to: month, mode, band of distance, evidence. Never a place, never an hour. A leaf
   whose evidence the citizen deleted is `withdrawn`: that is their right, not fraud.
4. The answer is signed by the home (JWS); the hub checks each leaf against root and template.

What it shows: that the counted evidence was committed before anybody asked, and still is what was
counted. The deposit's digest lets the funder ask the named source whether it signed it. The home is
still trusted for the coarse claims. Design §6.

    MobilityError
    └── AuditError (InvalidInput)      `audit-invalid`: not an answer to this audit
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, ClassVar, Final

from federation.jose import JwsError, JwsMalformedError, sign_jws, verify_jws
from federation.keys import PublicKey, Signer
from federation.merkle import Leaf, verify_path
from federation.usage import ProofTemplate
from federation.verification import Check, Outcome
from schemas.errors import InvalidInput, MobilityError
from schemas.evidence import Evidence
from schemas.ids import Digest, digest_text, parse_digest

__all__ = [
    "BANDS",
    "MAX_LEAVES",
    "AuditAnswer",
    "AuditError",
    "OpenedLeaf",
    "band",
    "check_answer",
    "positions",
    "read_answer",
    "sign_answer",
]

TYP: Final = "mobility-audit-answer+jwt"
MAX_LEAVES: Final = 20
BANDS: Final = (0, 2_000, 5_000, 10_000, 20_000, 40_000, 80_000)
"""Lower bounds in metres of what an opened leaf says of a trip's length."""
_STEP: Final = 8


class AuditError(MobilityError, InvalidInput):
    """Not an answer to this audit: nothing is concluded from it."""

    code: ClassVar[str] = "audit-invalid"


def band(distance: int) -> int:
    """The band of a distance."""
    return max(bound for bound in BANDS if bound <= distance)


def positions(root: Digest, nonce: str, *, size: int, count: int) -> tuple[int, ...]:
    """Which `count` leaves of a tree of `size` are opened: SHA-256 over root, nonce and a counter,
    taken as a number; values that would favour small positions and repetitions are skipped."""
    wanted = min(count, size, MAX_LEAVES)
    limit = 2**64 - 2**64 % size if size else 0
    found: list[int] = []
    counter = 0
    while len(found) < wanted:
        seed = b"mobility-audit/1" + root + nonce.encode() + counter.to_bytes(4, "big")
        value = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big")
        counter += 1
        if value < limit and value % size not in found:
            found.append(value % size)
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class OpenedLeaf:
    """One leaf as it is opened."""

    position: int
    leaf: Leaf | None
    """None: its evidence was withdrawn."""
    path: tuple[bytes, ...] = ()
    depositor: str = ""
    claims: Mapping[str, str | int] = field(default_factory=dict)
    """`month`, `mode`, `distanceAtLeast`, `evidence`."""

    def to_json(self) -> dict[str, Any]:
        """As it travels."""
        if self.leaf is None:
            return {"position": self.position, "withdrawn": True}
        return {
            "position": self.position,
            "salt": self.leaf.salt.hex(),
            "observation": digest_text(self.leaf.observation),
            "manifest": None if self.leaf.manifest is None else digest_text(self.leaf.manifest),
            "index": self.leaf.index,
            "path": [node.hex() for node in self.path],
            "depositor": self.depositor,
            "claims": dict(self.claims),
        }

    @classmethod
    def from_json(cls, value: object) -> OpenedLeaf:
        """Read one.

        Raises:
            AuditError: not an opened leaf.
        """
        if not isinstance(value, Mapping) or type(value.get("position")) is not int:
            raise AuditError("a leaf has a position")
        if value.get("withdrawn") is True:
            return cls(value["position"], None)
        claims = value.get("claims")
        try:
            salt, nodes = bytes.fromhex(value["salt"]), [bytes.fromhex(n) for n in value["path"]]
            manifest = value["manifest"]
            index = value["index"]
            if len(salt) != 32 or len(nodes) > 64 or any(len(n) != 32 for n in nodes):
                raise AuditError("a salt or a path of another size")
            if type(index) is not int or not 0 <= index < 2**32:
                raise AuditError("an index is a small number")
            if not isinstance(claims, Mapping) or set(claims) != _CLAIMS:
                raise AuditError("month, mode, band and evidence, and nothing else")
            if not all(isinstance(v, str | int) for v in claims.values()):
                raise AuditError("claims are texts and numbers")
            return cls(
                position=value["position"],
                leaf=Leaf(
                    salt,
                    parse_digest(value["observation"]),
                    None if manifest is None else parse_digest(manifest),
                    index,
                ),
                path=tuple(nodes),
                depositor=str(value["depositor"]),
                claims=dict(claims),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise AuditError(f"unreadable leaf: {type(error).__name__}") from None
        except MobilityError as error:
            raise AuditError(str(error)) from None


_CLAIMS: Final = frozenset({"month", "mode", "distanceAtLeast", "evidence"})


@dataclass(frozen=True, slots=True)
class AuditAnswer:
    """An answer whose signature was checked."""

    issuer: str
    leaves: tuple[OpenedLeaf, ...]


def sign_answer(
    leaves: Sequence[OpenedLeaf],
    *,
    application: str,
    nonce: str,
    audience: str,
    signer: Signer,
    at: datetime,
) -> str:
    """The home's signed answer."""
    return sign_jws(
        {
            "iss": signer.verification_method.partition("#")[0],
            "aud": audience,
            "sub": application,
            "nonce": nonce,
            "iat": int(at.timestamp()),
            "leaves": [leaf.to_json() for leaf in leaves],
        },
        signer,
        typ=TYP,
    )


def read_answer(
    token: str,
    key_of: Callable[[str], PublicKey],
    *,
    application: str,
    nonce: str,
    audience: str,
) -> AuditAnswer:
    """Check signature, audience, application and nonce.

    Raises:
        AuditError: not the home's answer to this audit. Whatever `key_of` raises.
    """

    def key(header: Mapping[str, Any]) -> PublicKey:
        method = header.get("kid")
        if not isinstance(method, str):
            raise AuditError("no key named")
        return key_of(method)

    try:
        signed = verify_jws(token, key, typ=TYP, max_chars=200_000)
    except (JwsError, JwsMalformedError) as error:
        raise AuditError(str(error)) from None
    claims = signed.claims
    issuer = str(signed.header["kid"]).partition("#")[0]
    expected = {"iss": issuer, "aud": audience, "sub": application, "nonce": nonce}
    for name, value in expected.items():
        if claims.get(name) != value:
            raise AuditError(f"another {name}")
    leaves = claims.get("leaves")
    if not isinstance(leaves, list) or len(leaves) > MAX_LEAVES:
        raise AuditError("a short list of leaves expected")
    return AuditAnswer(issuer, tuple(map(OpenedLeaf.from_json, leaves)))


def check_answer(
    answer: AuditAnswer,
    template: ProofTemplate,
    *,
    root: Digest,
    size: int,
    wanted: Sequence[int],
    period: tuple[date, date],
) -> tuple[Check, ...]:
    """One check a leaf, and one that they are the leaves named. Withdrawn evidence is neither good
    nor bad: `cannot-tell`."""
    checks: list[Check] = []

    def say(outcome: Outcome, code: str, **params: Any) -> None:
        checks.append(Check(_STEP, code, outcome, "", MappingProxyType(params)))

    if [leaf.position for leaf in answer.leaves] != sorted(wanted):
        say(Outcome.FAIL, "audit-other-leaves")
        return tuple(checks)
    seen: set[bytes] = set()
    months = {f"{day:%Y-%m}" for day in period}
    for opened in answer.leaves:
        number = opened.position + 1
        if opened.leaf is None:
            say(Outcome.CANNOT_TELL, "audit-withdrawn", number=number)
            continue
        held = verify_path(
            opened.leaf, index=opened.position, size=size, path=opened.path, root=root
        )
        if not held or bytes(opened.leaf.observation) in seen:
            say(Outcome.FAIL, "audit-not-committed", number=number)
            continue
        seen.add(bytes(opened.leaf.observation))
        month = str(opened.claims["month"])
        counts = (
            min(months) <= month <= max(months)
            and opened.claims["mode"] in {mode.value for mode in template.modes}
            and opened.claims["evidence"] in {e.value for e in Evidence}
            and Evidence(str(opened.claims["evidence"])) >= template.minimum_evidence
        )
        say(
            Outcome.PASS if counts else Outcome.FAIL,
            "audit-leaf" if counts else "audit-does-not-count",
            number=number,
        )
    return tuple(checks)
