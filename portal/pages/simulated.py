"""What only a sandbox does: stand in for a click on a fictitious party's own site."""

from portal.settings import Node, Settings


def sandbox_offer(settings: Settings) -> str:
    """A credential offer of the fictitious employer, as its staff site would show it."""
    from connectors.http import source_client

    with source_client(allow_loopback=True) as client:
        answer = client.post(
            f"{settings.url(Node.SANDBOX)}/employeur/offers", json={}, statuses=(200, 201)
        )
    link: str = answer.json()["link"]
    return link
