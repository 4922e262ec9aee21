"""An offer as its operator says it: one signed, versioned card.

Signed by the operator itself (JWS, `typ` `mobility-offer+jwt`), so a hub that lists it, or leaves
it out, cannot change its price or where it sends people. `offer.schema.json` is the same contract
for others; a test holds the two together. No card is ever ranked, and nobody pays to be listed.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from federation.aids.model import Aid, FunderLevel, Territory, Text
from federation.aids.search import MODES
from federation.aids.territories import territory_name
from federation.jose import JwsError, JwsMalformedError, sign_jws, verify_jws
from federation.keys import PublicKey, Signer
from federation.offers.errors import OfferRefusedError
from schemas.ids import Did
from schemas.units import Cents

__all__ = [
    "MAX_CARD",
    "PAYS",
    "Expense",
    "OfferCard",
    "Price",
    "Proof",
    "card_from_claims",
    "read_card",
    "sign_card",
]

TYP: Final = "mobility-offer+jwt"
MAX_CARD: Final = 30_000
"""Characters of one signed card."""
MAX_TERRITORIES: Final = 200
MAX_VALIDITY_DAYS: Final = 731
"""Two years: a price is said again, or it ends."""
MAX_PRICE: Final = 10_000_000
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
_KINDS: Final = ("commune", "epci", "departement", "region")
_PER: Final = ("", "mois", "an", "trajet", "heure", "jour", "km")


class Expense(StrEnum):
    """What a person pays for."""

    PURCHASE = "purchase"
    RENTAL = "rental"
    PASS = "pass"  # noqa: S105 - a transport pass
    RIDE = "ride"
    REPAIR = "repair"
    LESSON = "lesson"
    CHARGE = "charge"
    PARKING = "parking"


class Proof(StrEnum):
    """What the operator gives that shows the expense."""

    INVOICE = "invoice"
    """A paper or PDF invoice."""
    SIGNED_INVOICE = "InvoiceCredential"
    SIGNED_PASS = "PassCredential"  # noqa: S105 - a transport pass
    SIGNED_RENTAL = "RentalCredential"
    SIGNED_TRIP = "TripCredential"
    SIGNED_CARPOOL = "CarpoolJourney"


PAYS: Final[Mapping[tuple[str, Expense], tuple[str, ...]]] = {
    ("velo", Expense.PURCHASE): ("achat-velo",),
    ("velo", Expense.REPAIR): ("entretien",),
    ("velo", Expense.PASS): ("transport-en-commun",),
    ("libre-service", Expense.PASS): ("transport-en-commun", "libre-service"),
    ("libre-service", Expense.RIDE): ("libre-service",),
    ("transport-en-commun", Expense.PASS): ("transport-en-commun",),
    ("transport-a-la-demande", Expense.PASS): ("transport-a-la-demande",),
    ("transport-a-la-demande", Expense.RIDE): ("transport-a-la-demande",),
    ("covoiturage", Expense.RIDE): ("covoiturage",),
    ("covoiturage", Expense.PASS): ("covoiturage",),
    ("autopartage", Expense.RENTAL): ("autopartage",),
    ("autopartage", Expense.PASS): ("autopartage",),
    ("autopartage", Expense.RIDE): ("autopartage",),
    ("trottinette", Expense.PURCHASE): ("trottinette",),
    ("voiture", Expense.PURCHASE): ("conversion",),
    ("voiture", Expense.LESSON): ("permis",),
}
"""(mode, expense) → themes of aids that may pay part of it. The refund of a pass also covers a
public bicycle service (code du travail, L. 3261-2)."""


@dataclass(frozen=True, slots=True)
class Price:
    """`cents` None: the sentence alone says it. `starts_at`: the lowest of several."""

    text: Text
    cents: Cents | None
    per: str
    starts_at: bool


@dataclass(frozen=True, slots=True)
class OfferCard:
    """One offer of one operator, in one version."""

    operator: Did
    id: str
    """Unique for the operator."""
    version: int
    mode: str
    expense: Expense
    names: Text
    texts: Text
    territories: tuple[Territory, ...]
    price: Price
    link: str
    valid_from: date
    valid_until: date
    proofs: tuple[Proof, ...]
    ended: bool = False
    """The operator takes it back, whatever its dates."""

    def is_open(self, at: date) -> bool:
        """True on the days the card names, unless it was taken back."""
        return not self.ended and self.valid_from <= at <= self.valid_until

    def covers(self, codes: frozenset[tuple[str, str]]) -> bool:
        """True when one of these (level, code) is a territory of the offer."""
        return any((t.kind.value, t.code) in codes for t in self.territories)

    def is_paid_by(self, aid: Aid) -> bool:
        """True when the aid is for this kind of expense: its theme is one that `PAYS` names."""
        return bool(set(PAYS.get((self.mode, self.expense), ())) & set(aid.themes))

    def to_claims(self) -> dict[str, Any]:
        """What is signed, beside `iat`."""
        return {
            "iss": self.operator,
            "id": self.id,
            "version": self.version,
            "mode": self.mode,
            "expense": self.expense.value,
            "names": dict(self.names),
            "texts": dict(self.texts),
            "territories": [{"kind": t.kind.value, "code": t.code} for t in self.territories],
            "price": {
                "text": dict(self.price.text),
                "cents": self.price.cents,
                "per": self.price.per,
                "startsAt": self.price.starts_at,
            },
            "link": self.link,
            "validFrom": self.valid_from.isoformat(),
            "validUntil": self.valid_until.isoformat(),
            "proofs": [proof.value for proof in self.proofs],
            "ended": self.ended,
        }


def sign_card(card: OfferCard, signer: Signer, *, at: datetime) -> str:
    """The card to publish."""
    return sign_jws({**card.to_claims(), "iat": int(at.timestamp())}, signer, typ=TYP)


def read_card(
    token: str, key_of: Callable[[str], PublicKey], *, loopback_http: bool = False
) -> OfferCard:
    """Verify a card.

    Steps: (1) signed by a key that `key_of` gives for its `kid`; (2) that key is the operator's
    own; (3) exactly the contract's members, each of its type. Left to the caller: that the operator
    is accredited, that somebody moderated the card, that no newer one is known.

    Raises:
        OfferRefusedError: with its `reason`. Whatever `key_of` raises.
    """
    method: list[str] = []

    def key(header: Mapping[str, Any]) -> PublicKey:
        method.append(str(header.get("kid", "")))
        return key_of(method[0])

    try:
        claims = verify_jws(token, key, typ=TYP, max_chars=MAX_CARD).claims  # 1
    except JwsMalformedError:
        raise OfferRefusedError("offer-malformed", "token") from None
    except JwsError:
        raise OfferRefusedError("offer-signature") from None
    if method[0].partition("#")[0] != claims.get("iss"):  # 2
        raise OfferRefusedError("offer-issuer")
    if type(claims.get("iat")) is not int:
        raise OfferRefusedError("offer-malformed", "iat")
    body = {name: value for name, value in claims.items() if name != "iat"}
    return card_from_claims(body, loopback_http=loopback_http)  # 3


def card_from_claims(claims: Mapping[str, Any], *, loopback_http: bool = False) -> OfferCard:
    """The card of a document without signature, checked member by member.

    Raises:
        OfferRefusedError: `offer-malformed`; `where` names the member.
    """
    _exactly(claims, _MEMBERS, "card")
    price = claims["price"]
    _exactly(price, _PRICE_MEMBERS, "price")
    cents = price["cents"]
    if cents is not None and (type(cents) is not int or not 0 <= cents <= MAX_PRICE):
        raise OfferRefusedError("offer-malformed", "price.cents")
    if price["per"] not in _PER or type(price["startsAt"]) is not bool:
        raise OfferRefusedError("offer-malformed", "price.per")
    version = claims["version"]
    if type(version) is not int or not 0 < version < 2**31:
        raise OfferRefusedError("offer-malformed", "version")
    if type(claims["ended"]) is not bool:
        raise OfferRefusedError("offer-malformed", "ended")
    if claims["mode"] not in MODES:
        raise OfferRefusedError("offer-malformed", "mode")
    since, until = _day(claims["validFrom"], "validFrom"), _day(claims["validUntil"], "validUntil")
    if not 0 <= (until - since).days <= MAX_VALIDITY_DAYS:
        raise OfferRefusedError("offer-malformed", "validUntil")
    return OfferCard(
        operator=Did(_plain(claims["iss"], "iss", 255)),
        id=_matching(claims["id"], _ID, "id"),
        version=version,
        mode=str(claims["mode"]),
        expense=_choice(Expense, claims["expense"], "expense"),
        names=_words(claims["names"], "names", 120),
        texts=_words(claims["texts"], "texts", 600),
        territories=_territories(claims["territories"]),
        price=Price(
            _words(price["text"], "price.text", 200),
            None if cents is None else Cents(cents),
            str(price["per"]),
            price["startsAt"],
        ),
        link=_link(claims["link"], loopback_http=loopback_http),
        valid_from=since,
        valid_until=until,
        proofs=_proofs(claims["proofs"]),
        ended=claims["ended"],
    )


_MEMBERS: Final = frozenset(
    ("iss", "id", "version", "mode", "expense", "names", "texts", "territories", "price", "link",
     "validFrom", "validUntil", "proofs", "ended")
)  # fmt: skip
_PRICE_MEMBERS: Final = frozenset(("text", "cents", "per", "startsAt"))


def _exactly(found: object, members: frozenset[str], where: str) -> None:
    if not isinstance(found, Mapping) or set(found) != members:
        raise OfferRefusedError("offer-malformed", where)


def _plain(value: object, where: str, size: int) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= len(value) <= size:
        raise OfferRefusedError("offer-malformed", where)
    if _CONTROL.search(value):
        raise OfferRefusedError("offer-malformed", where)
    return value


def _matching(value: object, pattern: re.Pattern[str], where: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise OfferRefusedError("offer-malformed", where)
    return value


def _words(value: object, where: str, size: int) -> Text:
    if not isinstance(value, Mapping) or not {"fr"} <= set(value) <= {"fr", "en"}:
        raise OfferRefusedError("offer-malformed", where)
    return {language: _plain(text, where, size) for language, text in value.items()}


def _choice(kind: type[Expense], value: object, where: str) -> Expense:
    try:
        return kind(str(value))
    except ValueError:
        raise OfferRefusedError("offer-malformed", where) from None


def _day(value: object, where: str) -> date:
    try:
        if not isinstance(value, str) or len(value) != 10:
            raise ValueError("a day as 2026-12-31")
        return date.fromisoformat(value)
    except ValueError:
        raise OfferRefusedError("offer-malformed", where) from None


def _territories(value: object) -> tuple[Territory, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_TERRITORIES:
        raise OfferRefusedError("offer-malformed", "territories")
    found = []
    for one in value:
        _exactly(one, frozenset(("kind", "code")), "territories")
        kind, code = one["kind"], one["code"]
        known = kind in _KINDS and isinstance(code, str) and territory_name(kind, code)
        if not known:
            raise OfferRefusedError("offer-malformed", "territories")
        found.append(Territory(FunderLevel(kind), code))
    return tuple(dict.fromkeys(found))


def _proofs(value: object) -> tuple[Proof, ...]:
    try:
        if not isinstance(value, list) or len(value) > len(Proof):
            raise ValueError("a list of proofs")
        return tuple(dict.fromkeys(Proof(one) for one in value))
    except (ValueError, TypeError):
        raise OfferRefusedError("offer-malformed", "proofs") from None


def _link(value: object, *, loopback_http: bool) -> str:
    text = _plain(value, "link", 500)
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        raise OfferRefusedError("offer-malformed", "link") from None
    loopback = loopback_http and parts.scheme == "http" and host in ("localhost", "127.0.0.1")
    named = "." in host and "@" not in parts.netloc and not re.search(r"[\s<>\"\\]", text)
    if not loopback and not (parts.scheme == "https" and named):
        raise OfferRefusedError("offer-malformed", "link")
    return text
