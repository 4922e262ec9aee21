"""Applications for the energy-saving bonus from a file of the operator's, one object a person."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from connectors.errors import HostileInputError
from connectors.parsing import UnusableError
from connectors.rpc.client import CeeRefusedError, RegisterClient
from connectors.rpc.wire import CeeApplication, JourneyKind
from schemas.errors import MobilityError
from schemas.jsonld import parse_json

__all__ = ["applications", "filed"]

MAX_FILE: Final = 2_000_000
MAX_PEOPLE: Final = 1_000
_FIELDS: Final = frozenset(
    {"kind", "lastName", "phone", "drivingLicense", "appliedAt", "reference", "paidAt"}
)


def applications(data: bytes) -> list[CeeApplication]:
    """A list of objects: `kind` (`short`, `long`), `lastName`, `phone` (E.164), `drivingLicense`,
    `appliedAt`, then `reference` of the journey (short) or `paidAt` (long).

    Raises:
        JsonRefusedError: not JSON. HostileInputError: `where` is the place in the list.
    """
    found: Any = parse_json(data, max_bytes=MAX_FILE)
    if not isinstance(found, list) or len(found) > MAX_PEOPLE:
        raise HostileInputError("not a list of at most 1000", where="/")
    return [_application(entry, f"/{number}") for number, entry in enumerate(found)]


def _application(entry: Any, where: str) -> CeeApplication:
    if not isinstance(entry, Mapping) or not set(entry) <= _FIELDS:
        raise HostileInputError("not a person", where=where)

    def text(name: str) -> str:
        value = entry.get(name, "")
        if not isinstance(value, str) or len(value) > 200:
            raise HostileInputError("not a text", where=f"{where}/{name}")
        return value

    def instant(name: str) -> datetime | None:
        if not text(name):
            return None
        try:
            at = datetime.fromisoformat(text(name))
        except ValueError:
            raise HostileInputError("not a time", where=f"{where}/{name}") from None
        if at.tzinfo is None:
            raise HostileInputError("a time without offset", where=f"{where}/{name}")
        return at

    try:
        kind = JourneyKind(text("kind"))
    except ValueError:
        raise HostileInputError("not short or long", where=f"{where}/kind") from None
    return CeeApplication(
        kind,
        last_name=text("lastName"),
        phone=text("phone"),
        driving_license=text("drivingLicense"),
        applied_at=instant("appliedAt"),
        reference=text("reference"),
        paid_at=instant("paidAt"),
    )


def filed(client: RegisterClient, one: CeeApplication, *, simulated: bool) -> dict[str, str]:
    """What became of one application: `filed`, `possible`, `refused` or `later`, and why. No value
    of the person comes back."""
    try:
        if simulated:
            client.simulate(one)
            return {"state": "possible"}
        told = client.apply(one)
    except CeeRefusedError as error:
        return {"state": "refused", "why": error.reason, "filed": error.filed_at}
    except UnusableError as error:
        return {"state": "refused", "why": f"{error.code} {error.where}"}
    except MobilityError as error:
        return {"state": "later", "why": error.code}
    return {"state": "filed", "uuid": told.uuid, "token": told.token, "journey": told.journey_id}
