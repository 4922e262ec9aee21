"""The catalogue: published aids and their rule models, signed, versioned, cacheable.

```
Catalogue.build(aids, models) → every example must pass → .sign(signer) → bytes
open_catalogue(bytes, key_of) → Catalogue: engines compiled, ready for `evaluate`
```
The bytes are a compact JWS (`mobility-catalogue+jwt`) over plain JSON.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final

from federation.aids.access import check_access
from federation.aids.declaration import check_declaration
from federation.aids.eligibility import Fact, Facts, FactSource, Outcome, evaluate
from federation.aids.errors import CatalogueRefusedError, RuleImportError, UnknownAidError
from federation.aids.model import Aid, AidStatus, CheckMode, aid_from_json, aid_to_json
from federation.aids.publicodes import Engine
from federation.aids.velo import KNOWN_DEFECTS, VELO_MODEL
from federation.aids.words import shared_words
from federation.jose import JwsError, JwsMalformedError, sign_jws, verify_jws
from federation.keys import PublicKey, Signer
from federation.trust import format_instant, parse_instant
from schemas.errors import MobilityError
from schemas.ids import Did

__all__ = ["MAX_CATALOGUE", "Catalogue", "RuleModel", "check_examples", "open_catalogue"]

TYP: Final = "mobility-catalogue+jwt"
MAX_CATALOGUE: Final = 4_000_000
"""Bytes of a signed catalogue read at most: the bike model and its 341 aids take 1.2 MB."""


_DECIDING: Final = (
    "funder",
    "proof",
    "credentialsRequired",
    "bindings",
    "family",
    "familyVersion",
    "identityLevel",
    "checkMode",
    "paperFamilies",
    "declaration",
)
"""Members of an aid that say what it takes to get it."""


@dataclass(frozen=True, slots=True)
class RuleModel:
    """A named rule model in one version, and its compiled engine."""

    name: str
    version: str
    rules: Mapping[str, Any]
    engine: Engine

    @classmethod
    def compile(cls, name: str, version: str, rules: Mapping[str, Any]) -> "RuleModel":
        """Compile; only the bike model may carry its known upstream misspellings.

        Raises:
            RuleImportError: see `Engine`.
        """
        if name == VELO_MODEL:
            engine = Engine(rules, ignored=KNOWN_DEFECTS, lenient_units=True, words=shared_words())
        else:
            engine = Engine(rules, words=shared_words())
        return cls(name, version, rules, engine)


def check_examples(aid: Aid, engine: Engine, at: date) -> None:
    """Every example of an aid must come out as expected before it is published.

    An aid asked for here has one at least: nobody computes money by a rule that nobody tried.

    Raises:
        RuleImportError: the example that does not, with what came out; or there is none.
    """
    if aid.check_mode is not CheckMode.LINK_OUT and not aid.examples:
        raise RuleImportError(f"aid {aid.slug}", "no example: nothing shows that the rule holds")
    if aid.rule.rule not in engine:
        raise RuleImportError(f"aid {aid.slug}", f"no rule « {aid.rule.rule} » in the model")
    check_declaration(aid, engine)
    check_access(aid, engine)
    for binding in aid.bindings:
        if binding.variable not in engine:
            raise RuleImportError(f"aid {aid.slug}", f"no variable « {binding.variable} »")
    for example in aid.examples:
        facts = Facts(
            at=at,
            values={
                name: Fact(value, FactSource.ANSWER) for name, value in example.situation.items()
            },
        )
        outcome = evaluate(aid, facts, engine)
        got = outcome.amount if outcome.is_eligible else None
        if got != example.expected_cents:
            raise RuleImportError(
                f"aid {aid.slug} · example « {example.label} »",
                f"expected {example.expected_cents} cents, got {got}",
            )


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Aids with their models, as one immutable version."""

    issuer: Did
    version: int
    issued_at: datetime
    aids: tuple[Aid, ...]
    models: Mapping[str, RuleModel]
    _by_id: Mapping[str, Aid] = field(init=False, repr=False, compare=False)
    _by_slug: Mapping[str, Aid] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {aid.id: aid for aid in self.aids})
        object.__setattr__(self, "_by_slug", {aid.slug: aid for aid in self.aids})
        if len(self._by_id) != len(self.aids) or len(self._by_slug) != len(self.aids):
            raise RuleImportError("catalogue", "two aids with one identifier or slug")

    @classmethod
    def build(
        cls,
        aids: Iterable[Aid],
        models: Iterable[RuleModel],
        *,
        issuer: Did,
        version: int,
        at: datetime,
    ) -> "Catalogue":
        """Check every aid against its model and its examples.

        Raises:
            RuleImportError: the first aid that does not hold.
        """
        by_name = {model.name: model for model in models}
        kept = tuple(aids)
        for aid in kept:
            model = by_name.get(aid.rule.model)
            if model is None:
                raise RuleImportError(f"aid {aid.slug}", f"no model « {aid.rule.model} »")
            if aid.status is AidStatus.PUBLISHED:
                check_examples(aid, model.engine, at.date())
        return cls(issuer, version, at, kept, by_name)

    def aid(self, id_or_slug: str) -> Aid:
        """One aid.

        Raises:
            UnknownAidError: none has this identifier.
        """
        found = self._by_id.get(id_or_slug) or self._by_slug.get(id_or_slug)
        if found is None:
            raise UnknownAidError(id_or_slug)
        return found

    def public(self) -> "Catalogue":
        """What anybody may read: no draft, nothing reserved to some, and only the models of those.

        A model without any aid stays: it may be new.
        """
        kept = tuple(aid for aid in self.aids if aid.is_public)
        hidden = {aid.rule.model for aid in self.aids} - {aid.rule.model for aid in kept}
        models = {name: model for name, model in self.models.items() if name not in hidden}
        return Catalogue(self.issuer, self.version, self.issued_at, kept, models)

    def with_reserved(self, others: Iterable["Catalogue"]) -> "Catalogue":
        """These aids and the reserved ones of others, each under its own rules. An aid that is open
        to all is told as such."""
        aids, models = dict(self._by_slug), dict(self.models)
        for other in others:
            renamed: dict[str, str] = {}
            for name, model in other.models.items():
                known = models.get(name)
                own = name if known is None or known.version == model.version else f"{name}*"
                renamed[name] = own
                models.setdefault(own, model)
            for aid in other.aids:
                if aid.slug not in aids and aid.id not in self._by_id:
                    rule = replace(aid.rule, model=renamed.get(aid.rule.model, aid.rule.model))
                    aids[aid.slug] = replace(aid, rule=rule)
        return Catalogue(self.issuer, self.version, self.issued_at, tuple(aids.values()), models)

    def engine(self, aid: Aid) -> Engine:
        """The compiled model of an aid."""
        return self.models[aid.rule.model].engine

    def evaluate(self, aid: Aid, facts: Facts) -> Outcome:
        """`federation.aids.eligibility.evaluate` with the right engine."""
        return evaluate(aid, facts, self.engine(aid))

    def rule_digest(self, aid: Aid) -> str:
        """Changes with what decides about `aid`: the rules it rests on, its dated figures, what is
        asked as proof. Not with its words, its source or the day somebody read it again."""
        document = aid_to_json(aid)
        members = {name: document.get(name) for name in _DECIDING}
        figures = [
            {k: v for k, v in figure.items() if k not in ("source", "verifiedOn")}
            for figure in document["parameters"]
        ]
        rules = self.engine(aid).reading(aid.rule.rule)
        text = json.dumps([members, figures, rules], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_claims(self) -> dict[str, Any]:
        """Plain JSON of the catalogue."""
        return {
            "iss": self.issuer,
            "version": self.version,
            "issuedAt": format_instant(self.issued_at),
            "aids": [aid_to_json(aid) for aid in self.aids],
            "models": [
                {"name": m.name, "version": m.version, "rules": dict(m.rules)}
                for m in self.models.values()
            ],
        }

    def digest(self) -> str:
        """Digest of what is published, the version and its date left out."""
        claims = self.to_claims()
        del claims["version"], claims["issuedAt"]
        text = json.dumps(claims, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def sign(self, signer: Signer) -> bytes:
        """The catalogue as it is served."""
        return sign_jws(self.to_claims(), signer, typ=TYP).encode("ascii")


def open_catalogue(content: bytes, key_of: Callable[[str], PublicKey]) -> Catalogue:
    """Verify and read a signed catalogue.

    `key_of(verification_method)` gives the trusted key or raises (`TrustSnapshot.key` does).

    Raises:
        CatalogueRefusedError: size, signature or shape.
        RuleImportError: a rule outside the subset.
    """
    if len(content) > MAX_CATALOGUE:
        raise CatalogueRefusedError("too large")
    try:
        signed = verify_jws(
            content.decode("ascii"),
            lambda header: key_of(str(header.get("kid", ""))),
            typ=TYP,
            max_chars=MAX_CATALOGUE,
        )
    except (JwsError, JwsMalformedError, UnicodeDecodeError) as error:
        raise CatalogueRefusedError(getattr(error, "code", "not ASCII")) from error
    except MobilityError as error:
        raise CatalogueRefusedError(error.code) from error
    claims = signed.claims
    try:
        kid = str(signed.header.get("kid", ""))
        issuer = Did(str(claims["iss"]))
        if kid.split("#", 1)[0] != issuer:
            raise CatalogueRefusedError("signed by another than its issuer")
        models = {
            str(m["name"]): RuleModel.compile(str(m["name"]), str(m["version"]), m["rules"])
            for m in claims["models"]
        }
        return Catalogue(
            issuer=issuer,
            version=int(claims["version"]),
            issued_at=parse_instant(claims["issuedAt"]),
            aids=tuple(aid_from_json(aid) for aid in claims["aids"]),
            models=models,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CatalogueRefusedError(f"shape: {type(error).__name__}") from error
