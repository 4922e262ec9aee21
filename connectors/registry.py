"""What there is: importers and connectors, each with what it can honestly be said to be."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import entry_points
from typing import Any, Final

import structlog

from connectors.base import Connector, ConnectorFactory, FileImporter, Reality
from connectors.contract.client import AccountClient
from connectors.contract.connector import AccountConnector
from connectors.contract.oauth import Credentials as AccountCredentials
from connectors.cozy.client import CozyClient
from connectors.cozy.connector import CozyConnector
from connectors.cozy.files import CozyTimeseries
from connectors.cozy.oauth import Credentials
from connectors.cozy.spreadsheet import CoachCo2Csv
from connectors.emission.client import EmissionClient
from connectors.emission.connector import EmissionConnector
from connectors.emission.files import EmissionEntries
from connectors.errors import UnknownConnectorError
from connectors.files.google import GoogleTimeline
from connectors.files.tracks import Fit, GeoJsonTrack, Gpx, Kml, OwnTracksRec, Tcx
from connectors.mapping import mappings
from schemas.evidence import Evidence

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """One row of the table in `connectors/README.md`."""

    name: str
    title: str
    way_in: str
    standard: str
    evidence: Evidence
    """The strongest class it can bring, where the registry accredits its depositor."""
    reality: Reality
    tests: str
    last_verified: str


SOURCES: Final[tuple[Source, ...]] = (
    Source(
        "tracemob",
        "Tracemob / e-mission (serveur)",
        "relevé avec jeton",
        "e-mission, dialectes 2021 et 2026",
        Evidence.SENSED,
        Reality.REAL,
        "tests/conformance/test_connectors.py",
        "2026-11-21",
    ),
    Source(
        "emission-entries",
        "Tracemob / e-mission (fichier)",
        "fichier",
        "entrées, trajets confirmés ou composites, étiquettes",
        Evidence.DECLARED,
        Reality.IMPORTED,
        "tests/unit/connectors/test_emission_files.py",
        "2026-11-21",
    ),
    Source(
        "cozy",
        "Cozy / CoachCO2 (nuage de la personne)",
        "relevé avec l'accord donné dans le Cozy (OAuth 2)",
        "cozy-stack : enregistrement dynamique, _find, _changes, io.cozy.timeseries.geojson",
        Evidence.DECLARED,
        Reality.REAL,
        "tests/conformance/test_connectors.py, tests/unit/connectors/test_cozy.py",
        "2026-11-22",
    ),
    Source(
        "operator-account",
        "Compte opérateur (trajets, abonnements, factures)",
        "relevé avec l'accord donné chez l'opérateur (OAuth 2) ; nouvelles signées",
        "mobility-account/1 (schemas/contracts)",
        Evidence.OPERATOR,
        Reality.REAL,
        "tests/conformance/test_connectors.py, tests/unit/connectors/test_contract.py",
        "2026-11-22",
    ),
    Source(
        "cozy-timeseries",
        "Cozy / CoachCO2 (fichier)",
        "fichier",
        "io.cozy.timeseries.geojson",
        Evidence.DECLARED,
        Reality.IMPORTED,
        "tests/unit/connectors/test_cozy_files.py",
        "2026-11-21",
    ),
    *(
        Source(
            name,
            title,
            "fichier",
            standard,
            Evidence.DECLARED,
            Reality.IMPORTED,
            "tests/unit/connectors/test_files.py",
            "2026-11-22",
        )
        for name, title, standard in (
            ("google-timeline", "Google Timeline", "quatre formes, et Records.json"),
            ("coachco2-csv", "CoachCO2 (CSV)", "export de l'application"),
            ("gpx", "GPX", "1.0 et 1.1"),
            ("tcx", "TCX", "Garmin Training Center"),
            ("kml", "KML", "gx:Track, TimeSpan"),
            ("fit", "FIT", "messages record"),
            ("geojson", "GeoJSON daté", "RFC 7946 et coordTimes"),
            ("owntracks-rec", "OwnTracks Recorder", ".rec"),
            ("modele", "CSV ou JSON par modèle", "connectors/README.md, « A mapping »"),
        )
    ),
    *(
        Source(
            name,
            title,
            "envoi de positions, jeton d'appareil",
            standard,
            Evidence.SENSED,
            Reality.REAL,
            "tests/unit/connectors/test_phones.py",
            "2026-11-22",
        )
        for name, title, standard in (
            ("owntracks", "OwnTracks", "HTTP"),
            ("overland", "Overland", "GeoJSON"),
            ("traccar", "Traccar Client", "OsmAnd, JSON depuis la version 9"),
            ("gpslogger", "GPSLogger", "adresse personnalisée"),
        )
    ),
    Source(
        "push",
        "Toute application (envoi)",
        "envoi avec jeton d'ajout",
        "POST /v1/push, JSON ou JSON-LD",
        Evidence.SENSED,
        Reality.REAL,
        "tests/unit/connectors/test_push.py",
        "2026-11-21",
    ),
    Source(
        "carpool-booking",
        "Opérateur de covoiturage (réservations)",
        "appel de l'opérateur, jeton d'identité de la personne",
        "Standard Covoiturage, booking_events",
        Evidence.SENSED,
        Reality.REAL,
        "tests/unit/connectors/test_carpool.py",
        "2026-11-22",
    ),
    Source(
        "carpool-operator",
        "Opérateur de covoiturage du bac à sable",
        "dépôt scellé signé",
        "CarpoolJourney (VC 2.0), boîte de dépôt",
        Evidence.OPERATOR,
        Reality.SIMULATED,
        "tests/unit/connectors/test_sandbox.py",
        "2026-11-21",
    ),
    Source(
        "employer",
        "Employeur du bac à sable",
        "délivrance d'attestation",
        "OpenID4VCI 1.0, AffiliationCredential",
        Evidence.OPERATOR,
        Reality.SIMULATED,
        "tests/unit/connectors/test_sandbox.py",
        "2026-11-21",
    ),
    Source(
        "identity",
        "Fournisseur d'identité du bac à sable",
        "connexion",
        "OpenID Connect, userinfo signé (ES256), niveaux eIDAS",
        Evidence.DECLARED,
        Reality.SIMULATED,
        "tests/unit/connectors/test_identity.py",
        "2026-11-21",
    ),
)


BUILT_IN: Final[tuple[Callable[[], FileImporter], ...]] = (
    CozyTimeseries,
    CoachCo2Csv,
    EmissionEntries,
    GoogleTimeline,
    OwnTracksRec,
    Gpx,
    Tcx,
    Kml,
    Fit,
    GeoJsonTrack,
)
"""File formats, the most particular first."""
SHARED_ACCOUNT: Final = frozenset({"emission-entries", "cozy-timeseries"})
"""Formats whose files meet in one account: trips in one, their labels in another. Every other
import has an account of its own, so that it can be undone by itself."""


_IS_IMPORTER: Final[type[Any]] = FileImporter


def importers() -> tuple[FileImporter, ...]:
    """What reads files here: formats, then mappings, then what installed packages bring."""
    return (*(kind() for kind in BUILT_IN), *mappings(), *_installed(IMPORTERS, _IS_IMPORTER))


def factories() -> dict[str, ConnectorFactory]:
    """Pulled connectors by name: ours, then what installed packages bring (never in place of
    ours)."""
    found: dict[str, ConnectorFactory] = {made.name: made for made in OURS}
    for made in _installed(CONNECTORS, object):
        found.setdefault(made.name, made)
    return found


def kinds_of(name: str) -> tuple[str, ...]:
    """Kinds of records that the pulled source `name` leaves: what its factory's `kinds` says, else
    trips."""
    ours = next((made for made in OURS if made.name == name), None)
    made = factories().get(name) if ours is None else ours
    return tuple(getattr(made, "kinds", ("Trip",)))


IMPORTERS: Final = "mobility_vault.importers"
CONNECTORS: Final = "mobility_vault.connectors"


def _installed(group: str, kind: type[Any]) -> list[Any]:
    """Objects that installed packages name in `group`; one that does not load is left out and
    logged."""
    found = []
    for entry in entry_points(group=group):
        try:
            made = entry.load()()
            if not isinstance(made, kind) or not isinstance(getattr(made, "name", None), str):
                raise TypeError("not what this group is for")
            found.append(made)
        except Exception:  # a third party's package may not stop this home
            _log.warning("connectors.extension_refused", group=group, name=entry.name)
    return found


class _Emission:
    """e-mission and Tracemob."""

    name = "tracemob"
    title = "Tracemob, e-mission"

    def __call__(
        self, transport: Any, *, token: str, account: str, clock: Callable[[], datetime]
    ) -> Connector:
        return EmissionConnector(
            EmissionClient(transport, token=token), account=account, clock=clock
        )


EMISSION: Final = _Emission()


class _Cozy:
    """A person's own Cozy. The token is what `Credentials.to_json` writes: connecting one takes a
    browser (`cozy.linking`)."""

    name = "cozy"
    title = "Cozy, CoachCO2"

    def __call__(
        self, transport: Any, *, token: str, account: str, clock: Callable[[], datetime]
    ) -> Connector:
        client = CozyClient(transport, Credentials.parse(token))
        return CozyConnector(client, account=account, clock=clock)


COZY: Final = _Cozy()


class _OperatorAccount:
    """An operator that serves the mobility account. The token is what `Credentials.to_json` writes:
    connecting one takes a browser (`contract.linking`)."""

    name = "operator-account"
    title = "Compte opérateur"
    kinds = ("Trip", "Subscription", "Invoice")

    def __call__(
        self, transport: Any, *, token: str, account: str, clock: Callable[[], datetime]
    ) -> Connector:
        client = AccountClient(
            transport, AccountCredentials.parse(token), address=transport.base_url
        )
        return AccountConnector(client, account=account, clock=clock)


OPERATOR_ACCOUNT: Final = _OperatorAccount()
OURS: Final = (EMISSION, COZY, OPERATOR_ACCOUNT)


def source(name: str) -> Source:
    """The row of `name`. Raises UnknownConnectorError."""
    for found in SOURCES:
        if found.name == name:
            return found
    raise UnknownConnectorError(name, [known.name for known in SOURCES])


__all__ = [
    "SHARED_ACCOUNT",
    "SOURCES",
    "Source",
    "factories",
    "importers",
    "kinds_of",
    "source",
]
