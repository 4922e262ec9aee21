"""Imports: others' catalogues as aids of ours, with provenance, a diff, and a quality report.

Each importer is pure: a document with `_meta` (source, licence) in, aids and one rule model out.
Nothing is verified by importing: every aid says « jamais vérifiée depuis l'import » until a person
checked it. What a document says only in prose is not computed: such an aid waits for « à lire ».
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from federation.aids.errors import RuleImportError
from federation.aids.interchange import READERS
from federation.aids.model import (
    Aid,
    AidStatus,
    CheckMode,
    FunderLevel,
    RuleRef,
    Territory,
    aid_to_json,
)
from federation.aids.sheet import Import, Sheet, read_rule, slug_of
from federation.aids.velo import VELO_MODEL, import_velo
from schemas.ids import Did

__all__ = [
    "MAX_AIDS",
    "Difference",
    "Finding",
    "compare",
    "import_document",
    "inspect",
]

MAX_AIDS: Final = 5_000
"""Aids of one document."""
STALE_DAYS: Final = 365


@dataclass(frozen=True, slots=True)
class Difference:
    """What an import would change: slugs, and for changed ones the members that differ."""

    added: tuple[str, ...]
    changed: Mapping[str, tuple[str, ...]]
    removed: tuple[str, ...]
    """In the catalogue and no longer in the document: they become expired, never vanish."""
    unchanged: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark on one aid. `code`: never-verified, stale, expired, hidden-date, no-link;
    `misspelt-key` comes from the rules."""

    slug: str
    code: str
    detail: str = ""


def import_document(document: Mapping[str, Any], *, publisher: Did, at: date) -> Import:
    """Read a document of a known shape.

    Raises:
        RuleImportError: no shape we know, no source or licence, or too many aids.
    """
    if not isinstance(document, Mapping):
        raise RuleImportError("document", "a JSON object is expected")
    if "localisations" in document:
        return _bicycles(document, publisher, at)
    key = next((name for name in _READERS if name in document), None)
    if key is None:
        raise RuleImportError("document", f"none of {', '.join(_READERS)} is there")
    meta = document.get("_meta")
    if not isinstance(meta, Mapping) or not meta.get("source") or not meta.get("licence"):
        raise RuleImportError("_meta", "source and licence are expected")
    entries = document[key]
    if not isinstance(entries, list) or len(entries) > MAX_AIDS:
        raise RuleImportError(key, f"a list of at most {MAX_AIDS} is expected")
    sheet = Sheet(entries, str(meta["source"]), str(meta["licence"]), publisher, at)
    try:
        return _READERS[key](sheet)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise RuleImportError(key, f"an entry is unreadable: {type(error).__name__}") from error


def _bicycles(document: Mapping[str, Any], publisher: Did, at: date) -> Import:
    """Another version of the bicycle model than the one that is bundled."""
    try:
        report = import_velo(document, publisher=publisher, at=at)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RuleImportError("rules", f"unreadable: {type(error).__name__}") from error
    return Import(VELO_MODEL, report.version, report.rules, report.aids, report.skipped)


def compare(before: Iterable[Mapping[str, Any]], after: Iterable[Aid]) -> Difference:
    """What `after` would change among the aid documents `before` of the same model."""
    known = {str(document["slug"]): document for document in before}
    fresh = {aid.slug: aid_to_json(aid) for aid in after}
    changed = {
        slug: names
        for slug, document in fresh.items()
        if slug in known
        and (names := tuple(k for k in document if _said(document, k) != _said(known[slug], k)))
    }
    return Difference(
        added=tuple(sorted(set(fresh) - set(known))),
        changed=changed,
        removed=tuple(
            sorted(s for s in set(known) - set(fresh) if known[s]["status"] != AidStatus.EXPIRED)
        ),
        unchanged=len(set(fresh) & set(known)) - len(changed),
    )


_NOT_SAID: Final = frozenset(("version", "lastVerified", "nextReview"))
"""What changes with each import or by a person's check, and is no news of the source."""


def _said(document: Mapping[str, Any], member: str) -> object:
    if member in _NOT_SAID:
        return None
    found = document.get(member)
    if member == "rule" and isinstance(found, Mapping):
        return {name: value for name, value in found.items() if name != "version"}
    return found


_MONTHS: Final = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)
_FIGURES_DAY: Final = re.compile(r"jusqu'au\s+(\d{1,2})[/.](\d{1,2})[/.](20\d\d)", re.I)
_PROSE_DAY: Final = re.compile(
    rf"jusqu'(?:au|en)\s+(1er|\d{{1,2}})?\s*({'|'.join(_MONTHS)})\s+(20\d\d)", re.I
)
_END_DAY: Final = re.compile(
    rf"\bau\s+(?:\w+di\s+|dimanche\s+)?(1er|\d{{1,2}})\s+({'|'.join(_MONTHS)})\s+(20\d\d)", re.I
)


def inspect(aids: Iterable[Aid], at: date) -> tuple[Finding, ...]:
    """The quality report: what a person should look at, aid by aid."""
    findings: list[Finding] = []
    for aid in aids:
        if aid.status is AidStatus.EXPIRED:
            findings.append(
                Finding(aid.slug, "expired", aid.ends_on.isoformat() if aid.ends_on else "")
            )
            continue
        if aid.last_verified is None:
            findings.append(Finding(aid.slug, "never-verified"))
        elif (at - aid.last_verified).days > STALE_DAYS:
            findings.append(Finding(aid.slug, "stale", aid.last_verified.isoformat()))
        if aid.next_review is not None and aid.next_review < at:
            findings.append(Finding(aid.slug, "review-due", aid.next_review.isoformat()))
        if not aid.link and aid.check_mode is CheckMode.LINK_OUT:
            findings.append(Finding(aid.slug, "no-link"))
        text = " ".join((*aid.titles.values(), *aid.summaries.values()))
        hidden = _prose_end(_PROSE_DAY, text) or _figures_end(text)
        if hidden is not None and aid.ends_on is None:
            findings.append(Finding(aid.slug, "hidden-date", hidden.isoformat()))
    return tuple(findings)


def _prose_end(pattern: re.Pattern[str], text: str) -> date | None:
    found = None
    for match in pattern.finditer(text.replace("\u2019", "'")):
        day = match[1].lower().replace("1er", "1") if match[1] else "1"
        try:
            found = date(int(match[3]), _MONTHS.index(match[2].lower()) + 1, int(day))
        except ValueError:
            continue
    return found


def _figures_end(text: str) -> date | None:
    match = _FIGURES_DAY.search(text.replace("\u2019", "'"))
    try:
        return None if match is None else date(int(match[3]), int(match[2]), int(match[1]))
    except ValueError:
        return None


# --- the readers ---------------------------------------------------------------------------------


def _euros(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".").replace(".", ",")


def _carpool_incentives(sheet: Sheet) -> Import:
    model, version = "covoiturage-incitations", sheet.at.isoformat()
    rules: dict[str, Any] = {"aide": {}}
    aids: dict[str, Aid] = {}
    skipped: list[tuple[str, str]] = []
    for entry in sheet.entries:
        siren = str(entry.get("code_siren", "")) if isinstance(entry, Mapping) else ""
        if not re.fullmatch(r"[0-9]{9}", siren):
            skipped.append((siren or "?", "no SIREN"))
            continue
        name = str((entry.get("institution") or {}).get("nom") or siren)
        operators = str(entry.get("operateurs") or entry.get("nom_plateforme") or "")
        slug = slug_of("covoiturage", f"{siren} {operators}")
        number = 2
        while slug in aids:
            slug = slug_of("covoiturage", f"{siren} {operators} {number}")
            number += 1
        low, high = (
            float(entry.get(f"conducteur_montant_{end}_par_passager") or 0)
            for end in ("min", "max")
        )
        near, far = (entry.get(f"trajet_longueur_{end}") for end in ("min", "max"))
        month = entry.get("conducteur_montant_max_par_mois")
        french = [f"De {_euros(low)} à {_euros(high)} € par passager, versés par l'opérateur"]
        english = [f"From €{low:g} to €{high:g} a passenger, paid to the driver by the operator"]
        if near is not None and far is not None:
            french.append(f"trajets de {near} à {far} km")
            english.append(f"rides of {near} to {far} km")
        if month:
            french.append(f"au plus {month} € par mois")
            english.append(f"at most €{month} a month")
        if operators:
            french.append(f"avec {operators}")
            english.append(f"with {operators}")
        aids[slug] = sheet.aid(
            slug,
            RuleRef(model, read_rule(rules, slug), version),
            titles={"fr": f"Covoiturage : {name}", "en": f"Carpool: {name}"},
            summaries={"fr": f"{', '.join(french)}.", "en": f"{', '.join(english)}."},
            funder_name=name,
            funder_level=FunderLevel.EPCI,
            territories=(Territory(FunderLevel.EPCI, siren),),
            themes=("covoiturage",),
            link=str(entry.get("link") or ""),
        )
    return Import(model, version, rules, tuple(aids.values()), tuple(skipped))


def _carpool_policies(sheet: Sheet) -> Import:
    model, version = "covoiturage-campagnes", sheet.at.isoformat()
    rules: dict[str, Any] = {"aide": {}}
    aids: dict[str, Aid] = {}
    skipped: list[tuple[str, str]] = []
    for entry in sheet.entries:
        name = str(entry.get("id", "")) if isinstance(entry, Mapping) else ""
        summary = " ".join(str(entry.get("resume") or "").split()) if name else ""
        if not name or not summary:
            skipped.append((name or "?", "no description"))
            continue
        slug = slug_of("campagne", name)
        ends_on = _prose_end(_END_DAY, summary)
        aids[slug] = sheet.aid(
            slug,
            RuleRef(model, read_rule(rules, slug), version),
            # A campaign whose end nobody wrote waits for a person.
            status=AidStatus.PUBLISHED if ends_on is not None else AidStatus.REVIEW,
            titles={
                "fr": f"Campagne de covoiturage {name.partition('_')[2] or name}",
                "en": f"Carpool campaign {name.partition('_')[2] or name}",
            },
            summaries={"fr": summary[:1_000], "en": summary[:1_000]},
            funder_name=name.partition("_")[2] or name,
            funder_level=FunderLevel.EPCI,
            themes=("covoiturage",),
            ends_on=ends_on,
        )
    return Import(model, version, rules, tuple(aids.values()), tuple(skipped))


_STATUS: Final = {
    "etudiant": "étudiant",
    "apprenti": "apprenti",
    "professionnalisation": "apprenti",
    "chomeur": "demandeur d'emploi",
    "salarie": "salarié",
    "retraite": "retraité",
}
_YES_NO: Final = {
    "beneficiaire_rsa": ("demandeur . bénéficiaire du RSA", "Percevez-vous le RSA ?"),
    "situation_handicap": (
        "demandeur . en situation de handicap",
        "Êtes-vous en situation de handicap ?",
    ),
    "lyceen": ("demandeur . lycéen", "Êtes-vous lycéen·ne ?"),
    "stagiaire": ("demandeur . stagiaire", "Suivez-vous un stage de formation professionnelle ?"),
    "service_civique": ("demandeur . service civique", "Êtes-vous en service civique ?"),
    "independant": ("demandeur . indépendant", "Êtes-vous travailleur·se indépendant·e ?"),
    "inactif": ("demandeur . sans activité", "Êtes-vous sans activité professionnelle ?"),
}
_ENGLISH: Final = {
    "demandeur . lycéen": "Are you a secondary school pupil?",
    "demandeur . stagiaire": "Are you in vocational training?",
    "demandeur . service civique": "Are you in civic service?",
    "demandeur . indépendant": "Are you self-employed?",
    "demandeur . sans activité": "Are you without professional activity?",
}
_INCOME: Final = "revenu fiscal de référence par part"
_THEMES: Final = {
    "permis": "permis",
    "transport_public": "transport-en-commun",
    "covoiturage": "covoiturage",
    "voiture": "voiture",
    "velo": "velo",
    "mobilite": "mobilite",
}
_PLACES: Final = {
    "communes": FunderLevel.COMMUNE,
    "epcis": FunderLevel.EPCI,
    "departements": FunderLevel.DEPARTEMENT,
    "regions": FunderLevel.REGION,
}
_LEVELS: Final = {
    "commune": FunderLevel.COMMUNE,
    "epci": FunderLevel.EPCI,
    "departement": FunderLevel.DEPARTEMENT,
    "region": FunderLevel.REGION,
}
_PER: Final = {"annuelle": "€/an", "mensuelle": "€/mois"}


def _facts(sheet: Sheet) -> Import:
    model, version = "aides-jeunes-faits", sheet.at.isoformat()
    rules: dict[str, Any] = {"aide": {}, "demandeur": {}}
    rules["demandeur . âge"] = {"type": "nombre", "unité": "an", "question": "Quel est votre âge ?"}
    rules["demandeur . statut"] = {
        "question": "Quelle est votre situation ?",
        "une possibilité": [
            "étudiant",
            "apprenti",
            "demandeur d'emploi",
            "salarié",
            "retraité",
            "reconversion",
            "autre",
        ],
    }
    rules[_INCOME] = {
        "type": "nombre",
        "unité": "€/an",
        "question": "Quel est votre revenu fiscal de référence par part ?",
    }
    aids: dict[str, Aid] = {}
    skipped: list[tuple[str, str]] = []
    for entry in sheet.entries:
        name = str(entry.get("id", "")) if isinstance(entry, Mapping) else ""
        if not name:
            skipped.append(("?", "no identifier"))
            continue
        slug = slug_of("aj", name)
        if slug in aids:
            skipped.append((name, "twice in the document"))
            continue
        funder = entry.get("financeur") or {}
        conditions, territories, unread = _conditions(entry, funder, rules)
        amount = entry.get("montant")
        in_euros = isinstance(amount, int | float) and entry.get("unite") == "€" and amount > 0
        if entry.get("calcul") == "openfisca" or unread or not conditions:
            rule = read_rule(rules, slug)
        else:
            rule = f"aide . {slug}"
            body: dict[str, Any] = {"toutes ces conditions": conditions}
            if in_euros:
                unit = _PER.get(str(entry.get("periodicite")), "€")
                body = {"applicable si": body, "valeur": f"{amount} {unit}"}
            rules[rule] = body
        title = str(entry.get("titre") or name)
        most = str(entry.get("legende") or "").casefold().startswith("max")
        french, english = _summary(amount if in_euros else None, most=most)
        is_placed = bool(territories) or funder.get("type") == "national"
        aids[slug] = sheet.aid(
            slug,
            RuleRef(model, rule, version),
            # An aid of a place nobody named would be shown to everyone: a person places it first.
            status=AidStatus.PUBLISHED if is_placed else AidStatus.REVIEW,
            titles={"fr": title, "en": title},
            summaries={"fr": french, "en": english},
            funder_name=str(funder.get("nom") or ""),
            funder_level=_LEVELS.get(str(funder.get("type")), FunderLevel.STATE),
            territories=territories,
            themes=(_THEMES.get(str(entry.get("categorie")), "mobilite"),),
            link=str(entry.get("lien") or ""),
            not_proven=(
                {
                    "fr": "D'autres conditions peuvent s'appliquer : "
                    "elles se lisent chez le financeur.",
                    "en": "Other conditions may apply: read them at the funder's.",
                },
            ),
        )
    return Import(model, version, rules, tuple(aids.values()), tuple(skipped))


def _summary(amount: float | None, *, most: bool) -> tuple[str, str]:
    if amount is None:
        return (
            "Conditions et montant chez le financeur.",
            "Conditions and amount at the funder's.",
        )
    if most:
        return (f"Au plus {_euros(amount)} €.", f"At most €{amount:g}.")
    return (f"{_euros(amount)} €.", f"€{amount:g}.")


def _conditions(
    entry: Mapping[str, Any], funder: Mapping[str, Any], rules: dict[str, Any]
) -> tuple[list[Any], tuple[Territory, ...], bool]:
    """(conditions of the rule, territories, whether something is said only in prose)."""
    conditions: list[Any] = []
    places: list[Territory] = []
    unread = False
    for condition in entry.get("conditions") or ():
        kind, operator = condition.get("type"), condition.get("operator")
        value = condition.get("value")
        is_number = isinstance(value, int | float) and operator in ("<", "<=", ">", ">=")
        if kind in _PLACES:
            places += [Territory(_PLACES[kind], str(code)) for code in condition.get("values", ())]
        elif kind == "attached_to_institution":
            continue  # the funder's own territory, below
        elif kind == "age" and is_number:
            conditions.append(f"demandeur . âge {operator} {value} an")
        elif kind == "quotient_familial" and is_number and condition.get("period") == "year":
            conditions.append(f"{_INCOME} {operator} {value} €/an")
        else:
            unread = True
    level = _LEVELS.get(str(funder.get("type")))
    code = funder.get("code_insee") or funder.get("code_siren")
    if not places and level is not None:
        if code:
            places.append(Territory(level, str(code)))
        else:
            unread = True
    profiles: list[Any] = []
    for profile in entry.get("profils") or ():
        name = profile if isinstance(profile, str) else str(profile.get("type"))
        if name in _STATUS:
            test = f"demandeur . statut = '{_STATUS[name]}'"
            if test not in profiles:
                profiles.append(test)
        elif name in _YES_NO:
            variable, question = _YES_NO[name]
            rules.setdefault(
                variable,
                {
                    "type": "booléen",
                    "question": question,
                    **({"question en": _ENGLISH[variable]} if variable in _ENGLISH else {}),
                },
            )
            profiles.append(variable)
        else:
            unread = True
    if profiles:
        conditions.append({"une de ces conditions": profiles})
    return conditions, tuple(places), unread


_READERS: Final[Mapping[str, Callable[[Sheet], Import]]] = {
    **READERS,
    "incitations": _carpool_incentives,
    "campagnes": _carpool_policies,
    "aides": _facts,
}
