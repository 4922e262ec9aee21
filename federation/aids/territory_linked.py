"""A territory's portrait as JSON-LD: what its page says, in the terms of `linked.py`."""

from collections.abc import Mapping, Sequence
from typing import Any

from federation.aids.ceiling import Ceiling
from federation.aids.linked import CONTEXT, Linked, area_node, without_nothing
from federation.aids.territory import Portrait, Seen

__all__ = ["territory_document"]


def territory_document(
    found: Portrait,
    linked: Linked,
    *,
    offers: Sequence[Mapping[str, Any]] = (),
    infrastructure: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The document of a territory's page. Amounts are in euros with two decimals; `ceilingKind` is
    `reached` when a made-up person gets that amount, `bound` when it is only never exceeded.
    `offers` and `infrastructure` are nodes already."""
    place = found.place
    node = {
        **area_node(place.level, place.code),
        "name": {"fr": [place.name]},
        "population": place.population,
        "landingPage": linked.territory(place.level, place.code),
        "aid": [_aid(seen, linked) for seen in found.aids],
        "offer": list(offers),
        "infrastructure": list(infrastructure),
        "containsPlace": [
            {**area_node(inside.level, inside.code), "aidCount": inside.aids}
            for inside in found.inside
        ],
    }
    return {"@context": dict(CONTEXT), **without_nothing(node)}


def _aid(seen: Seen, linked: Linked) -> dict[str, Any]:
    aid = seen.aid
    address = linked.aid(aid.slug)
    return {
        "id": address,
        "type": "FinancialIncentive",
        "slug": aid.slug,
        "version": aid.version,
        "name": {"fr": [aid.titles["fr"]]},
        "provider": linked.funder(aid),
        "deed": list(seen.deeds),
        "incentiveAmount": _amount(seen.ceiling, address),
        "validThrough": aid.ends_on.isoformat() if aid.ends_on else None,
        "stacking": {"fr": [text["fr"] for text in aid.stacking]} if aid.stacking else None,
        "source": aid.source,
        "sourceLicence": aid.source_licence,
    }


def _amount(ceiling: Ceiling | None, address: str) -> dict[str, Any] | None:
    if ceiling is None:
        return None
    return {
        "id": f"{address}#montant",
        "type": "MonetaryAmount",
        "maxValue": f"{ceiling.amount / 100:.2f}",
        "currency": "EUR",
        "unitText": ceiling.per or None,
        "ceilingKind": "reached" if ceiling.is_reached else "bound",
    }
