"""What is new for one commune, as an Atom feed (RFC 4287): public facts, no account, no address.

Whoever wants to hear of new aids while their vault is locked subscribes with a reader of their own.
Nobody is kept: the hub sees that somebody reads the feed of a commune, as it sees its page read.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from federation.aids.lifecycle import AidRevision
from federation.aids.territories import Commune
from federation.trust import format_instant

__all__ = ["MOST", "commune_feed"]

MOST: Final = 50
"""Entries: a commune gains some ten aids a year."""
_ATOM: Final = "http://www.w3.org/2005/Atom"


def commune_feed(
    here: Commune, revisions: Iterable[AidRevision], *, origin: str, at: datetime
) -> bytes:
    """The aids in force of a commune, the newest first; `revisions` are their newest states."""
    found = [r for r in revisions if r.aid.is_open(at.date()) and r.aid.covers(here.codes)]
    found.sort(key=lambda r: (r.at, r.number), reverse=True)
    page = f"{origin}/communes/{here.code}"
    feed = ET.Element("feed", {"xmlns": _ATOM, "xml:lang": "fr"})
    _text(feed, "id", page)
    _text(feed, "title", f"Aides à la mobilité : {here.name}")
    _text(feed, "updated", format_instant(found[0].at if found else at))
    ET.SubElement(feed, "link", {"rel": "self", "href": f"{page}/nouvelles.atom"})
    ET.SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": page})
    for revision in found[:MOST]:
        aid = revision.aid
        entry = ET.SubElement(feed, "entry")
        _text(entry, "id", aid.id)
        _text(entry, "title", aid.titles["fr"])
        _text(entry, "updated", format_instant(revision.at))
        author = ET.SubElement(entry, "author")
        _text(author, "name", aid.funder_name)
        ET.SubElement(entry, "link", {"rel": "alternate", "href": f"{origin}/aides/{aid.slug}"})
        _text(entry, "summary", aid.summaries["fr"])
    content: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return content


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = "".join(c for c in text if c >= " " or c in "\n\t")
