"""Offers: cards that operators sign and publish at a hub."""

from federation.offers.card import (
    MAX_CARD,
    PAYS,
    Expense,
    OfferCard,
    Price,
    Proof,
    card_from_claims,
    read_card,
    sign_card,
)
from federation.offers.errors import OfferRefusedError
from federation.offers.linked import offer_node, offer_schema
from federation.offers.nearby import is_in, payers

__all__ = [
    "MAX_CARD",
    "PAYS",
    "Expense",
    "OfferCard",
    "OfferRefusedError",
    "Price",
    "Proof",
    "card_from_claims",
    "is_in",
    "offer_node",
    "offer_schema",
    "payers",
    "read_card",
    "sign_card",
]
