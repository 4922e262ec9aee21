"""What there is: importers and connectors, each with what it can honestly be said to be."""

from dataclasses import dataclass
from typing import Final

from connectors.base import FileImporter, Reality
from connectors.cozy.files import CozyTimeseries
from connectors.emission.files import EmissionEntries
from connectors.errors import UnknownConnectorError
from schemas.evidence import Evidence


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
        "cozy-timeseries",
        "Cozy / CoachCO2 (fichier)",
        "fichier",
        "io.cozy.timeseries.geojson",
        Evidence.DECLARED,
        Reality.IMPORTED,
        "tests/unit/connectors/test_cozy_files.py",
        "2026-11-21",
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


def importers() -> tuple[FileImporter, ...]:
    """File formats, the most particular first."""
    return (CozyTimeseries(), EmissionEntries())


def source(name: str) -> Source:
    """The row of `name`. Raises UnknownConnectorError."""
    for found in SOURCES:
        if found.name == name:
            return found
    raise UnknownConnectorError(name, [known.name for known in SOURCES])


__all__ = ["SOURCES", "Source", "importers", "source"]
