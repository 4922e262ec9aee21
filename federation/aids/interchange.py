"""Exchange formats of aids: tables (fabmob's reference schema, moB's), services, links.

All of them say amounts and conditions in prose only: such an aid waits for « à lire chez le
financeur » and is never said to be due. A territory named and not coded is looked up; a name that
several territories bear, or none, leaves the aid to a person.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from federation.aids.errors import RuleImportError
from federation.aids.model import AidStatus, FunderLevel, RuleRef, Territory
from federation.aids.sheet import Import, Sheet, read_rule, slug_of
from federation.aids.territories import by_code, gazetteer, plain

__all__ = ["FRANCE_INSEE", "READERS", "read_table"]

FRANCE_INSEE: Final = "99100"
"""INSEE's code of the country itself."""
MAX_TEXT: Final = 1_000

_MOB_COLUMNS: Final[Mapping[str, str]] = {
    "Nom de l'aide": "nom",
    "Proposition de valeur de l'aide": "description",
    "Nom du territoire": "territoire",
    "Type de financeur": "type_financeur",
    "Nom du financeur": "financeur",
    "Conditions d'obtention": "condition_obtention",
    "Modalités de versement": "modalite_versement",
    "Montant": "montant",
    "Montant min / max de l'aide": "montant_minimum",
    "Mode de transport": "mode_transport",
    "Justificatifs": "justificatifs",
    "Bon à savoir": "info",
    "Contact": "contact",
    "Durée de validité": "duree_validite",
    "Date de fin de validité": "date_fin_validite",
    "Lien de souscription externe": "lien_souscription",
    "Source de l'information": "source",
    "Cible": "cible",
}
"""Columns of moB's table in the words of fabmob's schema."""

_MODES: Final[Mapping[str, str]] = {
    "velo": "velo",
    "velo cargo": "velo",
    "velo adapte": "velo",
    "velo pliant": "velo",
    "vae": "velo",
    "velo a assistance electrique": "velo",
    "covoiturage": "covoiturage",
    "transports en commun": "transport-en-commun",
    "transport en commun": "transport-en-commun",
    "transportscommun": "transport-en-commun",
    "transport public": "transport-en-commun",
    "bus": "transport-en-commun",
    "train": "transport-en-commun",
    "tad": "transport-a-la-demande",
    "transport a la demande": "transport-a-la-demande",
    "voiture": "voiture",
    "voiture electrique": "voiture",
    "electrique": "voiture",
    "autopartage": "autopartage",
    "libre service": "libre-service",
    "libreservice": "libre-service",
    "velo libre service": "libre-service",
    "trottinette": "trottinette",
    "marche": "marche",
}
"""Transport modes as tables write them, by our themes (synonyms of moB's import script)."""


def read_table(text: str, *, source: str, licence: str) -> dict[str, Any]:
    """A CSV file of aids as a document to import: fabmob's schema, or moB's with its « µ ».

    Raises:
        RuleImportError: neither of the two, or not a table.
    """
    head = text.partition("\n")[0]
    separator = "µ" if "µ" in head else ","
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise RuleImportError("table", f"not a CSV file: {error}") from error
    meta = {"source": source, "licence": licence}
    if separator == "µ":
        named = [
            {_MOB_COLUMNS[k.strip()]: v for k, v in row.items() if k and k.strip() in _MOB_COLUMNS}
            for row in rows
        ]
        return {"_meta": meta, "mob": named}
    if not rows or "territoire_insee" not in rows[0]:
        raise RuleImportError("table", "no column « territoire_insee »: not fabmob's schema")
    return {"_meta": meta, "referentiel": rows}


def _value(entry: Mapping[str, Any], name: str) -> str:
    found = entry.get(name)
    text = "" if found is None else str(found).strip()
    return "" if text in ("-", "–") else text


def _list(entry: Mapping[str, Any], name: str) -> list[str]:
    """A list written as JSON, or with « ; », or one line each."""
    text = _value(entry, name)
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, list):
            return [str(item).strip() for item in found if str(item).strip()]
    parts = re.split(r"\s*;\s*|\n\s*-?\s*", text)
    return [part.strip("- ").strip() for part in parts if part.strip("- ").strip()]


def _day(text: str) -> date | None:
    for pattern, order in (
        (r"(\d{4})-(\d{2})-(\d{2})$", (1, 2, 3)),
        (r"(\d{1,2})/(\d{1,2})/(\d{4})$", (3, 2, 1)),
    ):
        match = re.match(pattern, text)
        if match is not None:
            try:
                return date(*(int(match[n]) for n in order))
            except ValueError:
                return None
    return None


def _named_territory(name: str, insee: str = "") -> tuple[tuple[Territory, ...], bool]:
    """(territories, known). The whole country is no territory, and known."""
    if insee == FRANCE_INSEE or plain(name) in ("france", "france entiere", "national"):
        return (), True
    found = gazetteer().named(name)
    if insee:
        found = [(level, code) for level, code in found if code.lstrip("0") == insee.lstrip("0")]
    if len(found) != 1:
        return (), False
    level, code = found[0]
    return (Territory(FunderLevel(level), code),), True


def _table(sheet: Sheet, model: str) -> Import:
    version = sheet.at.isoformat()
    rules: dict[str, Any] = {"aide": {}}
    aids: dict[str, Any] = {}
    skipped: list[tuple[str, str]] = []
    for number, entry in enumerate(sheet.entries, start=1):
        title = _value(entry, "nom") if isinstance(entry, Mapping) else ""
        if not title:
            skipped.append((str(number), "no name"))
            continue
        slug = slug_of("table", f"{title} {_value(entry, 'financeur')}")
        if slug in aids:
            skipped.append((title, "twice in the document"))
            continue
        audience = _value(entry, "cible")
        if audience and "particulier" not in plain(audience):
            skipped.append((title, f"for others than individuals: {audience}"))
            continue
        territories, is_known = _named_territory(
            _value(entry, "territoire"), _value(entry, "territoire_insee")
        )
        themes = {
            _MODES[plain(m)] for m in _list(entry, "mode_transport") if plain(m) in _MODES
        } or {"mobilite"}
        summary = _value(entry, "description")[:MAX_TEXT]
        amount = _value(entry, "montant")[:MAX_TEXT]
        condition = _value(entry, "condition_obtention")[: 2 * MAX_TEXT]
        aids[slug] = sheet.aid(
            slug,
            RuleRef(model, read_rule(rules, slug), version),
            status=AidStatus.PUBLISHED if is_known else AidStatus.REVIEW,
            titles={"fr": title, "en": title},
            summaries={
                "fr": f"{summary} Montant : {amount}" if amount else summary,
                "en": f"{summary} Amount: {amount}" if amount else summary,
            },
            funder_name=_value(entry, "financeur"),
            funder_level=territories[0].kind if territories else FunderLevel.STATE,
            territories=territories,
            themes=tuple(sorted(themes)),
            link=_value(entry, "lien_souscription") or _value(entry, "source"),
            ends_on=_day(_value(entry, "date_fin_validite")),
            pieces=tuple({"fr": p, "en": p} for p in _list(entry, "justificatifs")[:20]),
            not_proven=({"fr": condition, "en": condition},) if condition else (),
        )
    return Import(model, version, rules, tuple(aids.values()), tuple(skipped))


_SERVICE_THEMES: Final[Mapping[str, str]] = {
    "mobilite--acceder-a-un-vehicule": "voiture",
    "mobilite--entretenir-reparer-son-vehicule": "entretien",
    "mobilite--etre-accompagne-dans-son-parcours-mobilite": "accompagnement",
    "mobilite--financer-ma-mobilite": "mobilite",
    "mobilite--preparer-un-permis": "permis",
    "mobilite--mobilite-douce-partagee-collective": "transport-en-commun",
}
"""Themes of `data-inclusion-schema` 1.0 that are about mobility."""


def _zone(codes: object) -> tuple[tuple[Territory, ...], bool]:
    """Territories of `zone_eligibilite`: communes, departements, EPCI, or the country."""
    if not isinstance(codes, list) or not codes:
        return (), False
    found: list[Territory] = []
    for code in map(str, codes):
        if code in ("france", FRANCE_INSEE):
            return (), True
        if re.fullmatch(r"[0-9]{9}", code):
            found.append(Territory(FunderLevel.EPCI, code))
        elif re.fullmatch(r"[0-9][0-9AB][0-9]?", code):
            found.append(Territory(FunderLevel.DEPARTEMENT, code))
        elif (commune := by_code(code)) is not None:
            found.append(Territory(FunderLevel.COMMUNE, commune.code))
        else:
            return (), False
    return tuple(dict.fromkeys(found)), True


def _services(sheet: Sheet) -> Import:
    """Services of DORA, Mes aides and others, as data·inclusion exchanges them."""
    model, version = "services-inclusion", sheet.at.isoformat()
    rules: dict[str, Any] = {"aide": {}}
    aids: dict[str, Any] = {}
    skipped: list[tuple[str, str]] = []
    for entry in sheet.entries:
        name = str(entry.get("id") or "") if isinstance(entry, Mapping) else ""
        title = str(entry.get("nom") or "") if name else ""
        if not title:
            skipped.append((name or "?", "no identifier or name"))
            continue
        themes = {
            _SERVICE_THEMES[t] for t in entry.get("thematiques") or () if t in _SERVICE_THEMES
        }
        if not themes:
            skipped.append((name, "no mobility theme"))
            continue
        slug = slug_of("service", name)
        if slug in aids:
            skipped.append((name, "twice in the document"))
            continue
        territories, is_known = _zone(entry.get("zone_eligibilite"))
        summary = " ".join(str(entry.get("description") or "").split())[:MAX_TEXT]
        access = str(entry.get("conditions_acces") or "")[:MAX_TEXT]
        aids[slug] = sheet.aid(
            slug,
            RuleRef(model, read_rule(rules, slug), version),
            status=AidStatus.PUBLISHED if is_known else AidStatus.REVIEW,
            titles={"fr": title, "en": title},
            summaries={"fr": summary, "en": summary},
            funder_name=str(entry.get("structure_nom") or entry.get("source") or ""),
            funder_level=territories[0].kind if territories else FunderLevel.STATE,
            territories=territories,
            themes=tuple(sorted(themes)),
            link=str(entry.get("lien_mobilisation") or entry.get("lien_source") or ""),
            not_proven=({"fr": access, "en": access},) if access else (),
        )
    return Import(model, version, rules, tuple(aids.values()), tuple(skipped))


def _links(sheet: Sheet) -> Import:
    """Pages of others that explain an aid (service-public.fr, France Travail): never an amount."""
    model, version = "liens", sheet.at.isoformat()
    rules: dict[str, Any] = {"aide": {}}
    aids: dict[str, Any] = {}
    skipped: list[tuple[str, str]] = []
    for entry in sheet.entries:
        name = str(entry.get("id") or "") if isinstance(entry, Mapping) else ""
        link = str(entry.get("lien") or "") if name else ""
        if not link.startswith("https://"):
            skipped.append((name or "?", "no identifier or https link"))
            continue
        if "montant" in entry:
            skipped.append((name, "a link carries no amount"))
            continue
        slug = slug_of("lien", name)
        if slug in aids:
            skipped.append((name, "twice in the document"))
            continue
        title, summary = str(entry["titre"]), str(entry.get("resume") or "")[:MAX_TEXT]
        aids[slug] = sheet.aid(
            slug,
            RuleRef(model, read_rule(rules, slug), version),
            titles={"fr": title, "en": title},
            summaries={"fr": summary, "en": summary},
            funder_name=str(entry.get("financeur") or ""),
            themes=tuple(str(t) for t in entry.get("themes") or ("mobilite",)),
            link=link,
        )
    return Import(model, version, rules, tuple(aids.values()), tuple(skipped))


def _reader(model: str) -> Callable[[Sheet], Import]:
    return lambda sheet: _table(sheet, model)


READERS: Final[Mapping[str, Callable[[Sheet], Import]]] = {
    "referentiel": _reader("referentiel-fabmob"),
    "mob": _reader("mob-csv"),
    "services": _services,
    "liens": _links,
}
"""By the member of the document that holds the entries."""
