"""A territory as this hub tells it: portrait, offers, what is built; and all of it as JSON-LD."""

from typing import TYPE_CHECKING, Any

from federation.aids.territory import Portrait
from federation.aids.territory_linked import territory_document
from federation.hub.offers import ListedOffer
from federation.offers import is_in, offer_node, payers

if TYPE_CHECKING:
    from federation.hub.context import HubContext

__all__ = ["linked_territory", "offers_of"]


def offers_of(hub: "HubContext", found: Portrait) -> tuple[ListedOffer, ...]:
    """The offers in force in all or part of the territory."""
    return tuple(one for one in hub.offers.in_force() if is_in(one.card, found.place))


def linked_territory(hub: "HubContext", level: str, code: str) -> dict[str, Any]:
    """The JSON-LD of a territory's page.

    Raises:
        UnknownTerritoryError: no territory of that level and code.
    """
    found, linked = hub.open_data.portrait(level, code), hub.open_data.linked
    nodes = [
        offer_node(
            one.card,
            seller=one.operator_name,
            aids=tuple(linked.aid(aid.slug) for aid in payers(one.card, found)),
        )
        for one in offers_of(hub, found)
    ]
    page = linked.territory(found.place.level, found.place.code)
    built = [
        {
            "id": f"{page}#{one.source.kind}",
            "type": "InfrastructureCount",
            "infrastructureKind": one.source.kind.value,
            "count": one.count,
            "amount": one.amount,
            "source": one.source.source,
            "sourceLicence": one.source.licence,
            "dataDate": one.source.day.isoformat(),
        }
        for one in hub.infrastructure.of(found.place)
    ]
    return territory_document(found, linked, offers=nodes, infrastructure=built)
