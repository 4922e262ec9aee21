"""« Mon coffre »: places, documents, journal, quarantine, export, destruction."""


# ruff: noqa: PLR0917 - a route's or a verb's parameters are its form's fields

import json
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi.responses import FileResponse, HTMLResponse, Response

from federation.aids.territories import by_code, search
from federation.trust import TrustSnapshot
from portal.destroying import destroy
from portal.extension_pages import words_of
from portal.glossary import CODES
from portal.i18n import N_, Translator
from portal.pages.access import MIN_PASSPHRASE, Errors
from portal.pages.deps import VAULT_COOKIE, CheckedDep, ContextDep, PageDep, VaultDep
from portal.pages.identity import identity_card, level_word
from portal.settings import Node
from portal.views import ROLES, local_today, short, source_name, suggestions
from portal.web import Page
from schemas.extensions import installed
from schemas.ids import Did, Iri, mint_iri
from schemas.records import (
    Attribute,
    Award,
    Credential,
    Degree,
    Document,
    Invoice,
    Kind,
    NamedPlace,
    PlaceRole,
    Subscription,
)
from schemas.units import Metres
from vault.answers import PREFIX
from vault.archive import prepared as archive
from vault.archive.prepared import NOT_WRITTEN
from vault.deletion import remove
from vault.disputes import DISPUTABLE, MARK
from vault.documents import MAX_DOCUMENT, add_document
from vault.documents import document as document_of
from vault.errors import DocumentRefusedError, ExportRunningError
from vault.issuance import awaited
from vault.open_vault import OpenVault

router = APIRouter(include_in_schema=False)

AFFILIATION: Final = "AffiliationCredential"
CREDENTIAL_TITLES = {
    AFFILIATION: N_("Attestation de votre employeur"),
    "IdentityCredential": N_("Identité"),
    "CarpoolJourney": N_("Trajet de covoiturage signé par l'opérateur"),
    "PassCredential": N_("Abonnement signé par le réseau"),
    "InvoiceCredential": N_("Facture signée"),
    "AwardCredential": N_("Aide accordée"),
    "UsageProof": N_("Preuve d'usage"),
    "RentalCredential": N_("Location signée par l'opérateur"),
    "TripCredential": N_("Trajet signé par sa source"),
    "AddressCredential": N_("Adresse certifiée"),
    "DrivingLicenceCredential": N_("Permis de conduire"),
    "StudentCredential": N_("Statut étudiant ou apprenti"),
    "TaxBracketCredential": N_("Tranche de revenu"),
    "MandateCredential": N_("Mandat signé"),
    "VehicleClassCredential": N_("Classe du véhicule"),
    "ZoneAccessCredential": N_("Accès à une zone"),
    "NoPriorAidCredential": N_("Absence d'aide antérieure"),
    "ExtensionStatement": N_("Ce que vous dites vous-même"),
    "AgeCredential": N_("Âge minimal atteint"),
    "TariffCredential": N_("Droit à un tarif"),
    "TravelPreferences": N_("Préférences de trajet"),
}
ATTRIBUTE_TITLES = {
    "identity.given_name": N_("Prénom"),
    "identity.family_name": N_("Nom"),
    "identity.birthdate": N_("Date de naissance"),
    "identity.gender": N_("Genre"),
    "identity.birthplace": N_("Lieu de naissance (code INSEE)"),
    "identity.birthcountry": N_("Pays de naissance (code INSEE)"),
    "identity.preferred_username": N_("Nom d'usage"),
    "address.commune": N_("Commune (code INSEE)"),
    "address.postcode": N_("Code postal"),
    "address.town": N_("Ville"),
    "employment.status": N_("Statut professionnel"),
    "employment.employer": N_("Employeur"),
    "contact.email": N_("Adresse e-mail"),
    "contact.email_professional": N_("Adresse e-mail professionnelle"),
    "mob.linked_services": N_("Services reliés à Mon Compte Mobilité"),
    "tax.reference_income": N_("Revenu fiscal de référence"),
    "tax.parts": N_("Nombre de parts"),
    "tax.income_year": N_("Année des revenus"),
    "residence.address": N_("Adresse du domicile"),
    "residence.postcode": N_("Code postal du domicile"),
    "residence.town": N_("Commune du domicile"),
    "student.enrolled": N_("Inscription d'étudiant·e en cours"),
    "student.until": N_("Inscription jusqu'au"),
    "student.from": N_("Inscription depuis le"),
    "student.scholarship": N_("Boursier·ère"),
    "licence.number": N_("Numéro du permis de conduire"),
    "licence.until": N_("Permis de conduire valable jusqu'au"),
    "contact.phone": N_("Téléphone"),
    "family.quotient_bracket": N_("Tranche de quotient familial, en euros par mois"),
    "family.quotient_month": N_("Mois du quotient familial"),
    "address.epci": N_("Intercommunalité (SIREN)"),
    "address.departement": N_("Département"),
    "address.region": N_("Région (code INSEE)"),
}
DAYS = frozenset({"student.until", "student.from", "licence.until"})
"""Attributes that are a day."""
DEGREES = {
    "signed": (N_("signé par la source"), "ok"),
    "relayed": (N_("relu par l'hébergeur du coffre"), "info"),
    "claimed": (N_("déclaré par vous"), ""),
}


@router.get("/coffre")
def vault_menu(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Everything about the vault itself."""
    t = page.t
    places = {place.role for place in vault.places()}
    missing = {PlaceRole.HOME, PlaceRole.WORK} - places
    quarantined = len(vault.quarantine())
    groups: list[tuple[str, list[dict[str, Any]]]] = [
        (
            t("Ce que le coffre contient"),
            [
                _item(
                    "/sources", "source", t("Mes sources"), t("Applications, opérateurs, fichiers")
                ),
                _item(
                    "/coffre/documents",
                    "file",
                    t("Mes documents"),
                    t("Factures, abonnements, attributs certifiés, aides accordées"),
                ),
                _item(
                    "/coffre/factures",
                    "file",
                    t("Factures et abonnements"),
                    t("Ajouter un reçu, une facture, un abonnement"),
                ),
                _item(
                    "/coffre/2d-doc",
                    "check",
                    t("Code 2D-Doc"),
                    t("Avis d'impôt, justificatif de domicile : vérifiés ici"),
                ),
                _item(
                    "/coffre/vehicules",
                    "car",
                    t("Mes véhicules"),
                    t("Vélos, voitures, trottinettes"),
                ),
                _item(
                    "/coffre/objectifs",
                    "leaf",
                    t("Mes objectifs"),
                    t("Comptés ici, comparés à personne"),
                ),
                _item(
                    "/coffre/quarantaine",
                    "question",
                    t("Quarantaine"),
                    t("Ce qui n'a pas pu être compris"),
                    *((t.number(quarantined), "warn") if quarantined else ("", "")),
                ),
            ],
        ),
        (
            t("Ce qu'il sait de moi"),
            [
                _item(
                    "/coffre/lieux",
                    "place",
                    t("Domicile et travail"),
                    t("Pour compter vos jours domicile – travail"),
                    *((t("à compléter"), "warn") if missing else ("", "")),
                ),
                _item(
                    "/coffre/commune", "place", t("Ma commune"), t("Pour trouver les aides locales")
                ),
                _item(
                    "/coffre/preferences",
                    "check",
                    t("Mes préférences"),
                    t("Comment j'aime me déplacer"),
                ),
                *(
                    _item(
                        extension.home,
                        "file",
                        words_of(t, extension.title),
                        words_of(t, extension.summary),
                    )
                    for extension in installed().values()
                    if extension.home
                ),
                _item(
                    "/coffre/extensions",
                    "file",
                    t("Extensions"),
                    t("Les domaines ajoutés au coffre, et ce qu'ils y gardent"),
                ),
            ],
        ),
        (
            t("Qui l'ouvre et ce qui s'y passe"),
            [
                _item(
                    "/coffre/cles",
                    "lock",
                    t("Mes clés"),
                    t("Phrase secrète, clés d'accès, code et parts de secours"),
                ),
                _item("/coffre/mandats", "people", t("Mandats"), t("Qui peut agir à ma place")),
                _item(
                    "/coffre/journal",
                    "journal",
                    t("Journal des accès"),
                    t("Qui a fait quoi, quand"),
                ),
                _item(
                    "/coffre/avis",
                    "question",
                    t("Avis"),
                    t("Ce qui a avancé, et comment me prévenir"),
                ),
            ],
        ),
        (
            t("Emporter, donner, effacer"),
            [
                _item(
                    "/coffre/emporter",
                    "out",
                    t("Tout emporter"),
                    t("Une archive chiffrée de tout le coffre"),
                ),
                _item(
                    "/coffre/donner",
                    "leaf",
                    t("Donner une trace"),
                    t("Coupée et floutée, sous la licence de votre choix"),
                ),
                _item(
                    "/coffre/oubli",
                    "journal",
                    t("Règles d'oubli"),
                    t("Oublier tout seul ce qui a vieilli"),
                ),
                _item(
                    "/coffre/effacer",
                    "cross",
                    t("Effacer"),
                    t("Un jour, une période ou une source"),
                ),
                _item(
                    "/coffre/detruire",
                    "cross",
                    t("Destruction définitive"),
                    t("Effacer ce coffre pour toujours"),
                ),
            ],
        ),
    ]
    return page.show("vault.html", groups=groups, vault_id=vault.vault_id)


def _item(
    href: str, icon: str, title: str, text: str, tag: str = "", kind: str = ""
) -> dict[str, Any]:
    return {"href": href, "icon": icon, "title": title, "text": text, "tag": tag, "kind": kind}


def places_page(page: Page, vault: OpenVault, errors: Errors) -> HTMLResponse:
    """Home and work: what is set, what the trips suggest, a form."""
    t, today = page.t, local_today(page.now)
    places = vault.places()
    since = today.replace(year=today.year - 1, day=1)
    return page.show(
        "places.html",
        status=422 if errors else 200,
        errors=errors,
        places=[
            {
                "id": place.id,
                "role": t(ROLES[place.role]),
                "label": place.label,
                "text": t(
                    "{lat}, {lon} à {radius} près",
                    lat=f"{place.lat:.4f}",
                    lon=f"{place.lon:.4f}",
                    radius=t.distance(place.radius),
                ),
            }
            for place in places
        ],
        suggestions=suggestions(t, vault.trips(since, today), places),
    )


@router.get("/coffre/lieux")
def places_form(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """The citizen's own places."""
    return places_page(page, vault, Errors())


@router.post("/coffre/lieux")
def set_place(
    page: CheckedDep,
    vault: VaultDep,
    role: Annotated[str, Form()],
    lat: Annotated[str, Form(max_length=20)],
    lon: Annotated[str, Form(max_length=20)],
    rayon: Annotated[str, Form(max_length=10)] = "300",
    nom: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """Record « domicile » or « travail »."""
    t, errors = page.t, Errors()
    latitude = _number(lat, -90, 90)
    longitude = _number(lon, -180, 180)
    radius = _number(rayon, 50, 2000)
    if latitude is None:
        errors["lat"] = t("Latitude : un nombre entre -90 et 90, par exemple 43,2130.")
    if longitude is None:
        errors["lon"] = t("Longitude : un nombre entre -180 et 180, par exemple 2,3510.")
    if radius is None:
        errors["rayon"] = t("Rayon : entre 50 et 2 000 mètres.")
    if role not in ("home", "work"):
        errors["role"] = t("Choisissez domicile ou travail.")
    if latitude is None or longitude is None or radius is None or errors:
        return places_page(page, vault, errors)
    vault.set_place(
        NamedPlace(
            id=mint_iri(),
            role=PlaceRole(role),
            label=nom.strip() or None,
            lat=latitude,
            lon=longitude,
            radius=Metres(int(radius)),
            confirmed_at=page.now,
        )
    )
    return page.go("/coffre/lieux", notice=t("Lieu enregistré. Il ne sort jamais du coffre."))


@router.post("/coffre/lieux/supprimer")
def remove_place(
    page: CheckedDep, vault: VaultDep, lieu: Annotated[str, Form(max_length=100)]
) -> Response:
    """Forget a place: days are counted without it from now on."""
    if not any(place.id == lieu for place in vault.places()):
        return page.go("/coffre/lieux", notice=page.t("Ce lieu est déjà supprimé."), kind="warn")
    remove(vault, Iri(lieu))
    text = page.t("Lieu supprimé. Les jours se comptent sans lui désormais.")
    return page.go("/coffre/lieux", notice=text)


def _number(text: str, low: float, high: float) -> float | None:
    try:
        value = float(text.replace(",", ".").replace("\u202f", "").strip())
    except ValueError:
        return None
    return value if low <= value <= high else None


TERRITORY: Final = ("address.commune", "address.epci", "address.departement", "address.region")


@router.get("/coffre/commune")
def commune_form(
    page: PageDep,
    context: ContextDep,
    vault: VaultDep,
    q: Annotated[str, Query(max_length=80)] = "",
) -> HTMLResponse:
    """Find the citizen's commune: local aids depend on it."""
    known = next((a for a in vault.attributes("address.commune")), None)
    commune = by_code(str(known.value)) if known is not None else None
    return page.show(
        "commune.html",
        query=q,
        known=commune.name if commune is not None else "",
        feed=""
        if commune is None
        else f"{context.settings.url(Node.HUB)}/communes/{commune.code}/nouvelles.atom",
        found=[
            {
                "code": c.code,
                "name": c.name,
                "text": f"{', '.join(c.postcodes[:3])} · {c.departement}",
            }
            for c in search(q)
        ],
    )


@router.post("/coffre/commune")
def set_commune(
    page: CheckedDep, vault: VaultDep, code: Annotated[str, Form(max_length=5)]
) -> Response:
    """Keep the codes of the commune and of what holds it, as claimed by the citizen."""
    commune = by_code(code)
    if commune is None:
        return page.go("/coffre/commune", notice=page.t("Commune inconnue."), kind="warn")
    values = dict(
        zip(
            TERRITORY,
            (commune.code, commune.epci, commune.departement, commune.region),
            strict=True,
        )
    )
    known = {a.name: a for a in vault.attributes()}
    for name, value in values.items():
        if value is None:
            continue
        old = known.get(name)
        fresh = Attribute(
            id=old.id if old is not None else mint_iri(),
            revision=old.revision if old is not None else 1,
            name=name,
            value=value,
            source="citizen",
            certified_at=page.now,
            degree=Degree.CLAIMED,
        )
        vault.put(fresh)
    return page.go("/aides", notice=page.t("Commune enregistrée : {name}.", name=commune.name))


@router.get("/coffre/documents")
def documents(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:
    """Invoices, passes, attributes, signed documents, awards."""
    t = page.t
    groups = []
    for title, kind in (
        (t("Abonnements"), Kind.SUBSCRIPTION),
        (t("Factures"), Kind.INVOICE),
        (t("Attributs, avec leur source"), Kind.ATTRIBUTE),
        (t("Documents signés"), Kind.CREDENTIAL),
        (t("Aides accordées"), Kind.AWARD),
    ):
        items = [
            shown
            for record in vault.records(kind, limit=50).records
            if (shown := _document(t, record)) is not None
        ]
        if items:
            groups.append({"title": title, "rows": items})
    identity = identity_card(t, context, vault)
    return page.show(
        "documents.html",
        groups=groups,
        files=_files(t, vault),
        refused=None,
        identity=identity,
        awaited=[
            {
                "title": t(CREDENTIAL_TITLES.get(one.configuration, one.configuration)),
                "text": t(
                    "Demandé le {moment} à {issuer}",
                    moment=t.moment(one.asked_at),
                    issuer=urlsplit(one.issuer).netloc,
                ),
            }
            for one in awaited(vault)
        ],
    )


def _files(t: Translator, vault: OpenVault) -> list[dict[str, str]]:
    """The citizen's own files, newest first, at most 100."""
    return [
        {
            "id": found.id,
            "title": found.title,
            "text": t(
                "{size} ko · gardé le {day}",
                size=max(1, round(found.size / 1000)),
                day=t.day(found.created_at.date(), "long"),
            ),
        }
        for found in vault.records(Kind.DOCUMENT, limit=100).records
        if isinstance(found, Document)
    ]


@router.post("/coffre/documents")
def keep_document(
    page: CheckedDep, vault: VaultDep, fichier: Annotated[UploadFile, File()]
) -> Response:
    """Keep a file of the citizen's, sealed; what it is follows from its bytes."""
    t = page.t
    data = fichier.file.read(MAX_DOCUMENT + 1)
    name = (fichier.filename or "").replace("\\", "/").rsplit("/", 1)[-1]
    try:
        kept = add_document(vault, data, title=name or t("Document"))
    except DocumentRefusedError:
        refused = t("Ce fichier n'est pas gardé : PDF, image, tableur ou texte, 20 Mo au plus.")
        return page.show(
            "documents.html",
            status=415,
            groups=[],
            files=_files(t, vault),
            refused=refused,
            identity=None,
            awaited=[],
        )
    return page.go(
        "/coffre/documents", notice=t("Gardé dans votre coffre : {title}.", title=kept.title)
    )


@router.post("/coffre/documents/supprimer")
def remove_document(
    page: CheckedDep, vault: VaultDep, document: Annotated[str, Form(max_length=2_048)]
) -> Response:
    """Destroy a file and its key."""
    remove(vault, document_of(vault, Iri(document)).id)
    return page.go("/coffre/documents", notice=page.t("Document détruit, sa clé aussi."))


def _document(t: Translator, record: object) -> dict[str, str] | None:
    match record:
        case Subscription():
            until = t("jusqu'au {day}", day=t.day(record.valid_until, "long"))
            return {
                "title": f"{record.network} · {record.product}",
                "text": until,
                "tag": "",
                "kind": "",
            }
        case Invoice():
            day = t.day(record.issued_at.date(), "long")
            text = f"{t.amount(record.total)} · {day}"
            return {"title": record.issuer_name, "text": text, "tag": "", "kind": ""}
        case Attribute() if record.name.startswith(PREFIX):
            return None  # an answer: on « Mes réponses »
        case Attribute():
            label, kind = DEGREES[record.degree.value]
            title = (
                t(ATTRIBUTE_TITLES[record.name]) if record.name in ATTRIBUTE_TITLES else record.name
            )
            value = record.value
            if isinstance(value, bool):
                value = t("oui") if value else t("non")
            elif record.name in DAYS:
                value = t.day(str(value), "long")
            text = f"{value} · {source_name(t, record.source)}"
            if record.level is not None:
                level = t("niveau {level}", level=level_word(t, record.level))
                text = f"{text} · {level} · {t.moment(record.certified_at)}"
            return {"title": title, "text": text, "tag": t(label), "kind": kind}
        case Credential():
            known = CREDENTIAL_TITLES.get(record.type)
            text = t("Reçu le {moment}", moment=t.moment(record.received_at))
            label, kind = DEGREES["signed"]
            is_disputed = MARK in record.extra
            return {
                "title": t(known) if known else record.type,
                "text": text,
                "tag": t("contesté") if is_disputed else t(label),
                "kind": "warn" if is_disputed else kind,
                "dispute": ""
                if record.type not in DISPUTABLE
                else "/trajets/contestes"
                if is_disputed
                else f"/trajets/contester/{short(record.id)}",
            }
        case Award():
            return {
                "title": t.amount(record.amount) if record.amount else t("Droit de circuler"),
                "text": t.moment(record.awarded_at),
                "tag": t("Aide accordée"),
                "kind": "ok",
            }
    return None


def actor_name(t: Translator, actor: str, trust: TrustSnapshot | None = None) -> str:
    """« vous », « hébergeur du coffre » or the party's own name."""
    words = {
        "citizen": t("vous"),
        "holder": t("le bénéficiaire"),
        "home": t("hébergeur du coffre"),
        "rule": t("la règle de calcul"),
        "retention": t("votre règle d'oubli"),
        "hub": t("le guichet"),
        "": "–",
    }
    kind, _, party = actor.partition(":")
    did = party if kind == "depositor" else actor
    if ":connecteurs:" in did:
        return source_name(t, did.rpartition(":")[2])
    if did.startswith("did:") and trust is not None:
        entry = trust.entry(Did(did))
        return entry.name if entry is not None else did
    if kind == "connector":
        return source_name(t, party)
    return words.get(actor, actor)


@router.get("/coffre/quarantaine")
def quarantine(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """What could not be opened or understood."""
    t = page.t
    rows = [
        [
            t.moment(entry.at),
            entry.depositor,
            t(CODES[entry.reason]) if entry.reason in CODES else entry.reason,
            entry.where or "–",
        ]
        for entry in vault.quarantine()
    ]
    return page.show("quarantine.html", rows=rows)


_EXPORT_FAILED: Final = {
    "blob-missing": N_(
        "Un fichier du coffre manque ou est abîmé. Demandez à l'hébergeur de vérifier le coffre."
    ),
    "export-overtaken": N_(
        "Des éléments ont été effacés pendant la préparation. Recommencez quand c'est terminé."
    ),
    "lease-expired": N_("L'hébergeur s'est arrêté plusieurs fois pendant la préparation."),
    NOT_WRITTEN: N_(
        "L'hébergeur n'a pas pu écrire l'archive : la place manque peut-être. Réessayez plus tard."
    ),
}
_EXPORT_FAILED_OTHERWISE: Final = N_(
    "Une partie du coffre n'a pas pu être lue. Demandez à l'hébergeur de vérifier le coffre."
)


def export_page(
    page: Page, context: ContextDep, vault: VaultDep, *, errors: Errors | None = None
) -> HTMLResponse:
    """What is being made and how far, or the form; the archive that waits, if there is one."""
    t, ready = page.t, archive.prepared(context.home, vault.vault_id)
    found, running, failed = None, None, None
    if ready is not None:
        found = {
            "size": t("{size} ko", size=max(1, round(ready.size / 1000))),
            "made": t.moment(ready.made_at),
            "until": t.moment(ready.until),
        }
    making = archive.making(vault)
    if making is not None and making.failed is None:
        percent = min(99, making.done * 100 // making.total)
        running = {
            "percent": percent,
            "text": t("{percent} % écrits", percent=percent),
            "began": t.moment(making.began_at),
        }
        vault.tend()  # whoever was at it may be gone
    elif making is not None:
        failed = t(_EXPORT_FAILED.get(making.failed or "", _EXPORT_FAILED_OTHERWISE))
    return page.show(
        "export.html",
        status=422 if errors else 200,
        errors=errors or Errors(),
        ready=found,
        running=running,
        failed=failed,
    )


@router.get("/coffre/emporter")
def export_form(page: PageDep, context: ContextDep, vault: VaultDep) -> HTMLResponse:
    """Take everything: the form, what is being made, and the archive that waits."""
    return export_page(page, context, vault)


@router.post("/coffre/emporter")
def export(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    phrase: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Have the sealed archive made in the background."""
    t = page.t
    if len(phrase) < MIN_PASSPHRASE:
        text = t("La phrase secrète doit compter au moins {n} caractères.", n=MIN_PASSPHRASE)
        return export_page(page, context, vault, errors=Errors(phrase=text))
    try:
        archive.begin(vault, passphrase=phrase)
    except ExportRunningError:
        return page.go(
            "/coffre/emporter#archive",
            notice=t(
                "Une archive est déjà en préparation, avec la phrase choisie la première fois."
            ),
            kind="warn",
        )
    return page.go("/coffre/emporter#archive")


@router.post("/coffre/emporter/annuler")
def call_off_export(page: CheckedDep, vault: VaultDep) -> Response:
    """Make it no longer; an archive that waits already stays."""
    archive.call_off(vault)
    return page.go("/coffre/emporter", notice=page.t("La préparation est annulée."))


@router.get("/coffre/emporter/archive")
def download_export(page: PageDep, context: ContextDep, vault: VaultDep) -> Response:
    """The prepared archive, whole or by ranges: a download that broke goes on."""
    ready = archive.prepared(context.home, vault.vault_id)
    if ready is None:
        return page.go(
            "/coffre/emporter",
            notice=page.t("Cette archive n'est plus gardée : préparez-en une nouvelle."),
            kind="warn",
        )
    day = local_today(ready.made_at).isoformat()
    return FileResponse(
        ready.path,
        media_type="application/octet-stream",
        filename=f"coffre-{day}.tar.age",
        headers={"etag": ready.tag, "cache-control": "no-store"},
    )


@router.get("/coffre/detruire")
def shred_form(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Say what will happen and ask for the vault's number."""
    return page.show("shred.html", vault_id=vault.vault_id, errors=Errors())


@router.post("/coffre/detruire")
def shred(
    page: CheckedDep, context: ContextDep, vault: VaultDep, confirme: Annotated[str, Form()] = ""
) -> Response:
    """Destroy the vault's keys and say until when unreadable copies last."""
    t = page.t
    if confirme.strip() != vault.vault_id:
        text = t("Le numéro recopié n'est pas celui de ce coffre.")
        return page.show(
            "shred.html", status=422, vault_id=vault.vault_id, errors=Errors(confirme=text)
        )
    receipt, left = destroy(context.home, context.connectors, vault.vault_id)
    answer = page.show(
        "shredded.html",
        tabs=False,
        left=left,
        moment=t.moment(receipt.at),
        until=t.day(receipt.backups_until.date(), "long"),
        receipt=json.dumps(receipt.document, ensure_ascii=False, indent=1),
    )
    answer.delete_cookie(VAULT_COOKIE, secure=True, httponly=True, samesite="lax")
    return answer


def default_period(today: date) -> tuple[date, date]:
    """The civil year so far: the forfait is counted by civil year."""
    return today.replace(month=1, day=1), today


__all__ = ["actor_name", "default_period", "router"]
