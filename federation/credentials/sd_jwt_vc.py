"""SD-JWT VC: the same claims as our W3C credentials, disclosable one by one, for wallets.

`typ` is `dc+sd-jwt`, `vct` names the type (`vocab#IdentityCredential`), claims are the subject's
members by their names. Every claim is disclosable on its own, nullifiers one family at a time;
issuer, dates, type, key and status never are. Who verifies uses `Verifier.verify_sd_jwt`.
Source: IETF draft-ietf-oauth-sd-jwt-vc-16 §3 (format), §6 (type metadata); RFC 9901.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, ClassVar, Final

from federation.credentials.shape import Member, Shape, ShapeError, Value, read_scalar
from federation.credentials.token_status import TokenStatus
from federation.credentials.types import CREDENTIAL_TYPES
from federation.credentials.words import TYPES
from federation.keys import MultikeyError, PublicKey, Signer, did_key, key_of_jwk
from federation.proofs.sd_jwt import Path, VerifiedSdJwt, issue_sd_jwt
from schemas.errors import InvalidInput, JsonRefusedError, MobilityError
from schemas.ids import Did
from schemas.jsonld import parse_json
from schemas.modes import VOCAB

__all__ = [
    "TYP",
    "SdJwtCredential",
    "TypeMetadata",
    "TypeMetadataError",
    "integrity",
    "issue_sd_jwt_vc",
    "read_claims",
    "read_sd_jwt_vc",
    "type_metadata",
    "vct_of",
]

TYP: Final = "dc+sd-jwt"
_NEVER: Final = ("iss", "iat", "nbf", "exp", "cnf", "vct", "vct#integrity", "status", "jti")
"""Claims about the credential (draft §3.2.2.2: not selectively disclosable); `iat` and `jti` are
so by our choice."""
_CLAIM_OF: Final = {"status": "employmentStatus"}
"""Members whose name means something else in a JWT → the claim's name."""
_MEMBER_OF: Final = {claim: member for member, claim in _CLAIM_OF.items()}
_MAX_EXTENDS: Final = 4


class TypeMetadataError(MobilityError, InvalidInput):
    """Type metadata that is malformed, not the bytes the credential names, or that the credential
    does not follow."""

    code: ClassVar[str] = "type-metadata-invalid"


def vct_of(credential_type: str) -> str:
    """`vct` of one of our types."""
    return VOCAB + credential_type


# --- issuing ------------------------------------------------------------


def issue_sd_jwt_vc(
    body: Mapping[str, Any],
    *,
    signer: Signer,
    holder: PublicKey,
    at: datetime,
    valid_until: datetime,
    status: TokenStatus | None = None,
    decoys: int = 0,
) -> str:
    """The SD-JWT twin of `body` (a body of `types.py`), bound to `holder`.

    Raises:
        ShapeError: not a body of the federation's types.
    """
    kind = body["type"][1] if len(body.get("type", ())) == 2 else None
    shape = CREDENTIAL_TYPES.get(kind) if isinstance(kind, str) else None
    if shape is None or not isinstance(kind, str):
        raise ShapeError("type-unknown", "/type", "not a credential type of the federation")
    subject = _plain(body["credentialSubject"], shape)
    claims = {
        "iss": signer.verification_method.partition("#")[0],
        "vct": vct_of(kind),
        "vct#integrity": integrity(_metadata_bytes(kind)),
        "iat": int(at.timestamp()),
        "nbf": int(at.timestamp()),
        "exp": int(valid_until.timestamp()),
        **({"status": status.to_json()} if status else {}),
        **subject,
    }
    conceal: list[Path] = [(name,) for name in subject if name != "nullifiers"]
    conceal += [("nullifiers", family) for family in subject.get("nullifiers", {})]
    return issue_sd_jwt(
        claims, signer=signer, typ=TYP, conceal=conceal, holder=holder, decoys=decoys
    )


def _plain(subject: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """Members of a subject as claims: nodes lose their ids, nullifiers become an object by
    family."""
    claims: dict[str, Any] = {}
    for name, member in shape.members.items():
        if name not in subject:
            if member.required:
                raise ShapeError("missing-member", f"/credentialSubject/{name}", "missing")
            continue
        value = subject[name]
        claim = _CLAIM_OF.get(name, name)
        if claim in _NEVER:
            raise ShapeError("shape-invalid", f"/credentialSubject/{name}", "a name JWTs reserve")
        if name == "nullifiers":
            claims[claim] = {
                node["family"]: {"version": node["version"], "value": node["value"]}
                for node in value
            }
        elif member.kind is Value.NODES:
            claims[claim] = [{k: v for k, v in node.items() if k != "id"} for node in value]
        else:
            claims[claim] = value
    return claims


# --- reading ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SdJwtCredential:
    """A credential in SD-JWT form, as read after its signature was checked."""

    id: str
    type: str
    issuer: Did
    valid_from: datetime
    valid_until: datetime
    holder: Did
    subject: Mapping[str, Any]
    """Disclosed claims, in the shape of our W3C credentials (`id`, members, `nullifiers` a
    list)."""
    status: TokenStatus | None
    disclosed: tuple[Path, ...]
    claims: Mapping[str, Any]


def read_sd_jwt_vc(verified: VerifiedSdJwt, *, identifier: str) -> SdJwtCredential:
    """Read the claims of one of our types, whatever part of them is disclosed.

    Raises:
        ShapeError: `type-unknown`, `missing-member` (dates, issuer, key), `extra-member`,
        `shape-invalid`; `foreign-disclosure` when a claim about the credential is disclosable.
        BitstringError: a `status` claim that is none.
    """
    for path in verified.disclosed:
        if path[0] in _NEVER:
            raise ShapeError("foreign-disclosure", f"/{path[0]}", "this claim is never disclosable")
    return read_claims(verified.claims, identifier=identifier, disclosed=verified.disclosed)


def read_claims(
    claims: Mapping[str, Any], *, identifier: str, disclosed: tuple[Path, ...] = ()
) -> SdJwtCredential:
    """Read claims whose signature is somebody else's to judge (a wallet's own credentials).

    Raises:
        ShapeError, BitstringError: as `read_sd_jwt_vc`.
    """
    vct = claims.get("vct")
    kind = vct.removeprefix(VOCAB) if isinstance(vct, str) else ""
    shape = CREDENTIAL_TYPES.get(kind)
    if shape is None or vct != vct_of(kind):
        raise ShapeError("type-unknown", "/vct", "not a credential type of the federation")
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not issuer.startswith("did:"):
        raise ShapeError("missing-member", "/iss", "a DID expected")
    holder = _holder(claims.get("cnf"))
    return SdJwtCredential(
        id=identifier,
        type=kind,
        issuer=Did(issuer),
        valid_from=_instant(claims, "nbf"),
        valid_until=_instant(claims, "exp"),
        holder=holder,
        subject={"id": holder, **_subject(claims, shape)},
        status=TokenStatus.from_json(claims["status"]) if "status" in claims else None,
        disclosed=disclosed,
        claims=claims,
    )


def _holder(cnf: object) -> Did:
    if not isinstance(cnf, Mapping) or "jwk" not in cnf:
        raise ShapeError("missing-member", "/cnf", "bound to no key")
    try:
        return did_key(key_of_jwk(cnf["jwk"]))
    except MultikeyError as error:
        raise ShapeError("shape-invalid", "/cnf", str(error)) from None


def _instant(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value < 2**37:
        raise ShapeError("missing-member", f"/{name}", "a date in seconds expected")
    return datetime.fromtimestamp(value, UTC)


def _subject(claims: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    subject: dict[str, Any] = {}
    for claim, value in claims.items():
        if claim in _NEVER:
            continue
        name = _MEMBER_OF.get(claim, claim)
        member = shape.members.get(name)
        if member is None or _CLAIM_OF.get(name, name) != claim:
            raise ShapeError("extra-member", f"/{claim}", "not a claim of this type")
        if name == "nullifiers":
            subject[name] = _nullifiers(value, member)
        elif member.kind is Value.NODES:
            if not isinstance(value, list):
                raise ShapeError("shape-invalid", f"/{name}", "a list expected")
            for item in value:
                _read(item, member.shape or Shape(), f"/{name}")
            subject[name] = value
        else:
            read_scalar(value, member, "", name)
            subject[name] = value
    return subject


def _nullifiers(value: object, member: Member) -> list[dict[str, Any]]:
    if not isinstance(value, Mapping):
        raise ShapeError("shape-invalid", "/nullifiers", "families by name expected")
    nodes = []
    for family, content in sorted(value.items()):
        if not isinstance(content, Mapping):
            raise ShapeError("shape-invalid", "/nullifiers", "version and value expected")
        node = {"family": family, **content}
        _read(node, member.shape or Shape(), "/nullifiers")
        nodes.append(node)
    return nodes


def _read(node: object, shape: Shape, where: str) -> None:
    if not isinstance(node, Mapping) or set(node) - set(shape.members):
        raise ShapeError("extra-member", where, "not a member of this type")
    for name, member in shape.members.items():
        if name in node:
            read_scalar(node[name], member, where, name)
        elif member.required:
            raise ShapeError("missing-member", f"{where}/{name}", "missing")


# --- type metadata ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClaimMetadata:
    """What a type says of one claim."""

    path: tuple[str | int | None, ...]
    sd: str = "allowed"
    """`always`, `allowed` or `never` disclosable on its own."""
    mandatory: bool = False
    labels: Mapping[str, str] | None = None
    """Language → label."""


@dataclass(frozen=True, slots=True)
class TypeMetadata:
    """Type metadata document (draft §6.2): names for people, and what issuers must do."""

    vct: str
    names: Mapping[str, str]
    claims: tuple[ClaimMetadata, ...]
    extends: str | None = None
    extends_integrity: str | None = None

    @classmethod
    def parse(cls, data: bytes, *, expected: str | None = None) -> TypeMetadata:
        """Read a document; `expected` is the integrity the credential names for it.

        Raises:
            TypeMetadataError: see the class.
        """
        if expected is not None and integrity(data) not in expected.split():
            raise TypeMetadataError("not the bytes that were named")
        try:
            value = parse_json(data, max_bytes=100_000)
        except JsonRefusedError as error:
            raise TypeMetadataError(str(error)) from None
        if not isinstance(value, dict) or not isinstance(value.get("vct"), str):
            raise TypeMetadataError("a type has a vct")
        claims = value.get("claims", [])
        extends, named = value.get("extends"), value.get("extends#integrity")
        if not isinstance(claims, list) or not all(
            found is None or isinstance(found, str) for found in (extends, named)
        ):
            raise TypeMetadataError("claims are a list, extends a type")
        return cls(
            value["vct"],
            _labels(value.get("display", []), "name"),
            tuple(map(_claim, claims)),
            extends,
            named,
        )

    def resolve(self, load: Callable[[str], bytes]) -> TypeMetadata:
        """This type with the claims of those it extends; its own come first and win.

        Raises:
            TypeMetadataError: more than four deep, a loop, or a parent that is not what was named.
        """
        chain, seen = [self], {self.vct}
        while chain[-1].extends is not None:
            last = chain[-1]
            parent = TypeMetadata.parse(load(str(last.extends)), expected=last.extends_integrity)
            if parent.vct != last.extends or parent.vct in seen or len(chain) > _MAX_EXTENDS:
                raise TypeMetadataError("types extend one another in a loop, or too deep")
            seen.add(parent.vct)
            chain.append(parent)
        claims: dict[tuple[str | int | None, ...], ClaimMetadata] = {}
        for found in chain:
            for claim in found.claims:
                kept = claims.setdefault(claim.path, claim)
                if claim.sd in ("always", "never") and kept.sd != claim.sd:
                    raise TypeMetadataError("a type may not loosen what it extends")
        return TypeMetadata(self.vct, self.names, tuple(claims.values()))

    def check(self, claims: Mapping[str, Any], disclosed: Sequence[Path]) -> None:
        """Refuse a credential whose issuer did not follow its type. A mandatory claim that the
        holder may keep back is not asked for.

        Raises:
            TypeMetadataError: see the class.
        """
        shown = set(disclosed)
        for claim in self.claims:
            found = list(_select(claims, claim.path))
            if claim.sd == "never" and any(path in shown for path in found):
                raise TypeMetadataError(f"{claim.path[0]} must not be disclosable")
            if claim.sd == "always" and any(path not in shown for path in found):
                raise TypeMetadataError(f"{claim.path[0]} must be disclosable")
            if claim.mandatory and claim.sd == "never" and not found:
                raise TypeMetadataError(f"{claim.path[0]} is missing")


def _labels(display: object, member: str) -> dict[str, str]:
    if not isinstance(display, list):
        raise TypeMetadataError("display is a list")
    labels = {}
    for entry in display:
        locale = entry.get("locale", entry.get("lang")) if isinstance(entry, dict) else None
        if not isinstance(locale, str) or not isinstance(entry.get(member), str):
            raise TypeMetadataError("display has a locale and a text")
        labels[locale] = entry[member]
    return labels


def _claim(value: object) -> ClaimMetadata:
    path = value.get("path") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(path, list) or not path:
        raise TypeMetadataError("a claim has a path")
    for part in path:
        if not (part is None or isinstance(part, str) or (type(part) is int and part >= 0)):
            raise TypeMetadataError("a path is made of names, indexes and null")
    sd, mandatory = value.get("sd", "allowed"), value.get("mandatory", False)
    if sd not in ("always", "allowed", "never") or not isinstance(mandatory, bool):
        raise TypeMetadataError("sd is always, allowed or never")
    return ClaimMetadata(tuple(path), sd, mandatory, _labels(value.get("display", []), "label"))


def _select(root: Any, pattern: Sequence[str | int | None]) -> Iterable[Path]:
    places: list[tuple[Path, Any]] = [((), root)]
    for part in pattern:
        step: list[tuple[Path, Any]] = []
        for path, value in places:
            if part is None and isinstance(value, list):
                step.extend(((*path, index), item) for index, item in enumerate(value))
            elif isinstance(part, str):
                if isinstance(value, Mapping) and part in value:
                    step.append(((*path, part), value[part]))
            elif type(part) is int and isinstance(value, list) and part < len(value):
                step.append(((*path, part), value[part]))
        places = step
    return [path for path, _ in places]


def integrity(data: bytes) -> str:
    """Subresource integrity of a document: `sha256-` and base64."""
    return "sha256-" + base64.b64encode(sha256(data).digest()).decode("ascii")


def type_metadata(credential_type: str) -> dict[str, Any]:
    """Type metadata of one of our types, made from its shape.

    Raises:
        ShapeError: `type-unknown`.
    """
    shape = CREDENTIAL_TYPES.get(credential_type)
    if shape is None:
        raise ShapeError("type-unknown", "/vct", "not a credential type of the federation")
    french, english = TYPES[credential_type]
    claims: list[dict[str, Any]] = [
        {"path": [name], "sd": "never"} for name in ("iss", "vct", "exp", "cnf")
    ]
    for name, member in shape.members.items():
        always = name != "nullifiers"
        claims.append(
            {
                "path": [_CLAIM_OF.get(name, name)],
                "sd": "always" if always else "never",
                **({"mandatory": True} if member.required and always else {}),
            }
        )
    return {
        "vct": vct_of(credential_type),
        "display": [{"locale": "fr", "name": french}, {"locale": "en", "name": english}],
        "claims": claims,
    }


def _metadata_bytes(credential_type: str) -> bytes:
    return json.dumps(
        type_metadata(credential_type), ensure_ascii=False, separators=(",", ":")
    ).encode()
