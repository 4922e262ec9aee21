"""The Atom feed of a commune: aids in force there, the newest first, well formed always."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree as ET

from federation.aids.lifecycle import AidRevision
from federation.aids.model import Aid, AidStatus, FunderLevel, Territory
from federation.aids.news import MOST, commune_feed
from federation.aids.schemes import national_schemes
from federation.aids.territories import by_code
from schemas.ids import Did, Iri

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
ATOM = "{http://www.w3.org/2005/Atom}"
TREBES, TOULOUSE = "11397", "31555"
AID = next(
    a for a in national_schemes(Did("did:web:hub.example"), at=AT.date()) if a.is_open(AT.date())
)


def revision(number: int, *, code: str = TREBES, **changes: object) -> AidRevision:
    aid: Aid = replace(
        AID,
        id=Iri(f"did:web:hub.example#aide-{number}"),
        slug=f"aide-{number}",
        territories=(Territory(FunderLevel.COMMUNE, code),),
        **changes,  # type: ignore[arg-type]  # members of an aid
    )
    return AidRevision(number, aid, "hub", "", AT - timedelta(days=100 - number))


def read(revisions: list[AidRevision]) -> ET.Element:
    here = by_code(TREBES)
    assert here is not None
    return ET.fromstring(commune_feed(here, revisions, origin="https://hub.example", at=AT))


def test_the_newest_aids_of_the_commune_come_first_and_no_other() -> None:
    feed = read(
        [
            revision(1),
            revision(2, code=TOULOUSE),
            revision(3, titles={"fr": "Vélo & <b>cargo</b> \x00", "en": "x"}),
            revision(4, status=AidStatus.SUSPENDED),
            revision(5, ends_on=date(2026, 11, 21)),
        ]
    )
    entries = feed.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}id") for entry in entries] == [
        "did:web:hub.example#aide-3",
        "did:web:hub.example#aide-1",
    ]
    assert entries[0].findtext(f"{ATOM}title") == "Vélo & <b>cargo</b> "
    assert entries[0].find(f"{ATOM}link").attrib["href"] == "https://hub.example/aides/aide-3"  # type: ignore[union-attr]
    assert feed.findtext(f"{ATOM}updated") == entries[0].findtext(f"{ATOM}updated")


def test_a_feed_is_bounded_and_an_empty_one_is_a_feed() -> None:
    many = read([revision(n) for n in range(MOST + 5)])
    assert len(many.findall(f"{ATOM}entry")) == MOST
    empty = read([])
    assert empty.findall(f"{ATOM}entry") == []
    assert empty.findtext(f"{ATOM}id") == "https://hub.example/communes/11397"
