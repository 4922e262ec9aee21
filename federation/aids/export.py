"""The open catalogue as files: JSON-LD, N-Quads, fabmob's table, DCAT-AP 3, pages of services.

Pure: aids in, bytes or nodes out. What is reserved or not in force never comes here; what is gone
comes as tombstones of the feed.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from federation.aids.interchange import FRANCE_INSEE
from federation.aids.linked import CONTEXT, Linked, aid_node, nquads
from federation.aids.model import Aid, FunderLevel
from federation.aids.territories import territory_name
from schemas.members import instant_text

__all__ = [
    "FABMOB_SCHEMA",
    "FORMATS",
    "TABLE_FIELDS",
    "Format",
    "Tombstone",
    "as_jsonld",
    "as_nquads",
    "as_table",
    "dcat_catalogue",
    "services_page",
    "tombstone_node",
]

FABMOB_SCHEMA: Final = "https://github.com/fabmob/schema-referentiel-aides-mobilite"
_AUTHORITY: Final = "http://publications.europa.eu/resource/authority"
_MEDIA: Final = "https://www.iana.org/assignments/media-types"
CPSV_AP: Final = "https://data.europa.eu/snb/model/ap/cpsv-ap/3.2.0"


@dataclass(frozen=True, slots=True)
class Format:
    """One file of the dump."""

    path: str
    media_type: str
    file_type: str
    """Last part of its address in the EU's list of file types."""
    title: str
    conforms_to: str = ""


FORMATS: Final = (
    Format("aides.jsonld", "application/ld+json", "JSON_LD", "JSON-LD", CPSV_AP),
    Format("aides.nq", "application/n-quads", "RDF_N_QUADS", "N-Quads", CPSV_AP),
    Format("aides.csv", "text/csv", "CSV", "CSV, schéma de référence de la Fabmob", FABMOB_SCHEMA),
)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An aid that anybody could read and that is no longer in force."""

    slug: str
    identifier: str
    at: datetime


def tombstone_node(gone: Tombstone, linked: Linked) -> dict[str, Any]:
    """An aid that is gone, as linked data: its address, and since when."""
    return {
        "id": linked.aid(gone.slug),
        "type": "Tombstone",
        "identifier": gone.identifier,
        "deleted": instant_text(gone.at),
    }


def _graph(
    aids: Iterable[Aid], gone: Iterable[Tombstone], linked: Linked
) -> Iterator[dict[str, Any]]:
    for aid in aids:
        yield aid_node(aid, linked)
    for stone in gone:
        yield tombstone_node(stone, linked)


def as_jsonld(aids: Iterable[Aid], gone: Iterable[Tombstone], linked: Linked) -> bytes:
    """Every aid in force, then a tombstone of each one that is gone."""
    document = {"@context": dict(CONTEXT), "@graph": list(_graph(aids, gone, linked))}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def as_nquads(aids: Iterable[Aid], gone: Iterable[Tombstone], linked: Linked) -> bytes:
    """The same statements as `as_jsonld`, sorted, each once."""
    lines = {line for node in _graph(aids, gone, linked) for line in nquads(node)}
    return "".join(sorted(lines)).encode()


# --- fabmob's table ------------------------------------------------------------------------------

TABLE_FIELDS: Final = (
    "id", "nom", "description", "territoire", "territoire_insee", "type_financeur", "financeur",
    "condition_obtention", "modalite_versement", "montant", "montant_minimum", "mode_transport",
    "justificatifs", "info", "contact", "duree_validite", "date_fin_validite", "lien_souscription",
    "source",
)  # fmt: skip
"""Columns of the schema 0.1.0, in its order."""

_FUNDERS: Final[Mapping[FunderLevel, str]] = {
    FunderLevel.STATE: "Aide nationale",
    FunderLevel.EMPLOYER: "Aide de mon employeur",
}
_PAYMENT: Final[Mapping[str, str]] = {
    "payroll": "Versée avec le salaire.",
    "transfer": "Versée par virement.",
    "discount": "Déduite du prix par le vendeur ou l'opérateur.",
    "loan": "Prêt à rembourser.",
    "unstated": "Voir chez le financeur.",
}
_MODE_NAMES: Final[Mapping[str, str]] = {
    "velo": "Vélo",
    "covoiturage": "Covoiturage",
    "transport-en-commun": "Transports en commun",
    "transport-a-la-demande": "TAD",
    "voiture": "Voiture",
    "autopartage": "Autopartage",
    "libre-service": "Libre-service",
    "trottinette": "Trottinette",
    "marche": "Marche",
}
_CORSICA: Final = "94"


def _insee(aid: Aid) -> tuple[str, str]:
    """(name, code) of the first territory. The schema's code is an integer: « 2A » and what has no
    number become the nearest territory around them that has one, and the name keeps the code."""
    if not aid.territories:
        return "France", FRANCE_INSEE
    first = aid.territories[0]
    names = [territory_name(t.kind.value, t.code) or t.code for t in aid.territories]
    if first.code.isdigit():
        return ", ".join(names), first.code
    around = _CORSICA if first.code[:2] in ("2A", "2B", "20") else FRANCE_INSEE
    return f"{', '.join(names)} ({first.code})", around


def _amount(aid: Aid) -> str:
    shown = "; ".join(f"{p.name.rpartition(' . ')[2]} : {p.value}" for p in aid.parameters)
    paid = [
        f"{e.label} : {e.expected_cents / 100:.2f} €".replace(".", ",")
        for e in aid.examples
        if e.expected_cents is not None
    ]
    return shown or "; ".join(paid) or aid.summaries.get("fr") or "Voir chez le financeur."


def as_table(aids: Sequence[Aid], numbers: Mapping[str, int]) -> bytes:
    """fabmob's reference table. `numbers`: slug → the aid's number, which never changes."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, TABLE_FIELDS, lineterminator="\n")
    writer.writeheader()
    for aid in sorted(aids, key=lambda a: numbers[a.slug]):
        name, insee = _insee(aid)
        french = aid.titles["fr"]
        writer.writerow(
            {
                "id": numbers[aid.slug],
                "nom": french,
                "description": aid.summaries.get("fr") or french,
                "territoire": name,
                "territoire_insee": insee,
                "type_financeur": _FUNDERS.get(aid.funder_level, "Aide de mon territoire"),
                "financeur": aid.funder_name or "–",
                "condition_obtention": "\n".join(t["fr"] for t in aid.not_proven)
                or "Voir chez le financeur.",
                "modalite_versement": _PAYMENT[aid.payment.value],
                "montant": _amount(aid),
                "montant_minimum": "",
                "mode_transport": _list([_MODE_NAMES[t] for t in aid.themes if t in _MODE_NAMES]),
                "justificatifs": _list([t["fr"] for t in aid.pieces]),
                "info": "\n".join(t["fr"] for t in aid.stacking),
                "contact": "",
                "duree_validite": "",
                "date_fin_validite": aid.ends_on.isoformat() if aid.ends_on else "",
                "lien_souscription": aid.link,
                "source": aid.link if aid.link.startswith("https://") else "",
            }
        )
    return out.getvalue().encode()


def _list(values: list[str]) -> str:
    return json.dumps(values, ensure_ascii=False) if values else ""


# --- DCAT-AP and pages of services ---------------------------------------------------------------


def dcat_catalogue(
    linked: Linked,
    *,
    name: str,
    did: str,
    modified: datetime,
    sizes: Mapping[str, int],
    total: int,
) -> dict[str, Any]:
    """The hub's data catalogue for harvesters: one data set, its files, its API.

    `sizes`: path → bytes. Source: DCAT-AP 3.0, mandatory and recommended members.
    """
    origin = linked.origin
    here = f"{origin}/v1/open-data"
    data = f"{here}#aides"
    publisher = {"id": did, "type": "Agent", "agentName": name, "homepage": origin}
    language = [f"{_AUTHORITY}/language/FRA"]
    licence = "https://spdx.org/licenses/etalab-2.0"
    texts = {
        "fr": ["Aides à la mobilité : catalogue national calculable"],
        "en": ["Mobility aids: a national, computable catalogue"],
    }
    french = (
        f"{total} aides de tous les modes et de tous les financeurs : conditions, montants, "
        "règle de calcul, source, licence et date de vérification de chacune."
    )
    english = (
        f"{total} aids of every mode and funder: conditions, amounts, computable rule, "
        "source, licence and date of verification of each."
    )
    about = {"fr": [french], "en": [english]}
    return {
        "id": here,
        "type": "Catalog",
        "title": texts,
        "description": about,
        "publisher": publisher,
        "homepage": origin,
        "language": language,
        "license": licence,
        "modified": instant_text(modified),
        "dataset": [
            {
                "id": data,
                "type": "Dataset",
                "title": texts,
                "description": about,
                "identifier": data,
                "publisher": {"id": did, "type": "Agent"},
                "language": language,
                "license": licence,
                "modified": instant_text(modified),
                "landingPage": f"{origin}/donnees-ouvertes",
                "dataTheme": [f"{_AUTHORITY}/data-theme/TRAN", f"{_AUTHORITY}/data-theme/GOVE"],
                "keyword": {"fr": ["aides", "mobilité", "vélo", "covoiturage", "transport"]},
                "spatial": [f"{_AUTHORITY}/country/FRA"],
                "accrualPeriodicity": f"{_AUTHORITY}/frequency/DAILY",
                "distribution": [
                    {
                        "id": f"{here}#{form.path}",
                        "type": "Distribution",
                        "title": {"fr": [form.title]},
                        "accessURL": f"{here}/{form.path}",
                        "downloadURL": f"{here}/{form.path}",
                        "mediaType": f"{_MEDIA}/{form.media_type}",
                        "format": f"{_AUTHORITY}/file-type/{form.file_type}",
                        "license": licence,
                        "modified": instant_text(modified),
                        "byteSize": sizes[form.path],
                        **({"conformsTo": form.conforms_to} if form.conforms_to else {}),
                    }
                    for form in FORMATS
                ],
            }
        ],
        "service": [
            {
                "id": f"{here}#api",
                "type": "DataService",
                "title": {"fr": ["Recherche d'aides"], "en": ["Search for aids"]},
                "endpointURL": f"{origin}/v1/aids",
                "endpointDescription": f"{origin}/openapi.json",
                "servesDataset": [data],
                "license": licence,
            }
        ],
    }


def services_page(
    aids: Sequence[Aid], gone: Sequence[Tombstone], linked: Linked, *, page: int, size: int
) -> dict[str, Any]:
    """Page `page` (from 1) of the aids as CPSV-AP public services, with Hydra's links; tombstones
    come after the last aid. Beyond the last page: no members, and no `next`."""
    here = f"{linked.origin}/v1/open-data/services"
    every: Sequence[Aid | Tombstone] = [*aids, *gone]
    last = max(1, -(-len(every) // size))
    members = every[(page - 1) * size : page * size]
    view: dict[str, Any] = {
        "id": f"{here}?page={page}",
        "type": "PartialCollectionView",
        "first": f"{here}?page=1",
        "last": f"{here}?page={last}",
    }
    if page > 1:
        view["previous"] = f"{here}?page={min(page - 1, last)}"
    if page < last:
        view["next"] = f"{here}?page={page + 1}"
    nodes = [
        aid_node(one, linked) if isinstance(one, Aid) else tombstone_node(one, linked)
        for one in members
    ]
    return {
        "@context": dict(CONTEXT),
        "@graph": [
            {
                "id": here,
                "type": "Collection",
                "totalItems": len(every),
                "member": [node["id"] for node in nodes],
                "view": view,
            },
            *nodes,
        ],
    }
