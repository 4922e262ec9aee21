"""Builders of received observations around one citizen's week, for reconciliation tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.evidence import Evidence
from schemas.ids import Did, Iri
from schemas.modes import Mode
from schemas.observations import (
    CitizenObservation,
    ClaimBy,
    LabelObservation,
    LegObservation,
    ModeClaim,
    Observation,
    Received,
    Suppression,
    TripObservation,
)
from schemas.records import Place
from schemas.units import Metres

T0 = datetime(2026, 3, 10, 7, 0, tzinfo=UTC)
HOME, WORK, SHOP = Place(43.2130, 2.3510), Place(43.2240, 2.4400), Place(43.2300, 2.3700)
DEPOSITORS = {
    "tracemob": ("did:web:hebergeur.example:connecteurs:tracemob", Evidence.SENSED),
    "push:velo": ("did:web:hebergeur.example:connecteurs:push", Evidence.SENSED),
    "carpool-operator": ("did:web:operateur.example", Evidence.OPERATOR),
    "fichier": ("did:web:hebergeur.example:connecteurs:fichier", Evidence.DECLARED),
    "citizen": ("did:web:hebergeur.example", Evidence.DECLARED),
}


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def observed(
    name: str,
    start: float,
    end: float,
    *,
    source: str = "tracemob",
    origin: Place | None = HOME,
    destination: Place | None = WORK,
    mode: Mode | None = Mode.CAR,
    by: ClaimBy = ClaimBy.SENSOR,
    distance: int | None = 8000,
    written: float | None = None,
    **rest: Any,
) -> TripObservation:
    rest.setdefault("upstream_ids", (name,))
    return TripObservation(
        id=Iri(f"urn:o:{name}"),
        source=source,
        account=f"account@{source}",
        written_at=at(written) if written is not None else None,
        started_at=at(start),
        ended_at=at(end),
        start_zone="Europe/Paris",
        end_zone="Europe/Paris",
        origin=origin,
        destination=destination,
        distance=Metres(distance) if distance is not None else None,
        mode_claims=(ModeClaim(mode=mode, by=by),) if mode is not None else (),
        **rest,
    )


def label(
    name: str,
    start: float,
    end: float,
    written: float,
    *,
    mode: Mode | None = Mode.CARPOOL,
    property: str = "mode",
    value: str = "shared_ride",
    source: str = "tracemob",
) -> LabelObservation:
    return LabelObservation(
        id=Iri(f"urn:l:{name}"),
        source=source,
        account=f"account@{source}",
        upstream_ids=(name,),
        written_at=at(written),
        started_at=at(start),
        ended_at=at(end),
        property=property,
        value=value,
        mode=mode,  # type: ignore[arg-type]
    )


def act(name: str, when: float, kind: str, *targets: str, **rest: Any) -> CitizenObservation:
    return CitizenObservation(
        id=Iri(f"urn:a:{name}"),
        at=at(when),
        act=kind,  # type: ignore[arg-type]
        targets=tuple(Iri(t) for t in targets),
        **rest,
    )


def received(
    observation: Observation, when: float = 10_000, *, ceiling: Evidence | None = None
) -> Received:
    source = getattr(observation, "source", None) or "citizen"
    depositor, usual = DEPOSITORS[source]
    return Received(
        observation=observation,
        depositor=Did(depositor),
        account=f"link@{source}",
        received_at=at(when),
        ceiling=usual if ceiling is None else ceiling,
    )


def suppression(name: str, when: float, scope: str, **rest: Any) -> Suppression:
    return Suppression(
        id=Iri(f"urn:s:{name}"),
        at=at(when),
        scope=scope,
        **rest,  # type: ignore[arg-type]
    )


def leg(start: float, end: float, mode: Mode, distance: int | None, **rest: Any) -> LegObservation:
    return LegObservation(
        started_at=at(start),
        ended_at=at(end),
        mode_claims=(ModeClaim(mode=mode, by=ClaimBy.SENSOR),),
        distance=Metres(distance) if distance is not None else None,
        **rest,
    )


def mint(name: Iri) -> Iri:
    return Iri(f"urn:trip:{name}")
