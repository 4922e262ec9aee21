"""A home seen from outside: each phone app's requests, played against its public address.

No token is needed: a home answers « no token came » and « this token is wrong » differently, so a
proxy that drops a header, a query or a body shows. Nothing is left in any vault.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from portal.i18n import N_

WRONG: Final = "mvp_essai-de-mobility-doctor-ce-jeton-n-existe-pas"
MISSING: Final = "push-token-missing"
INVALID: Final = "push-token-invalid"
SKEW: Final = timedelta(minutes=5)
LARGE: Final = 900_000
"""Bytes of a full Overland batch."""
POINT: Final = {"tst": 1_760_000_000, "lat": 48.85, "lon": 2.35}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was tried, whether it holds, and what to look at when it does not."""

    name: str
    is_good: bool
    advice: str
    answered: str
    """Status and code that came back: never a body."""


def examine(address: str, client: httpx.Client, *, at: datetime) -> list[Finding]:
    """Every check, in the order in which to repair.

    Raises:
        httpx.TransportError: nothing answers there, or its certificate is refused.
    """
    base = address.rstrip("/")
    health = client.get(f"{base}/healthz")
    found = [
        Finding(
            N_("Adresse en HTTPS"),
            base.startswith("https://"),
            N_("Les téléphones n'envoient rien sans HTTPS : obtenez un certificat."),
            base.split(":", 1)[0],
        ),
        Finding(
            N_("L'hébergeur répond"),
            health.status_code == httpx.codes.OK,
            N_("Le serveur mandataire ne mène pas à mobility serve."),
            str(health.status_code),
        ),
        _clock(health, at),
    ]
    for name, send in _requests(client, base).items():
        found += [
            _expect(
                name, send(None), MISSING, N_("Ce chemin ne passe pas : voir location /v1/points/.")
            ),
            _expect(name, send(WRONG), INVALID, ADVICE[name]),
        ]
    padded = json.dumps({"locations": [], "pad": "x" * LARGE}).encode()
    full = client.post(
        f"{base}/v1/points/overland", content=padded, headers={"Authorization": f"Bearer {WRONG}"}
    )
    found.append(
        _expect(N_("Un envoi de 900 ko"), full, INVALID, N_("Augmentez client_max_body_size à 1m."))
    )
    return found


HEADER: Final = N_("L'en-tête Authorization n'arrive pas : le mandataire l'enlève.")
ADVICE: Final = {
    "OwnTracks": HEADER,
    "Overland": HEADER,
    "GPSLogger": HEADER,
    "Traccar Client (JSON)": N_("Le corps de la requête n'arrive pas."),
    "Traccar Client (adresse)": N_("La partie de l'adresse après le « ? » n'arrive pas."),
}


def _requests(client: httpx.Client, base: str) -> dict[str, Callable[[str | None], httpx.Response]]:
    """Each app's own request, with a token or without."""

    def bearer(token: str | None) -> dict[str, str]:
        return {} if token is None else {"Authorization": f"Bearer {token}"}

    def owntracks(token: str | None) -> httpx.Response:
        basic = base64.b64encode(f"coffre:{token}".encode()).decode()
        headers = {} if token is None else {"Authorization": f"Basic {basic}"}
        body = json.dumps({"_type": "location", **POINT}).encode()
        return client.post(f"{base}/v1/points/owntracks", content=body, headers=headers)

    def overland(token: str | None) -> httpx.Response:
        return client.post(
            f"{base}/v1/points/overland", json={"locations": []}, headers=bearer(token)
        )

    def gpslogger(token: str | None) -> httpx.Response:
        form = {"lat": "48.85", "lon": "2.35", "timestamp": str(POINT["tst"])}
        return client.post(f"{base}/v1/points/gpslogger", data=form, headers=bearer(token))

    def traccar(token: str | None) -> httpx.Response:
        body: dict[str, Any] = {"location": {}}
        if token is not None:
            body["device_id"] = token
        return client.post(f"{base}/v1/points/traccar", json=body)

    def traccar_query(token: str | None) -> httpx.Response:
        query = {} if token is None else {"id": token}
        return client.get(f"{base}/v1/points/traccar", params=query)

    return {
        "OwnTracks": owntracks,
        "Overland": overland,
        "GPSLogger": gpslogger,
        "Traccar Client (JSON)": traccar,
        "Traccar Client (adresse)": traccar_query,
    }


def _expect(name: str, answer: httpx.Response, code: str, advice: str) -> Finding:
    found = _code(answer)
    answered = f"{answer.status_code} {found}".strip()
    return Finding(name, answer.status_code == 401 and found == code, advice, answered)


def _code(answer: httpx.Response) -> str:
    """The code of a problem; empty for anything else."""
    try:
        document = answer.json()
    except ValueError:
        return ""
    code = document.get("code") if isinstance(document, dict) else None
    return code if isinstance(code, str) and len(code) <= 60 else ""


def _clock(answer: httpx.Response, at: datetime) -> Finding:
    try:
        there = parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        there = at
    apart = abs(there - at)
    return Finding(
        N_("L'heure du serveur"),
        apart <= SKEW,
        N_("L'horloge du serveur est fausse de plus de cinq minutes."),
        f"{round(apart.total_seconds())} s",
    )


__all__ = ["Finding", "examine"]
