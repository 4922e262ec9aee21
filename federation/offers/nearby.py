"""The offers of a territory, and the aids there that may pay part of each."""

from federation.aids.model import Aid
from federation.aids.territory import Place, Portrait
from federation.offers.card import OfferCard

__all__ = ["is_in", "payers"]


def is_in(card: OfferCard, place: Place) -> bool:
    """True when the offer covers all of the place, or a part of it."""
    return card.covers(place.around | place.inside)


def payers(card: OfferCard, found: Portrait) -> tuple[Aid, ...]:
    """Aids valid in all of the place that are for this kind of expense."""
    return tuple(seen.aid for seen in found.aids if card.is_paid_by(seen.aid))
