"""Shared bicycles and scooters of a fictitious operator, as GBFS 2.3 and 3.0 and as TOMP 1.3."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header
from fastapi.responses import JSONResponse

__all__ = ["GBFS", "TOMP", "create_shared_fleet_router"]

GBFS: Final = "velos"
TOMP: Final = "tomp"
NAME: Final = "Vélos des Corbières (fictif)"
STATIONS: Final = (
    ("s1", "Gare", 43.2183, 2.3517, 6),
    ("s2", "Place Carnot", 43.2130, 2.3520, 3),
    ("s3", "Trèbes port", 43.2110, 2.4410, 0),
)
LOOSE: Final = 5
"""Scooters that stand anywhere."""


def create_shared_fleet_router(base: str, *, clock: Callable[[], datetime]) -> APIRouter:
    """Routes below `base`, the sandbox's address."""
    router = APIRouter(tags=["shared-fleet"])

    @router.get(f"/{GBFS}/{{version}}/gbfs.json")
    def discovery(version: str) -> Any:
        feeds = [
            {"name": name, "url": f"{base}/{GBFS}/{version}/{name}.json"}
            for name in (
                "system_information",
                "vehicle_types",
                "system_pricing_plans",
                "station_information",
                "station_status",
                "vehicle_status" if version == "3.0" else "free_bike_status",
            )
        ]
        if version not in {"2.3", "3.0"}:
            return JSONResponse({"error": "not found"}, status_code=404)
        return _answer(
            clock(), version, {"feeds": feeds} if version == "3.0" else {"fr": {"feeds": feeds}}
        )

    @router.get(f"/{GBFS}/{{version}}/{{feed}}.json")
    def feed(version: str, feed: str) -> Any:
        data = _feed(version, feed)
        if data is None or version not in {"2.3", "3.0"}:
            return JSONResponse({"error": "not found"}, status_code=404)
        return _answer(clock(), version, data)

    @router.get(f"/{TOMP}/operator/{{what}}")
    def operator(what: str, api: Annotated[str, Header()] = "") -> Any:
        if api != "TOMP":
            return JSONResponse({"errorcode": 1001, "title": "no Api header"}, status_code=400)
        found = _tomp(what)
        if found is None:
            return JSONResponse({"errorcode": 1004, "title": "not found"}, status_code=404)
        return found

    return router


def _answer(now: datetime, version: str, data: Any) -> dict[str, Any]:
    at: Any = now.astimezone(UTC).isoformat(timespec="seconds")
    return {
        "last_updated": at if version == "3.0" else int(now.timestamp()),
        "ttl": 60,
        "version": version,
        "data": data,
    }


def _text(version: str, text: str) -> Any:
    return [{"text": text, "language": "fr"}] if version == "3.0" else text


def _feed(version: str, feed: str) -> Any:
    available = "num_vehicles_available" if version == "3.0" else "num_bikes_available"
    loose = [
        {"lat": 43.21, "lon": 2.36, "is_reserved": n == 0, "is_disabled": n == 1}
        for n in range(LOOSE)
    ]
    match feed:
        case "system_information":
            return {
                "system_id": "velos-corbieres",
                **({"languages": ["fr"]} if version == "3.0" else {"language": "fr"}),
                "name": _text(version, NAME),
                "operator": _text(version, NAME),
                "url": "https://velos-des-corbieres.invalid/",
                "timezone": "Europe/Paris",
                "license_id": "etalab-2.0",
                "rental_apps": {
                    "android": {"store_uri": "https://velos-des-corbieres.invalid/app"}
                },
            }
        case "vehicle_types":
            return {
                "vehicle_types": [
                    {"vehicle_type_id": "v", "form_factor": "bicycle", "propulsion_type": "human"},
                    {
                        "vehicle_type_id": "t",
                        "form_factor": "scooter_standing",
                        "propulsion_type": "electric",
                    },
                ]
            }
        case "system_pricing_plans":
            return {
                "plans": [
                    {
                        "plan_id": "p",
                        "name": _text(version, "Trajet simple"),
                        "currency": "EUR",
                        "price": 1,
                        "is_taxable": False,
                        "description": _text(version, "Un euro, puis 5 centimes la minute"),
                        "per_min_pricing": [{"start": 30, "rate": 0.05, "interval": 1}],
                    }
                ]
            }
        case "station_information":
            return {
                "stations": [
                    {"station_id": i, "name": _text(version, n), "lat": lat, "lon": lon}
                    for i, n, lat, lon, _ in STATIONS
                ]
            }
        case "station_status":
            return {"stations": [{"station_id": i, available: n} for i, _, _, _, n in STATIONS]}
        case "vehicle_status" if version == "3.0":
            return {"vehicles": [{"vehicle_id": str(n), **x} for n, x in enumerate(loose)]}
        case "free_bike_status" if version == "2.3":
            return {"bikes": [{"bike_id": str(n), **x} for n, x in enumerate(loose)]}
    return None


def _tomp(what: str) -> Any:
    match what:
        case "information":
            return {
                "systemId": "velos-corbieres",
                "language": ["fr"],
                "name": NAME,
                "operator": NAME,
                "url": "https://velos-des-corbieres.invalid/",
                "timezone": "Europe/Paris",
                "typeOfSystem": "STATION_BASED",
            }
        case "stations":
            return [
                {"stationId": i, "name": n, "coordinates": {"lat": lat, "lng": lon}}
                for i, n, lat, lon, _ in STATIONS
            ]
        case "available-assets":
            return [
                {"id": "v", "assetClass": "BICYCLE", "nrAvailable": sum(s[4] for s in STATIONS)},
                {"id": "t", "assetClass": "STEP", "nrAvailable": LOOSE - 2},
            ]
        case "pricing-plans":
            return [
                {
                    "planId": "p",
                    "name": "Trajet simple",
                    "description": "Un euro, puis 5 centimes la minute",
                    "fare": {
                        "estimated": False,
                        "parts": [
                            {"type": "FIXED", "amount": 1, "currencyCode": "EUR"},
                            {
                                "type": "FLEX",
                                "amount": 0.05,
                                "currencyCode": "EUR",
                                "unitType": "MINUTE",
                                "units": 1,
                            },
                        ],
                    },
                }
            ]
    return None
