"""An aid: who gives it, to whom, on which proof, by which computable rule.

Texts are keyed `fr` and `en`. Amounts leave the rules in cents. Everything a person is told about
an aid carries its source and the day it was last checked; a figure nobody could check says
« à vérifier ».
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from federation.aids.errors import RuleImportError
from federation.aids.territories import EVERYWHERE, TerritoryCodes
from federation.usage import ProofTemplate, TemplateError, template_from_json, template_to_json
from schemas.ids import Did, Iri

__all__ = [
    "Aid",
    "AidStatus",
    "Answer",
    "CheckMode",
    "Example",
    "FactBinding",
    "FunderLevel",
    "IdentityLevel",
    "LegalText",
    "Parameter",
    "PaymentMode",
    "ProofTemplate",
    "RuleRef",
    "Territory",
    "Text",
    "Visibility",
    "aid_from_json",
    "aid_to_json",
]

Text = Mapping[str, str]
"""The same words in `fr` (always) and `en`."""


class AidStatus(StrEnum):
    """Where an aid stands in its life."""

    DRAFT = "draft"
    REVIEW = "review"
    PUBLISHED = "published"
    SUSPENDED = "suspended"
    EXPIRED = "expired"


class FunderLevel(StrEnum):
    """Who pays, from the nearest to the widest."""

    EMPLOYER = "employer"
    COMMUNE = "commune"
    EPCI = "epci"
    DEPARTEMENT = "departement"
    REGION = "region"
    STATE = "state"


class CheckMode(StrEnum):
    """Who decides when everything is proven. Automatic means accept only (design §8)."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    LINK_OUT = "link-out"
    """The application is made elsewhere, at `link`."""


class IdentityLevel(StrEnum):
    """What the exclusivity of an aid rests on, strongest first."""

    PIVOT = "pivot"
    EMPLOYER = "employer"
    DOCUMENT = "document"
    DECLARED = "declared"


class Visibility(StrEnum):
    """Who is told of an aid."""

    PUBLIC = "public"
    AFFILIATED = "affiliated"
    """Staff of the funder: absent from the public catalogue, search, dumps and feed."""
    COMMUNITY = "community"
    """Whoever was given the funder's link: absent from the same."""


class PaymentMode(StrEnum):
    """How the money reaches the person."""

    PAYROLL = "payroll"
    TRANSFER = "transfer"
    DISCOUNT = "discount"
    """The seller or the operator deducts it."""
    LOAN = "loan"
    UNSTATED = "unstated"
    """The source does not say."""


class Answer(StrEnum):
    """Type of an answer a rule may ask for."""

    BOOLEAN = "boolean"
    NUMBER = "number"
    CHOICE = "choice"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Territory:
    """A territory by its code, never by its name (COG for communes, SIREN for EPCI)."""

    kind: FunderLevel
    code: str


@dataclass(frozen=True, slots=True)
class LegalText:
    """A text the aid rests on."""

    title: str
    reference: str
    link: str
    date: date


@dataclass(frozen=True, slots=True)
class Parameter:
    """A dated figure of the rule. `verified_on` None is shown as « à vérifier »."""

    name: str
    value: str
    valid_from: date
    valid_until: date | None
    source: str
    verified_on: date | None


@dataclass(frozen=True, slots=True)
class RuleRef:
    """Where the computation is: a rule of a model, both by name."""

    model: str
    """Name of the rule model in the catalogue (`national`, `aides-velo`)."""
    rule: str
    """Dotted name of the rule whose value is the amount."""
    version: str


@dataclass(frozen=True, slots=True)
class FactBinding:
    """How a proven claim becomes a value of the rule.

    `claim` is `<CredentialType>.<member path of credentialSubject>`; `variable` a dotted rule
    name. `equals` turns the claim into a boolean: true when the claim is one of those values.
    """

    variable: str
    claim: str
    equals: tuple[str, ...] = ()
    unit: str = ""
    excludes: tuple[str, ...] = ()
    """False when the claim is one of those values; any other value says nothing."""


@dataclass(frozen=True, slots=True)
class Example:
    """A case that must come out as expected before the aid may be published."""

    label: str
    situation: Mapping[str, Any]
    expected_cents: int | None
    """None: not eligible."""


@dataclass(frozen=True, slots=True)
class Aid:
    """One aid in one version, as the catalogue publishes it."""

    id: Iri
    slug: str
    version: str
    status: AidStatus
    titles: Text
    summaries: Text
    funder: Did
    """DID of the funder that asks and decides. For a link-out aid, the hub's own."""
    funder_name: str
    funder_level: FunderLevel
    territories: tuple[Territory, ...]
    themes: tuple[str, ...]
    rule: RuleRef
    proof: ProofTemplate | None
    credentials_required: tuple[str, ...]
    """Credential types beside the usage proof, in the order they are checked."""
    bindings: tuple[FactBinding, ...]
    family: str
    """Exclusivity family (règle de non-cumul); empty when the aid has none."""
    family_version: int
    family_issuer: Did | None
    """The family's only nullifier issuer when it is fixed; None: any accredited for the family."""
    identity_level: IdentityLevel
    stacking: tuple[Text, ...]
    """What adds up and what excludes what, in words."""
    remedies: Text
    decision_time_days: int
    """Days the funder has to decide."""
    silence_means: Text
    legal_basis: tuple[LegalText, ...]
    parameters: tuple[Parameter, ...]
    examples: tuple[Example, ...]
    source: str
    source_licence: str
    last_verified: date | None
    """None: never checked since the import, and the page says so."""
    next_review: date | None
    check_mode: CheckMode
    link: str = ""
    ends_on: date | None = None
    pieces: tuple[Text, ...] = ()
    """Documents the funder asks for, in words."""
    not_proven: tuple[Text, ...] = ()
    """Conditions the proof does not cover, which the person must be told."""
    paper_families: tuple[tuple[str, str], ...] = ()
    """(credential type, family): a pass, an invoice or a bicycle whose nullifier the ledger
    consumes for good, beside the person's."""
    visibility: Visibility = Visibility.PUBLIC
    payment: PaymentMode = PaymentMode.UNSTATED
    extra: Mapping[str, Any] = field(default_factory=dict)

    def is_open(self, at: date) -> bool:
        """True when the aid is published and its end has not passed on that civil day."""
        return self.status is AidStatus.PUBLISHED and (self.ends_on is None or at <= self.ends_on)

    @property
    def is_public(self) -> bool:
        """True when anybody may read it: neither reserved to some nor still being written."""
        return self.visibility is Visibility.PUBLIC and self.status is not AidStatus.DRAFT

    def covers(self, codes: TerritoryCodes) -> bool:
        """True when one of these (level, code) is a territory of the aid; without territory, the
        aid is one of the whole of France."""
        if not self.territories:
            return EVERYWHERE in codes
        return any((t.kind.value, t.code) in codes for t in self.territories)

    def parameter(self, name: str, at: date) -> Parameter | None:
        """The figure of that name in force on that day."""
        for parameter in self.parameters:
            if (
                parameter.name == name
                and parameter.valid_from <= at
                and (parameter.valid_until is None or at <= parameter.valid_until)
            ):
                return parameter
        return None


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def aid_to_json(aid: Aid) -> dict[str, Any]:
    """`aid` as plain JSON (the catalogue's own shape; exact inverse of `aid_from_json`)."""
    proof = aid.proof
    return {
        **dict(aid.extra),
        "id": aid.id,
        "slug": aid.slug,
        "version": aid.version,
        "status": aid.status.value,
        "titles": dict(aid.titles),
        "summaries": dict(aid.summaries),
        "funder": aid.funder,
        "funderName": aid.funder_name,
        "funderLevel": aid.funder_level.value,
        "territories": [{"kind": t.kind.value, "code": t.code} for t in aid.territories],
        "themes": list(aid.themes),
        "rule": {"model": aid.rule.model, "rule": aid.rule.rule, "version": aid.rule.version},
        "proof": None if proof is None else template_to_json(proof),
        "credentialsRequired": list(aid.credentials_required),
        "bindings": [
            {
                "variable": b.variable,
                "claim": b.claim,
                "equals": list(b.equals),
                "unit": b.unit,
                **({"excludes": list(b.excludes)} if b.excludes else {}),
            }
            for b in aid.bindings
        ],
        "family": aid.family,
        "familyVersion": aid.family_version,
        "familyIssuer": aid.family_issuer,
        "identityLevel": aid.identity_level.value,
        "stacking": [dict(text) for text in aid.stacking],
        "remedies": dict(aid.remedies),
        "decisionTimeDays": aid.decision_time_days,
        "silenceMeans": dict(aid.silence_means),
        "legalBasis": [
            {
                "title": text.title,
                "reference": text.reference,
                "link": text.link,
                "date": text.date.isoformat(),
            }
            for text in aid.legal_basis
        ],
        "parameters": [
            {
                "name": p.name,
                "value": p.value,
                "validFrom": p.valid_from.isoformat(),
                "validUntil": _iso(p.valid_until),
                "source": p.source,
                "verifiedOn": _iso(p.verified_on),
            }
            for p in aid.parameters
        ],
        "examples": [
            {
                "label": e.label,
                "situation": dict(e.situation),
                "expectedCents": e.expected_cents,
            }
            for e in aid.examples
        ],
        "source": aid.source,
        "sourceLicence": aid.source_licence,
        "lastVerified": _iso(aid.last_verified),
        "nextReview": _iso(aid.next_review),
        "checkMode": aid.check_mode.value,
        "link": aid.link,
        "endsOn": _iso(aid.ends_on),
        "pieces": [dict(text) for text in aid.pieces],
        "notProven": [dict(text) for text in aid.not_proven],
        **({"paperFamilies": dict(aid.paper_families)} if aid.paper_families else {}),
        **({} if aid.visibility is Visibility.PUBLIC else {"visibility": aid.visibility.value}),
        **({} if aid.payment is PaymentMode.UNSTATED else {"payment": aid.payment.value}),
    }


_KNOWN = frozenset(
    [
        "id",
        "slug",
        "version",
        "status",
        "titles",
        "summaries",
        "funder",
        "funderName",
        "funderLevel",
        "territories",
        "themes",
        "rule",
        "proof",
        "credentialsRequired",
        "bindings",
        "family",
        "familyVersion",
        "familyIssuer",
        "identityLevel",
        "stacking",
        "remedies",
        "decisionTimeDays",
        "silenceMeans",
        "legalBasis",
        "parameters",
        "examples",
        "source",
        "sourceLicence",
        "lastVerified",
        "nextReview",
        "checkMode",
        "link",
        "endsOn",
        "pieces",
        "notProven",
        "paperFamilies",
        "visibility",
        "payment",
    ]
)


def _day(value: object) -> date | None:
    return None if value is None else date.fromisoformat(str(value))


def _must_day(value: object) -> date:
    return date.fromisoformat(str(value))


def aid_from_json(document: Mapping[str, Any]) -> Aid:
    """Read one aid. Members we do not know stay in `extra`.

    Raises:
        RuleImportError: a member is missing or of the wrong type; `where` names the aid.
    """
    where = f"aid {document.get('slug', '?')}" if isinstance(document, Mapping) else "aid"
    try:
        proof = document.get("proof")
        return Aid(
            id=Iri(str(document["id"])),
            slug=str(document["slug"]),
            version=str(document["version"]),
            status=AidStatus(document["status"]),
            titles=dict(document["titles"]),
            summaries=dict(document["summaries"]),
            funder=Did(str(document["funder"])),
            funder_name=str(document["funderName"]),
            funder_level=FunderLevel(document["funderLevel"]),
            territories=tuple(
                Territory(FunderLevel(t["kind"]), str(t["code"])) for t in document["territories"]
            ),
            themes=tuple(str(theme) for theme in document["themes"]),
            rule=RuleRef(
                str(document["rule"]["model"]),
                str(document["rule"]["rule"]),
                str(document["rule"]["version"]),
            ),
            proof=None if proof is None else template_from_json(proof),
            credentials_required=tuple(str(c) for c in document["credentialsRequired"]),
            bindings=tuple(
                FactBinding(
                    str(b["variable"]),
                    str(b["claim"]),
                    tuple(str(v) for v in b.get("equals", ())),
                    str(b.get("unit", "")),
                    tuple(str(v) for v in b.get("excludes", ())),
                )
                for b in document["bindings"]
            ),
            family=str(document["family"]),
            family_version=int(document["familyVersion"]),
            family_issuer=None
            if document.get("familyIssuer") is None
            else Did(str(document["familyIssuer"])),
            identity_level=IdentityLevel(document["identityLevel"]),
            stacking=tuple(dict(text) for text in document["stacking"]),
            remedies=dict(document["remedies"]),
            decision_time_days=int(document["decisionTimeDays"]),
            silence_means=dict(document["silenceMeans"]),
            legal_basis=tuple(
                LegalText(
                    str(text["title"]),
                    str(text["reference"]),
                    str(text["link"]),
                    _must_day(text["date"]),
                )
                for text in document["legalBasis"]
            ),
            parameters=tuple(
                Parameter(
                    str(p["name"]),
                    str(p["value"]),
                    _must_day(p["validFrom"]),
                    _day(p["validUntil"]),
                    str(p["source"]),
                    _day(p["verifiedOn"]),
                )
                for p in document["parameters"]
            ),
            examples=tuple(
                Example(
                    str(e["label"]),
                    dict(e["situation"]),
                    None if e["expectedCents"] is None else int(e["expectedCents"]),
                )
                for e in document["examples"]
            ),
            source=str(document["source"]),
            source_licence=str(document["sourceLicence"]),
            last_verified=_day(document["lastVerified"]),
            next_review=_day(document["nextReview"]),
            check_mode=CheckMode(document["checkMode"]),
            link=str(document.get("link", "")),
            ends_on=_day(document.get("endsOn")),
            pieces=tuple(dict(text) for text in document.get("pieces", ())),
            not_proven=tuple(dict(text) for text in document.get("notProven", ())),
            paper_families=tuple(
                (str(kind), str(family))
                for kind, family in sorted(document.get("paperFamilies", {}).items())
            ),
            visibility=Visibility(document.get("visibility", Visibility.PUBLIC)),
            payment=PaymentMode(document.get("payment", PaymentMode.UNSTATED)),
            extra={k: v for k, v in document.items() if k not in _KNOWN},
        )
    except (KeyError, TypeError, ValueError, AttributeError, TemplateError) as error:
        raise RuleImportError(where, f"unreadable aid: {error}") from error
