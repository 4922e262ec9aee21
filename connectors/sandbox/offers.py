"""The offers of the fictitious operator, as it signs them. Every price is made up."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from federation.aids.model import FunderLevel, Territory
from federation.offers import Expense, OfferCard, Price, Proof
from schemas.ids import Did
from schemas.units import Cents

__all__ = ["sandbox_cards"]

_WHERE: Final = (Territory(FunderLevel.DEPARTEMENT, "11"),)
_YEAR: Final = timedelta(days=365)


def sandbox_cards(operator: Did, *, link: str, at: date) -> Iterator[OfferCard]:
    """A carpool offer and a pass, valid for the year around the day."""
    since = date(at.year, 1, 1)
    yield OfferCard(
        operator=operator,
        id="covoiturage-quotidien",
        version=since.year,
        mode="covoiturage",
        expense=Expense.RIDE,
        names={"fr": "Covoiturage du quotidien (fictif)", "en": "Everyday carpool (fictitious)"},
        texts={
            "fr": "Trajets réguliers entre les villages et les gares de l'Aude.",
            "en": "Regular rides between the villages and stations of Aude.",
        },
        territories=_WHERE,
        price=Price(
            {"fr": "0,10 € par km pour le passager", "en": "€0.10 a km for the passenger"},
            Cents(10),
            "km",
            False,
        ),
        link=link,
        valid_from=since,
        valid_until=since + _YEAR,
        proofs=(Proof.SIGNED_CARPOOL, Proof.INVOICE),
    )
    yield OfferCard(
        operator=operator,
        id="abonnement-annuel",
        version=since.year,
        mode="transport-en-commun",
        expense=Expense.PASS,
        names={"fr": "Abonnement de bus (fictif)", "en": "Bus pass (fictitious)"},
        texts={
            "fr": "Toutes les lignes du réseau fictif, tous les jours.",
            "en": "Every line of the fictitious network, every day.",
        },
        territories=_WHERE,
        price=Price(
            {"fr": "36 € par mois ; 18 € pour les moins de 26 ans",
             "en": "€36 a month; €18 under 26"},
            Cents(3_600),
            "mois",
            False,
        ),
        link=link,
        valid_from=since,
        valid_until=since + _YEAR,
        proofs=(Proof.SIGNED_PASS, Proof.INVOICE),
    )  # fmt: skip
