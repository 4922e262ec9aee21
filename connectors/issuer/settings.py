"""What an issuer says about itself and its sources: one file, `issuer.toml`.

Every contradiction is found when it is read, with its place in the file. Secrets are not in it:
keys and the HMAC secrets are made at the first start, in `keys.json` beside it (`keys.py`).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from connectors.errors import ConnectorError
from connectors.zones import is_zone
from schemas.errors import InvalidInput
from schemas.ids import Did
from schemas.modes import Mode

__all__ = [
    "FIELDS",
    "NEEDED",
    "IssuerSettings",
    "IssuerSettingsError",
    "Kind",
    "Produces",
    "Register",
    "Source",
]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_ADDRESS: Final = re.compile(
    r"(https://|http://localhost(?=[:/]|$))[A-Za-z0-9.:-]+(/[A-Za-z0-9._-]+)*"
)


class IssuerSettingsError(ConnectorError, InvalidInput):
    """`issuer.toml` says something that cannot be; `where` is its place."""

    code: ClassVar[str] = "issuer-settings-invalid"

    def __init__(self, where: str, why: str) -> None:
        self.where = where
        super().__init__(f"{where}: {why}")


class Produces(StrEnum):
    """What a row becomes."""

    JOURNEY = "journey"
    RENTAL = "rental"
    PASS = "pass"  # noqa: S105  # a transport pass
    INVOICE = "invoice"


class Kind(StrEnum):
    """How rows come."""

    CSV = "csv"
    DATABASE = "database"
    WEBHOOK = "webhook"


_COMMON: Final = ("reference", "customer", "cancelled")
_RIDE: Final = (
    "startedAt", "endedAt", "distance", "mode", "originLat", "originLon", "destinationLat",
    "destinationLon",
)  # fmt: skip
FIELDS: Final[Mapping[Produces, tuple[str, ...]]] = {
    Produces.JOURNEY: (*_COMMON, *_RIDE, "role", "registerClass", "registerStatus"),
    Produces.RENTAL: (*_COMMON, *_RIDE, "network", "vehicleType", "amount"),
    Produces.PASS: (
        *_COMMON, "network", "product", "holder", "payer", "number", "validFrom", "validUntil",
        "amount",
    ),
    Produces.INVOICE: (
        *_COMMON, "number", "issuedOn", "total", "holder", "payer", "validFrom", "validUntil",
    ),
}  # fmt: skip
"""Fields of a row, by what it becomes."""
NEEDED: Final[Mapping[Produces, tuple[str, ...]]] = {
    Produces.JOURNEY: ("reference", "customer", "startedAt", "endedAt", "distance"),
    Produces.RENTAL: ("reference", "customer", "startedAt", "endedAt"),
    Produces.PASS: ("reference", "customer", "product", "holder", "validFrom", "validUntil"),
    Produces.INVOICE: ("reference", "customer", "issuedOn", "total"),
}


@dataclass(frozen=True, slots=True)
class Source:
    """One place rows come from."""

    name: str
    kind: Kind
    produces: Produces
    columns: Mapping[str, str]
    """Field → the operator's name of it; a field that is not named bears its own."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Field → the operator's word → ours (modes, roles)."""
    zone: str = "Europe/Paris"
    """Of times without offset."""
    dates: str = "iso"
    """`iso`, or how times and days are written (`%d/%m/%Y %H:%M`)."""
    distance_unit: str = "m"
    mode: Mode | None = None
    """Where rows do not say one."""
    hold_hours: int = 0
    """How long a row may still be corrected before a credential is signed of it: a wallet that asks
    earlier is told to come back."""
    path: Path | None = None
    """A CSV file, or a folder whose `*.csv` are read."""
    database: str = ""
    """Name of the environment variable that holds the database's URL: it is a secret."""
    query: str = ""
    """May use `:since`: when it was last answered, less two days."""

    def column(self, name: str) -> str:
        return self.columns.get(name, name)


@dataclass(frozen=True, slots=True)
class Register:
    """The operator's account at the State's register of carpool journeys."""

    url: str
    """With its version: `https://…/v3.3`."""
    access_key: str
    secret_key: str
    """Names of the environment variables that hold the keys."""


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """An issuer: who it is, where it answers, what it reads."""

    folder: Path
    name: str
    address: str
    """Public base address: `did:web` follows from it."""
    sources: tuple[Source, ...]
    siret: str | None = None
    contact: str = ""
    families: tuple[str, ...] = ()
    """Non-cumulation rules for which each record gets a one-way name."""
    validity_days: int = 365
    every_s: int = 60
    """Seconds between two looks at files and databases."""
    register: Register | None = None
    """Asked for the status of each journey that says its class of proof."""
    host: str = "127.0.0.1"
    port: int = 8410

    @property
    def allow_loopback(self) -> bool:
        """Whether homes on this machine may be reached: only when we are there ourselves."""
        return self.address.startswith("http://localhost")

    @property
    def did(self) -> Did:
        """`did:web` of the address."""
        authority, _, path = self.address.partition("://")[2].partition("/")
        return Did(
            ":".join(
                ["did:web", authority.replace(":", "%3A"), *path.split("/")[: 99 if path else 0]]
            )
        )

    @property
    def path(self) -> str:
        """Path of the address, empty at its root."""
        return self.address.partition("://")[2].partition("/")[2]

    def source(self, name: str) -> Source | None:
        return next((found for found in self.sources if found.name == name), None)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read `issuer.toml` of a folder.

        Raises:
            IssuerSettingsError: missing, unreadable, or it contradicts itself.
        """
        file = folder / "issuer.toml"
        try:
            found = tomllib.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            raise IssuerSettingsError(
                str(file), "missing; `mobility issuer init` writes one"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise IssuerSettingsError(str(file), str(error)) from None
        given = _Table(found, "")
        listed = found.get("source", [])
        if not isinstance(listed, list) or not listed:
            raise IssuerSettingsError("source", "at least one [[source]] expected")
        sources = tuple(
            _source(_Table(item, f"source[{number}]"), folder) for number, item in enumerate(listed)
        )
        names = [source.name for source in sources]
        if len(set(names)) != len(names):
            raise IssuerSettingsError("source", "two sources of one name")
        address = given.text("address").rstrip("/")
        if _ADDRESS.fullmatch(address) is None:
            raise IssuerSettingsError("address", "an https address expected (http for localhost)")
        siret = given.text("siret", "") or None
        if siret is not None and not re.fullmatch(r"[0-9]{14}", siret):
            raise IssuerSettingsError("siret", "14 digits expected")
        made = cls(
            folder=folder,
            name=given.text("name"),
            address=address,
            sources=sources,
            siret=siret,
            contact=given.text("contact", ""),
            families=given.texts("families"),
            validity_days=given.number("validity_days", 365, 1, 3_650),
            every_s=given.number("every_s", 60, 1, 86_400),
            host=given.text("host", "127.0.0.1"),
            port=given.number("port", 8410, 0, 65_535),
            register=_register(given.table("register")) if "register" in found else None,
        )
        given.done({"source"})
        return made


def _register(given: "_Table") -> Register:
    url = given.text("url").rstrip("/")
    if _ADDRESS.fullmatch(url) is None:
        raise IssuerSettingsError(given.at("url"), "an https address expected")
    made = Register(
        url,
        given.text("access_key", "MOBILITY_REGISTER_ACCESS_KEY"),
        given.text("secret_key", "MOBILITY_REGISTER_SECRET_KEY"),
    )
    given.done(set())
    return made


class _Table:
    """A TOML table, read strictly."""

    def __init__(self, found: object, where: str) -> None:
        if not isinstance(found, dict):
            raise IssuerSettingsError(where, "a table expected")
        self._found, self._where, self._seen = found, where, set[str]()

    def at(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name

    def _get(self, name: str, kind: type, default: Any) -> Any:
        self._seen.add(name)
        value = self._found.get(name, default)
        if value is None:
            raise IssuerSettingsError(self.at(name), "missing")
        if type(value) is not kind:
            raise IssuerSettingsError(self.at(name), f"a {kind.__name__} expected")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        value: str = self._get(name, str, default)
        if default is None and not value.strip():
            raise IssuerSettingsError(self.at(name), "empty")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value: int = self._get(name, int, default)
        if not low <= value <= high:
            raise IssuerSettingsError(self.at(name), f"{low} to {high}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value: list[Any] = self._get(name, list, [])
        if not all(isinstance(item, str) and item for item in value):
            raise IssuerSettingsError(self.at(name), "texts expected")
        return tuple(value)

    def table(self, name: str) -> "_Table":
        return _Table(self._get(name, dict, {}), self.at(name))

    def words(self) -> dict[str, str]:
        self._seen |= set(self._found)
        for name, value in self._found.items():
            if not isinstance(value, str) or not value:
                raise IssuerSettingsError(self.at(name), "a text expected")
        return dict(self._found)

    def names(self) -> tuple[str, ...]:
        return tuple(self._found)

    def one_of(self, name: str, kinds: type[StrEnum], default: str | None = None) -> Any:
        value = self.text(name, default)
        try:
            return kinds(value)
        except ValueError:
            allowed = ", ".join(kinds)
            raise IssuerSettingsError(self.at(name), f"one of {allowed}") from None

    def done(self, others: set[str] = frozenset()) -> None:  # type: ignore[assignment]  # read only
        unknown = sorted(set(self._found) - self._seen - others)
        if unknown:
            raise IssuerSettingsError(self.at(unknown[0]), "not a setting")


def _source(given: _Table, folder: Path) -> Source:
    name = given.text("name")
    if _NAME.fullmatch(name) is None:
        raise IssuerSettingsError(given.at("name"), "lower-case letters, digits and hyphens")
    produces: Produces = given.one_of("produces", Produces)
    kind: Kind = given.one_of("kind", Kind)
    columns = given.table("columns").words()
    unknown = sorted(set(columns) - set(FIELDS[produces]))
    if unknown:
        raise IssuerSettingsError(given.at(f"columns.{unknown[0]}"), f"no field of a {produces}")
    values = given.table("values")
    tables = {field: values.table(field).words() for field in values.names()}
    zone = given.text("zone", "Europe/Paris")
    if not is_zone(zone):
        raise IssuerSettingsError(given.at("zone"), "not an IANA time zone")
    unit = given.text("distance_unit", "m")
    if unit not in ("m", "km"):
        raise IssuerSettingsError(given.at("distance_unit"), "m or km")
    mode = given.text("mode", "")
    path, database, query = (
        given.text("path", ""),
        given.text("database", ""),
        given.text("query", ""),
    )
    needs = {Kind.CSV: ("path", path), Kind.DATABASE: ("query", query)}.get(kind)
    if needs is not None and not needs[1]:
        raise IssuerSettingsError(given.at(needs[0]), "missing")
    if kind is Kind.DATABASE and not database:
        raise IssuerSettingsError(
            given.at("database"), "the environment variable that holds its URL"
        )
    made = Source(
        name=name,
        kind=kind,
        produces=produces,
        columns=columns,
        values=tables,
        zone=zone,
        dates=given.text("dates", "iso"),
        distance_unit=unit,
        mode=given.one_of("mode", Mode) if mode else None,
        hold_hours=given.number("hold_hours", 0, 0, 24 * 30),
        path=(folder / path) if path else None,
        database=database,
        query=query,
    )
    given.done()
    return made
