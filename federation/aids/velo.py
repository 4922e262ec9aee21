"""The national model of bicycle aids (npm `@betagouv/aides-velo`, Apache-2.0), imported.

The build puts the model in `federation/aids/data/aides-velo.json`. Every aid becomes a link-out
aid with its territory by code, its source and its upstream date; what upstream misspelt is reported
(`ImportReport.defects`), never guessed.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from federation.aids.errors import RuleImportError
from federation.aids.model import (
    Aid,
    AidStatus,
    CheckMode,
    FunderLevel,
    IdentityLevel,
    RuleRef,
    Territory,
)
from federation.aids.publicodes import Engine
from federation.aids.shipped import shipped
from federation.aids.territories import gazetteer
from federation.aids.words import shared_words
from schemas.ids import Did, Iri

__all__ = ["VELO_MODEL", "ImportReport", "import_velo", "join_index", "read_velo_asset"]

VELO_MODEL: Final = "aides-velo"
KNOWN_DEFECTS: Final[Mapping[str, frozenset[str]]] = {
    # npm 3.6.1 and repository 4.0.0: keys upstream's own engine ignores in silence.
    "aides . sarlat": frozenset(("plaond",)),
    "aides . caen": frozenset(("dernière mise jour",)),
    "aides . la côtière à montluel": frozenset(("derière mise à jour",)),
    "revenu fiscal de référence par part": frozenset(("unite",)),
    "aides . cluses arve et montagnes . participation employeur": frozenset(("unite",)),
}
LOSES_A_BOUND: Final = frozenset(("plaond",))
"""Misspelt keys that change amounts: the aid is imported as « à relire », not published."""

_LEVELS: Final = {
    "pays": FunderLevel.STATE,
    "région": FunderLevel.REGION,
    "département": FunderLevel.DEPARTEMENT,
    "epci": FunderLevel.EPCI,
    "code insee": FunderLevel.COMMUNE,
}
_ONE_EACH: Final = {
    "fr": "Une seule aide par collectivité le plus souvent ; celles de collectivités différentes "
    "s'ajoutent souvent. À vérifier auprès de chacune.",
    "en": "Usually one aid per authority; aids of different authorities often add up. "
    "Check with each of them.",
}
"""The model totals one aid per level; it has no rule of accumulation of its own."""
_DAY: Final = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{4})$")


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import gave. `defects`: (rule, key, consequence); `skipped`: (rule, reason)."""

    engine: Engine
    rules: Mapping[str, Any]
    version: str
    aids: tuple[Aid, ...]
    defects: tuple[tuple[str, str, str], ...]
    skipped: tuple[tuple[str, str], ...]


def read_velo_asset() -> dict[str, Any]:
    """The built asset: `{_meta, rules, localisations}`.

    Raises:
        RuleImportError: the build has not put it in place.
    """
    return shipped("data/aides-velo.json")


def join_index(model: Mapping[str, Any], index: Mapping[str, Any]) -> dict[str, Any]:
    """The document to import, from a compiled model and its index of territories by code.

    Raises:
        RuleImportError: one of the two is of another shape, or they are of two sources.
    """
    try:
        meta, rules, aids = model["_meta"], model["model"], index["aides"]
        if meta["source"] != index["_meta"]["source"]:
            raise RuleImportError("_meta", "model and index are of two sources")
        version = re.search(r"\d+\.\d+\.\d+", meta["source"])
        source = f"aides-velo {version[0]}" if version else str(meta["source"])
        return {
            "_meta": {"source": source, "licence": meta["licence"]},
            "rules": rules,
            "localisations": {
                str(aid["id"]): {"country": aid["pays"], "collectivity": _collectivity(aid)}
                for aid in aids
            },
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise RuleImportError("index", f"unreadable: {type(error).__name__}") from error


def _collectivity(aid: Mapping[str, Any]) -> dict[str, Any]:
    place = aid["territoire"]
    return {"kind": place["kind"], "value": place["code"], "code": place["code"]}


def _day(text: object) -> date | None:
    match = _DAY.match(str(text or "").strip())
    if match is None:
        return None
    try:
        return date(int(match[3]), int(match[2]), int(match[1]))
    except ValueError:
        return None


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFD", name.removeprefix("aides . ").lower())
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in plain if not _accent(c))
    return "velo-" + re.sub("-+", "-", kept).strip("-")


_PLACE: Final = re.compile(r"^localisation \. (epci|code insee) = '(.+)'$")


def _territories(rule: Mapping[str, Any], level: FunderLevel, code: str) -> tuple[Territory, ...]:
    """The territories a rule names in one list of alternatives; else the one of its index.

    Upstream's index keeps the first alone (Grenoble, Calais, Briey, Centre-Val de Loire).
    """
    for alternatives in _alternatives(rule.get("applicable si")):
        found: list[Territory] = []
        for text in alternatives:
            match = _PLACE.match(text) if isinstance(text, str) else None
            if match is None:
                break
            if match[1] == "code insee":
                found.append(Territory(FunderLevel.COMMUNE, match[2]))
                continue
            codes = [c for kind, c in gazetteer().named(match[2]) if kind == "epci"]
            if len(codes) != 1:
                break
            found.append(Territory(FunderLevel.EPCI, codes[0]))
        else:
            if found:
                return tuple(dict.fromkeys(found))
    return (Territory(level, code),)


def _alternatives(condition: object) -> Iterator[list[Any]]:
    """Every « une de ces conditions » that must hold."""
    if not isinstance(condition, Mapping):
        return
    one_of = condition.get("une de ces conditions")
    if isinstance(one_of, list):
        yield one_of
    every = condition.get("toutes ces conditions")
    for part in every if isinstance(every, list) else ():
        yield from _alternatives(part)


def _accent(char: str) -> bool:
    return bool(unicodedata.combining(char))


def import_velo(document: Mapping[str, Any], *, publisher: Did, at: date) -> ImportReport:
    """Compile the model and make one aid of each localised rule.

    `publisher` is the hub: these aids are asked for elsewhere, by their link. An aid whose end
    date has passed on `at` comes as expired.

    Raises:
        RuleImportError: a key or mechanism outside the subset that is not a known defect.
    """
    rules: Mapping[str, Any] = document["rules"]
    localisations: Mapping[str, Any] = document["localisations"]
    source = str(document["_meta"]["source"])
    version = source.rsplit(" ", 1)[-1]
    engine = Engine(rules, ignored=KNOWN_DEFECTS, lenient_units=True, words=shared_words())
    defects = tuple(
        (
            rule,
            key,
            "the amount is not bounded: not published"
            if key in LOSES_A_BOUND
            else "the key is ignored",
        )
        for rule, key in engine.defects
    )
    unbounded = {rule for rule, key in engine.defects if key in LOSES_A_BOUND}
    aids: list[Aid] = []
    skipped: list[tuple[str, str]] = []
    for name, place in localisations.items():
        rule = rules.get(name)
        if not isinstance(rule, Mapping):
            skipped.append((name, "no such rule in the model"))
            continue
        if place.get("country") != "france":
            skipped.append((name, f"outside France: {place.get('country')}"))
            continue
        collectivity = place["collectivity"]
        level = _LEVELS.get(str(collectivity["kind"]))
        code = str(collectivity.get("code") or collectivity["value"])
        if level is None:
            skipped.append((name, f"unknown kind of territory « {collectivity['kind']} »"))
            continue
        ends_on = _day(rule.get("date de fin"))
        status = AidStatus.PUBLISHED
        if name in unbounded:
            status = AidStatus.REVIEW
        elif ends_on is not None and ends_on < at:
            status = AidStatus.EXPIRED
        title = str(rule.get("titre", name.rsplit(" . ", 1)[-1]))
        description = " ".join(str(rule.get("description", "")).split())
        slug = _slug(name)
        aids.append(
            Aid(
                id=Iri(f"{publisher}#aide-{slug}"),
                slug=slug,
                version=version,
                status=status,
                titles={"fr": f"Aide vélo : {title}", "en": f"Bicycle aid: {title}"},
                summaries={"fr": description, "en": description},
                funder=publisher,
                funder_name=title,
                funder_level=level,
                territories=() if level is FunderLevel.STATE else _territories(rule, level, code),
                themes=("velo", "achat-velo"),
                rule=RuleRef(VELO_MODEL, name, version),
                proof=None,
                credentials_required=(),
                bindings=(),
                family="",
                family_version=1,
                family_issuer=None,
                identity_level=IdentityLevel.DECLARED,
                stacking=(_ONE_EACH,),
                remedies={"fr": "", "en": ""},
                decision_time_days=60,
                silence_means={"fr": "", "en": ""},
                legal_basis=(),
                parameters=(),
                examples=(),
                source=source,
                source_licence=str(document["_meta"]["licence"]),
                last_verified=_day(rule.get("dernière mise à jour")),
                next_review=None,
                check_mode=CheckMode.LINK_OUT,
                link=str(rule.get("lien", "")),
                ends_on=ends_on,
            )
        )
    return ImportReport(engine, rules, version, tuple(aids), defects, tuple(skipped))
