"""« Livraison »: addresses and wishes, parcel receipts, and which shops were told what."""

# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, File, Form, UploadFile
from fastapi.responses import HTMLResponse, Response

from federation.trust import TrustError
from portal.extension_pages import STATEMENT, Pages, fact_title, words_of
from portal.extensions.delivery.addresses import ADDRESS, NAME, PARCEL, VERSION, postal_lines
from portal.extensions.delivery.forms import FIELDS, TICKS, AddressForm, hours_text
from portal.extensions.delivery.receipts import MAX_RECEIPT, ReceiptError, read_receipt
from portal.extensions.delivery.words import CHOICES, CONSTRAINTS, DROPS, VEHICLES
from portal.i18n import Translator
from portal.pages.access import Errors
from portal.pages.deps import CheckedDep, ContextDep, PageDep, VaultDep
from portal.views import iri, short
from portal.web import Page
from schemas.errors import MobilityError, RecordError
from schemas.ids import mint_iri
from schemas.records import Consent, ExtensionRecord, Kind
from vault.errors import RecordUnknownError, ShareRefusedError
from vault.extensions import extension_records
from vault.open_vault import OpenVault

HERE: Final = "/coffre/livraison"
_CLAIMS: Final = frozenset({"delivery", "delivery_address"})
router = APIRouter(include_in_schema=False)

_Text = Annotated[str, Form(max_length=80)]
_Long = Annotated[str, Form(max_length=500)]
_Tick = Annotated[str, Form(max_length=1)]


def _form(
    remise: _Text = "hand",
    choix: _Text = "any",
    forme: _Text = "afnor",
    nom: _Text = "",
    destinataire: _Text = "",
    etage: _Text = "",
    batiment: _Text = "",
    rue: _Text = "",
    lieu: _Text = "",
    code: _Text = "",
    commune: _Text = "",
    pays: _Text = "FR",
    lignes: _Long = "",
    acces: _Long = "",
    relais: Annotated[str, Form(max_length=120)] = "",
    relais_code: _Text = "",
    relais_adresse: Annotated[str, Form(max_length=200)] = "",
    creneaux: _Long = "",
    plain_pied: _Tick = "",
    porter: _Tick = "",
    appeler: _Tick = "",
    sans_signature: _Tick = "",
    sans_sonner: _Tick = "",
    habituelle: _Tick = "",
) -> AddressForm:
    ticked = (plain_pied, porter, appeler, sans_signature, sans_sonner)
    return AddressForm(
        form=forme, label=nom, addressee=destinataire, unit=etage, building=batiment, street=rue,
        place=lieu, postal_code=code, locality=commune, country=pays, lines=lignes, access=acces,
        drop=remise, relay=relais, relay_identifier=relais_code, relay_address=relais_adresse,
        choice=choix, hours=creneaux, preferred=bool(habituelle),
        constraints=tuple(c for c, tick in zip(TICKS.values(), ticked, strict=True) if tick),
    )  # fmt: skip


FormDep = Annotated[AddressForm, Depends(_form)]


def _records(vault: OpenVault, type_: str) -> list[ExtensionRecord]:
    return extension_records(vault, NAME, type_)


def _one(vault: OpenVault, uuid_text: str) -> ExtensionRecord:
    wanted = iri(uuid_text)
    for record in _records(vault, ADDRESS):
        if record.id == wanted:
            return record
    raise RecordUnknownError(wanted)


@router.get(HERE)
def delivery(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Addresses, parcels, and who was told."""
    return _show(page, vault, AddressForm(), Errors())


def _show(page: Page, vault: OpenVault, given: AddressForm, errors: Errors) -> HTMLResponse:
    t = page.t
    addresses = _records(vault, ADDRESS)
    return page.show(
        f"{NAME}/livraison.html",
        status=422 if errors else 200,
        addresses=[_address(t, record) for record in addresses],
        parcels=[_parcel(t, record) for record in reversed(_records(vault, PARCEL))],
        shops=_shops(t, vault),
        errors=errors,
        **_choices(t, given),
    )


def _choices(t: Translator, given: AddressForm) -> dict[str, Any]:
    return {
        "given": given,
        "forms": [("afnor", t("Adresse française")), ("free", t("Autre : en lignes libres"))],
        "drops": [(code, words_of(t, words)) for code, words in DROPS.items()],
        "choices": [(code, words_of(t, words)) for code, words in CHOICES.items()],
        "ticks": [(name, code, words_of(t, CONSTRAINTS[code])) for name, code in TICKS.items()],
    }


def _address(t: Translator, record: ExtensionRecord) -> dict[str, Any]:
    body = record.body
    wishes = [words_of(t, DROPS[body["drop"]])]
    if "relay" in body:
        wishes.append(body["relay"]["name"])
    wishes.append(words_of(t, CHOICES[body["choice"]]))
    wishes += [words_of(t, CONSTRAINTS[code]) for code in body.get("constraints", ())]
    return {
        "id": short(record.id),
        "title": record.title,
        "lines": postal_lines(body),
        "wishes": " · ".join(wishes),
        "hours": hours_text(t, body.get("hours", ())),
        "is_usual": bool(body.get("preferred")),
    }


def _parcel(t: Translator, record: ExtensionRecord) -> dict[str, str]:
    body = record.body
    text = [t.day(body["deliveredAt"], "long"), words_of(t, DROPS[body["drop"]])]
    if "vehicle" in body:
        text.append(words_of(t, VEHICLES[body["vehicle"]]))
    if "co2e" in body:
        text.append(t.co2(body["co2e"]))
    signed = body.get("issuer")
    return {
        "id": short(record.id),
        "title": record.title,
        "contents": record.summary,
        "text": " · ".join(text),
        "by": t("Reçu signé par le marchand") if signed else t("Déclaré par vous"),
    }


def _shops(t: Translator, vault: OpenVault) -> list[dict[str, str]]:
    """Consents under which something of this was told, newest first."""
    out = []
    for record in reversed(vault.all(Kind.CONSENT)):
        if not isinstance(record, Consent):
            continue
        told = [
            fact_title(t, path) or ""
            for path in record.claims
            if path.startswith(f"{STATEMENT}{NAME}.")
        ]
        by_login = any(path.split(".", 1)[0] in _CLAIMS for path in record.claims)
        if not told and not by_login:
            continue
        over = record.withdrawn_at
        out.append(
            {
                "href": f"/partages/{short(record.id)}",
                "title": record.recipient_name,
                "text": ", ".join(told) or t("Par une connexion à ce service"),
                "when": t("Retiré le {day}", day=t.day(over.date(), "long"))
                if over
                else t("Accord du {day}", day=t.day(record.given_at.date(), "long")),
            }
        )
    return out


@router.post(HERE)
def add(page: CheckedDep, vault: VaultDep, given: FormDep) -> Response:
    """Keep an address and how to deliver there."""
    return _keep(page, vault, given, None)


@router.get(HERE + "/{uuid_text}")
def edit_form(page: PageDep, vault: VaultDep, uuid_text: str) -> HTMLResponse:
    """One address, to be changed."""
    record = _one(vault, uuid_text)
    return _edit(page, record, AddressForm.of(page.t, record.body), Errors())


def _edit(page: Page, record: ExtensionRecord, given: AddressForm, errors: Errors) -> HTMLResponse:
    return page.show(
        f"{NAME}/adresse.html",
        status=422 if errors else 200,
        record={"id": short(record.id), "title": record.title},
        errors=errors,
        **_choices(page.t, given),
    )


@router.post(HERE + "/{uuid_text}")
def edit(page: CheckedDep, vault: VaultDep, uuid_text: str, given: FormDep) -> Response:
    """Keep an address as it was changed."""
    return _keep(page, vault, given, _one(vault, uuid_text))


def _keep(
    page: Page, vault: OpenVault, given: AddressForm, old: ExtensionRecord | None
) -> Response:
    t = page.t
    body, errors = given.read(t)
    others = [r for r in _records(vault, ADDRESS) if old is None or r.id != old.id]
    if not errors:
        if not others:
            body["preferred"] = True
        made = ExtensionRecord(
            id=mint_iri() if old is None else old.id,
            revision=1 if old is None else old.revision,
            extension=NAME,
            version=VERSION,
            type=ADDRESS,
            title=body.get("label") or body["addressee"],
            summary=", ".join(postal_lines(body)[1:])[:500],
            body=body,
        )
        yielding = [
            replace(other, body={**other.body, "preferred": False})
            for other in others
            if body["preferred"] and other.body.get("preferred")
        ]
        try:
            vault.put(made, *yielding)
        except RecordError as error:
            where = (error.where or "").removeprefix("/body/").partition("/")[0]
            errors = Errors({FIELDS.get(where, "rue"): t("Cette valeur ne va pas.")})
    if errors:
        if old is None:
            return _show(page, vault, given, errors)
        return _edit(page, old, given, errors)
    return page.go(HERE, notice=t("L'adresse est gardée dans votre coffre."))


@router.post("/coffre/colis")
def keep_receipt(
    page: CheckedDep,
    context: ContextDep,
    vault: VaultDep,
    fichier: Annotated[UploadFile, File()],
) -> Response:
    """Keep a shop's parcel receipt; its signature is checked against the registry."""
    t, trust, at = page.t, context.home.trust, page.now
    if trust is None:
        raise ShareRefusedError("no-trust-registry")
    with suppress(MobilityError):  # a shop of this morning
        context.refresh_trust()
    trust = context.home.trust or trust
    known = trust
    raw = fichier.file.read(MAX_RECEIPT * 4 + 1)
    try:
        text = raw.decode()
        record = read_receipt(text, lambda method: known.key(method, at), at=at)
        seen = {r.body.get("receipt") for r in _records(vault, PARCEL)} - {None}
        if record.body.get("receipt") in seen:
            return page.go(HERE, notice=t("Ce reçu est déjà dans votre coffre."), kind="warn")
        vault.put(record)
    except (ReceiptError, TrustError) as error:
        said = (
            t("La signature de ce reçu n'est pas celle d'un marchand reconnu : il n'est pas gardé.")
            if isinstance(error, TrustError) or error.reason == "receipt-signature"
            else t("Ce fichier n'est pas un reçu de colis.")
        )
        return _show(page, vault, AddressForm(), Errors(fichier=said))
    except (UnicodeDecodeError, RecordError):
        said = t("Ce fichier n'est pas un reçu de colis.")
        return _show(page, vault, AddressForm(), Errors(fichier=said))
    return page.go(HERE, notice=t("Le reçu est gardé dans votre coffre."))


pages: Final = Pages(
    router,
    """
GET /coffre/livraison
POST /coffre/livraison
GET /coffre/livraison/{uuid_text}
POST /coffre/livraison/{uuid_text}
POST /coffre/colis
""",
)

__all__ = ["pages"]
