"""An offer as `schema:Offer`, in the terms of `federation.aids.linked`; and its JSON Schema."""

import json
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import quote

from federation.aids.linked import area_node, without_nothing
from federation.offers.card import OfferCard

__all__ = ["offer_node", "offer_schema"]


def offer_node(card: OfferCard, *, seller: str, aids: tuple[str, ...] = ()) -> dict[str, Any]:
    """A card without its context. `seller`: the operator's name in the trust registry; `aids`: the
    addresses of aids that may pay part of it."""
    iri = f"{card.operator}#offre-{quote(card.id)}"
    price = card.price
    return without_nothing(
        {
            "id": iri,
            "type": "Offer",
            "name": _by_language(card.names),
            "description": _by_language(card.texts),
            "version": str(card.version),
            "seller": {"id": str(card.operator), "type": "Agent", "agentName": seller},
            "mode": card.mode,
            "expense": card.expense.value,
            "eligibleRegion": [area_node(t.kind.value, t.code) for t in card.territories],
            "price": None if price.cents is None else f"{price.cents / 100:.2f}",
            "priceCurrency": None if price.cents is None else "EUR",
            "unitText": price.per or None,
            "priceText": _by_language(price.text),
            "url": card.link,
            "validFrom": card.valid_from.isoformat(),
            "validThrough": card.valid_until.isoformat(),
            "proofOfExpense": [proof.value for proof in card.proofs],
            "paidBy": list(aids),
        }
    )


def _by_language(text: Any) -> dict[str, list[str]]:
    return {language: [words] for language, words in text.items()}


@cache
def offer_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the claims of a card."""
    text = resources.files("federation.offers").joinpath("offer.schema.json").read_text("utf-8")
    return dict(json.loads(text))
