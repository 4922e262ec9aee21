"""What only a sandbox does: stand in for a click on a fictitious party's own site."""

from portal.settings import Node, Settings

PARTIES = ("employeur", "operateur", "identite/vc")


def sandbox_offer(settings: Settings, party: str = "employeur") -> str:
    """A credential offer of a fictitious party, as its own site would show it."""
    from connectors.http import source_client

    with source_client(allow_loopback=True) as client:
        answer = client.post(
            f"{settings.url(Node.SANDBOX)}/{party}/offers", json={}, statuses=(200, 201)
        )
    link: str = answer.json()["link"]
    return link
