"""How each app is set up: what its QR code says, and the same values to type.

Sources: OwnTracks booklet, « Remote configuration »; Overland README, « Configuration by Custom
URL »; Traccar Client, `configuration_service.dart` (an https address whose query sets the app);
GPSLogger, « Download a profile » (`gpslogger://properties/` and the address of a profile).
"""

import base64
import json
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from connectors.phones.form import App

INTERVAL_S: Final = 30
"""On the move: enough to see a stop of five minutes, and a battery lasts the day."""
DISTANCE_M: Final = 50

TITLES: Final = {
    App.OWNTRACKS: "OwnTracks",
    App.OVERLAND: "Overland",
    App.TRACCAR: "Traccar Client",
    App.GPSLOGGER: "GPSLogger",
}
SYSTEMS: Final = {
    App.OWNTRACKS: "Android, iPhone",
    App.OVERLAND: "iPhone",
    App.TRACCAR: "Android, iPhone",
    App.GPSLOGGER: "Android",
}


@dataclass(frozen=True, slots=True)
class Setup:
    """What sets an app up. Holds the device token: shown once, kept nowhere."""

    app: App
    link: str = field(repr=False)
    """Content of the QR code; opened on the phone it does the same."""
    values: tuple[tuple[str, str], ...] = field(repr=False)
    """(name of the setting in the app, value), for who types."""


def setup(app: App, *, address: str, token: str, profile: str | None = None) -> Setup:
    """The setup of `app` for the home at `address`. `profile` is the one-time code under which
    GPSLogger fetches its profile."""
    url = f"{address.rstrip('/')}/v1/points/{app.value}"
    values: tuple[tuple[str, str], ...]
    match app:
        case App.OWNTRACKS:
            configuration = {
                "_type": "configuration",
                "mode": 3,
                "url": url,
                "auth": True,
                "username": "coffre",
                "password": token,
                "deviceId": "telephone",
                "monitoring": 1,
                "locatorInterval": INTERVAL_S,
                "locatorDisplacement": DISTANCE_M,
                "moveModeLocatorInterval": INTERVAL_S,
                "extendedData": True,
            }
            inline = base64.b64encode(json.dumps(configuration).encode()).decode()
            link = "owntracks:///config?" + urlencode({"inline": inline})
            values = (
                ("Mode", "HTTP"),
                ("URL", url),
                ("Username", "coffre"),
                ("Password", token),
            )
        case App.OVERLAND:
            link = "overland://setup?" + urlencode(
                {"url": url, "token": token, "device_id": "telephone"}
            )
            values = (("Receiver Endpoint", url), ("Access Token", token))
        case App.TRACCAR:
            settings = {
                "id": token,
                "accuracy": "high",
                "interval": INTERVAL_S,
                "distance": DISTANCE_M,
                "buffer": "true",
            }
            link = f"{url}?{urlencode(settings)}"
            values = (("Server URL", url), ("Device identifier", token))
        case App.GPSLOGGER:
            link = f"gpslogger://properties/{url}/{profile}"
            values = (
                ("URL", url),
                ("HTTP Method", "POST"),
                ("HTTP Headers", f"Authorization: Bearer {token}"),
                ("HTTP Body", GPSLOGGER_BODY),
            )
    return Setup(app, link, values)


GPSLOGGER_BODY: Final = "lat=%LAT&lon=%LON&acc=%ACC&timestamp=%TIMESTAMP"


def gpslogger_profile(*, address: str, token: str) -> str:
    """A GPSLogger profile in Java's properties form: `:` and `=` in values are escaped."""
    url = f"{address.rstrip('/')}/v1/points/{App.GPSLOGGER.value}"
    lines = {
        "current_profile_name": "Coffre",
        "log_customurl_enabled": "true",
        "log_customurl_url": url,
        "log_customurl_method": "POST",
        "log_customurl_headers": f"Authorization: Bearer {token}",
        "log_customurl_body": GPSLOGGER_BODY,
        "log_customurl_discard_offline_locations_enabled": "false",
        "time_before_logging": str(INTERVAL_S),
        "distance_before_logging": "0",
        "accuracy_before_logging": "100",
    }
    return "".join(f"{name}={_escaped(value)}\n" for name, value in lines.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(":", "\\:").replace("=", "\\=")


__all__ = ["SYSTEMS", "TITLES", "Setup", "gpslogger_profile", "setup"]
