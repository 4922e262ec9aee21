"""Search, deletion with confirmation, rules that forget, vehicles, goals."""

# ruff: noqa: E501, PLR0917 - a sentence of the catalogue stands whole on one line; a route's parameters are its form's fields

from datetime import date
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from portal.glossary import MODES
from portal.i18n import N_, Translator
from portal.pages.access import Errors
from portal.pages.deps import CheckedDep, PageDep, VaultDep
from portal.views import TripWords, iri, local_today, proof_rows, short, source_name
from portal.web import Page
from schemas.extensions import installed
from schemas.ids import mint_iri
from schemas.modes import Mode
from schemas.observations import Suppression
from schemas.records import (
    Application,
    Consent,
    DataRequest,
    Direction,
    Document,
    Energy,
    ExtensionRecord,
    Goal,
    GoalMetric,
    GoalPeriod,
    Invoice,
    Kind,
    Mandate,
    NamedPlace,
    Record,
    Subscription,
    Tenure,
    Trip,
    Vehicle,
    VehicleType,
)
from vault import deletion, goals, retention
from vault.deletion import holding
from vault.open_vault import OpenVault
from vault.search import Query, search

router = APIRouter(include_in_schema=False)

KIND_WORDS: Final = {
    "Trip": N_("Trajet"),
    "Invoice": N_("Facture"),
    "Subscription": N_("Abonnement"),
    "NamedPlace": N_("Lieu"),
    "Document": N_("Document"),
    "AidApplication": N_("Demande d'aide"),
    "Consent": N_("Accord donné"),
    "Vehicle": N_("Véhicule"),
    "Goal": N_("Objectif"),
    "ExtensionRecord": N_("Donnée d'une extension"),
    "Mandate": N_("Mandat"),
    "DataRequest": N_("Demande de mes données"),
}
VEHICLE_WORDS: Final = {
    "bicycle": N_("Vélo"),
    "ebike": N_("Vélo électrique"),
    "cargo-bike": N_("Vélo cargo"),
    "folding-bike": N_("Vélo pliant"),
    "adapted-bike": N_("Vélo adapté"),
    "escooter": N_("Trottinette électrique"),
    "moped": N_("Cyclomoteur"),
    "motorcycle": N_("Moto"),
    "car": N_("Voiture"),
    "van": N_("Camionnette"),
    "other": N_("Autre véhicule"),
}
ENERGY_WORDS: Final = {
    "human": N_("Sans moteur"),
    "assisted": N_("Assistance électrique"),
    "electric": N_("Électrique"),
    "hydrogen": N_("Hydrogène"),
    "plug-in-hybrid": N_("Hybride rechargeable"),
    "hybrid": N_("Hybride"),
    "petrol": N_("Essence"),
    "diesel": N_("Diesel"),
    "gas": N_("Gaz"),
}
TENURE_WORDS: Final = {
    "owned": N_("À moi"),
    "leased": N_("En location"),
    "company": N_("De mon employeur"),
    "lent": N_("Prêté"),
}
METRIC_WORDS: Final = {
    "distance": N_("Kilomètres"),
    "days": N_("Jours"),
    "trips": N_("Trajets"),
    "emission": N_("Kilogrammes de CO₂"),
}
PERIOD_WORDS: Final = {
    "week": N_("par semaine"),
    "month": N_("par mois"),
    "year": N_("par an"),
}
DIRECTION_WORDS: Final = {"at-least": N_("au moins"), "at-most": N_("au plus")}
RULES: Final = {
    "tracks": (
        N_("Tracés bruts"),
        N_(
            "Les points GPS sont détruits. Le trajet garde ses lieux, sa distance, ses heures, son mode et sa preuve."
        ),
    ),
    "trips": (
        N_("Trajets entiers"),
        N_("Les trajets sont supprimés et ne reviennent pas à la prochaine relève."),
    ),
    "invoices": (
        N_("Factures"),
        N_(
            "Les factures sont supprimées, d'après le jour où elles ont été établies, et ne reviennent pas à la prochaine relève. Gardez le temps de demander une aide."
        ),
    ),
}
TERMS: Final = (3, 6, 12, 18, 24, 36, 60, 120)


def options(t: Translator, words: dict[str, str]) -> list[tuple[str, str]]:
    """Choices of a list."""
    return [(code, t(text)) for code, text in words.items()]


def day_or_none(text: str) -> date | None:
    """A day of a form; None when empty. Raises ValueError."""
    return date.fromisoformat(text) if text.strip() else None


# --- search ------------------------------------------------------------------------------------


@router.get("/chercher")
def search_form(page: PageDep, _vault: VaultDep) -> HTMLResponse:
    """The question. It is asked by POST, so that words stay out of addresses."""
    return _search_page(page, {}, None)


@router.post("/chercher")
def search_results(
    page: CheckedDep,
    vault: VaultDep,
    mots: Annotated[str, Form(max_length=200)] = "",
    genre: Annotated[str, Form(max_length=30)] = "",
    mode: Annotated[str, Form(max_length=30)] = "",
    depuis: Annotated[str, Form(max_length=10)] = "",
    jusqu: Annotated[str, Form(max_length=10)] = "",
    suite: Annotated[str, Form(max_length=600)] = "",
) -> HTMLResponse:
    """A page of what was found, newest first."""
    t = page.t
    asked = {"mots": mots, "genre": genre, "mode": mode, "depuis": depuis, "jusqu": jusqu}
    try:
        since, until = day_or_none(depuis), day_or_none(jusqu)
    except ValueError:
        return _search_page(page, asked, None, Errors({"depuis": t("Cette date n'existe pas.")}))
    query = Query(
        text=mots,
        kinds=frozenset({Kind(genre)}) if genre in KIND_WORDS else frozenset(),
        modes=frozenset({Mode(mode)}) if mode in MODES else frozenset(),
        since=since,
        until=until,
    )
    found = search(vault, query, cursor=suite or None)
    words = TripWords(t, vault.places())
    return _search_page(
        page,
        asked,
        {
            "total": t.n("{n} résultat", "{n} résultats", found.total),
            "rows": [_hit(t, words, record) for record in found.records],
            "suite": found.cursor,
        },
    )


def _search_page(
    page: Page, asked: dict[str, str], found: dict[str, Any] | None, errors: Errors | None = None
) -> HTMLResponse:
    t = page.t
    return page.show(
        "search.html",
        status=422 if errors else 200,
        asked={"mots": "", "genre": "", "mode": "", "depuis": "", "jusqu": ""} | asked,
        kinds=[("", t("Tout")), *options(t, KIND_WORDS)],
        modes=[("", t("Tous les modes")), *options(t, MODES)],
        found=found,
        errors=errors or Errors(),
    )


def _hit(t: Translator, words: TripWords, record: Record) -> dict[str, Any]:
    match record:
        case Trip():
            row = words.row(record)
            return {
                "href": f"/trajets/{short(record.id)}",
                "title": row.ends,
                "text": f"{t.day(record.local_date, 'full')} · {t(MODES[record.mode.value])} · {row.distance}",
            }
        case Invoice():
            text = f"{t.day(record.issued_at.date(), 'long')} · {t.amount(record.total)}"
            return {"href": "/coffre/documents", "title": record.issuer_name, "text": text}
        case Subscription():
            return {
                "href": "/coffre/documents",
                "title": f"{record.network} · {record.product}",
                "text": t.day(record.valid_from, "long"),
            }
        case NamedPlace():
            return {"href": "/coffre/lieux", "title": record.label or t("Lieu"), "text": t("Lieu")}
        case Vehicle():
            title, text = vehicle_words(t, record)
            return {"href": "/coffre/vehicules", "title": title, "text": text}
        case Goal():
            title = record.label or t(METRIC_WORDS[record.metric.value])
            return {"href": "/coffre/objectifs", "title": title, "text": t("Objectif")}
        case ExtensionRecord():
            extension = installed().get(record.extension)
            return {
                "href": (extension and extension.home) or "/coffre/extensions",
                "title": record.title,
                "text": record.summary or t("Donnée d'une extension"),
            }
        case Application():
            return {
                "href": f"/demandes/{short(record.id)}",
                "title": record.funder,
                "text": t("Demande d'aide"),
            }
        case Consent():
            return {
                "href": "/partages",
                "title": record.recipient_name,
                "text": f"{t('Accord donné')} · {t.day(record.given_at.date(), 'long')}",
            }
        case Document():
            return {"href": "/coffre/documents", "title": record.title, "text": t("Document")}
        case Mandate():
            return {"href": "/coffre", "title": record.delegate_name, "text": t("Mandat")}
        case DataRequest():
            return {
                "href": f"/sources/demandes/{short(record.id)}",
                "title": record.company,
                "text": t("Demande de mes données"),
            }
    return {"href": "/coffre", "title": record.id, "text": ""}


# --- deleting a day, a period, a source --------------------------------------------------------


@router.get("/coffre/effacer")
def delete_choices(page: PageDep, vault: VaultDep, jour: str = "") -> HTMLResponse:
    """What may be deleted, and what still can be undone."""
    return _delete_page(page, vault, jour)


def _delete_page(
    page: Page, vault: OpenVault, day: str = "", errors: Errors | None = None
) -> HTMLResponse:
    t = page.t
    acts = [act for act in vault.decisions() if isinstance(act, Suppression)]
    undoable = [
        act
        for act in holding(acts)
        if act.until is not None and act.until >= page.now and act.scope != "trip"
    ]
    return page.show(
        "delete.html",
        status=422 if errors else 200,
        day=day,
        accounts=[
            {
                "source": source,
                "account": account,
                "name": source_name(t, source),
                "text": t.n("{n} observation", "{n} observations", count),
            }
            for source, account, count in deletion.accounts(vault)
        ],
        undoable=[
            {
                "id": short(act.id),
                "title": _scope_words(t, act),
                "text": t(
                    "Supprimé le {day}. Annulable jusqu'au {until}.",
                    day=t.day(act.at.date(), "long"),
                    until=t.day(cast(Any, act.until).date(), "long"),
                ),
            }
            for act in undoable
        ],
        errors=errors or Errors(),
    )


def _scope_words(t: Translator, act: Suppression) -> str:
    if act.scope == "account":
        return t("Source : {name}", name=source_name(t, act.source or ""))
    if act.scope == "record" or act.started_at is None or act.ended_at is None:
        return t("Un enregistrement")
    return t(
        "Du {since} au {until}",
        since=t.day(local_today(act.started_at), "long"),
        until=t.day(local_today(act.ended_at), "long"),
    )


@router.post("/coffre/effacer/apercu")
def delete_preview(
    page: CheckedDep,
    vault: VaultDep,
    depuis: Annotated[str, Form(max_length=10)] = "",
    jusqu: Annotated[str, Form(max_length=10)] = "",
    source: Annotated[str, Form(max_length=200)] = "",
    compte: Annotated[str, Form(max_length=200)] = "",
) -> HTMLResponse:
    """What would be destroyed, before it is."""
    t = page.t
    if source:
        found = deletion.preview(vault, account=(source, compte))
        title = t("Supprimer tout ce qui vient de {name} ?", name=source_name(t, source))
        fields = {"source": source, "compte": compte}
    else:
        try:
            since = date.fromisoformat(depuis)
            until = day_or_none(jusqu) or since
        except ValueError:
            return _delete_page(
                page, vault, depuis, Errors({"depuis": t("Cette date n'existe pas.")})
            )
        if until < since:
            return _delete_page(
                page, vault, depuis, Errors({"jusqu": t("La fin est avant le début.")})
            )
        found = deletion.preview(vault, interval=deletion.days(vault, since, until))
        title = (
            t("Supprimer le {day} ?", day=t.day(since, "full"))
            if since == until
            else t(
                "Supprimer du {since} au {until} ?",
                since=t.day(since, "long"),
                until=t.day(until, "long"),
            )
        )
        fields = {"depuis": since.isoformat(), "jusqu": until.isoformat()}
    return page.show(
        "delete_confirm.html",
        title=title,
        counts=[
            text
            for count, text in (
                (found.trips, t.n("{n} trajet", "{n} trajets", found.trips)),
                (found.tracks, t.n("{n} tracé", "{n} tracés", found.tracks)),
                (found.documents, t.n("{n} document", "{n} documents", found.documents)),
                (
                    found.observations,
                    t.n("{n} observation", "{n} observations", found.observations),
                ),
            )
            if count
        ],
        is_empty=not found.observations,
        pinned=t.n(
            "{n} observation appuie une preuve déjà partagée.",
            "{n} observations appuient une preuve déjà partagée.",
            found.pinned,
        )
        if found.pinned
        else "",
        proofs=proof_rows(t, found.proofs),
        fields=fields,
        backups=t.n("{n} jour", "{n} jours", vault.home.settings.backups_kept.days),
    )


@router.post("/coffre/effacer")
def delete_now(
    page: CheckedDep,
    vault: VaultDep,
    depuis: Annotated[str, Form(max_length=10)] = "",
    jusqu: Annotated[str, Form(max_length=10)] = "",
    source: Annotated[str, Form(max_length=200)] = "",
    compte: Annotated[str, Form(max_length=200)] = "",
) -> Any:
    """Delete what the preview showed; the next page offers to undo."""
    t = page.t
    if source:
        deleted = vault.delete(account=(source, compte))
    else:
        try:
            interval = deletion.days(vault, date.fromisoformat(depuis), date.fromisoformat(jusqu))
        except ValueError:
            return _delete_page(
                page, vault, depuis, Errors({"depuis": t("Cette date n'existe pas.")})
            )
        deleted = vault.delete(interval=interval)
    undo = f"undo:/trajets/annuler/{short(deleted.suppression)} "
    text = t.n("{n} trajet supprimé.", "{n} trajets supprimés.", deleted.trips)
    more = t("Rien de cela ne reviendra à la prochaine relève.")
    return page.go("/coffre/effacer", notice=f"{undo}{text} {more}")


@router.post("/coffre/effacer/enregistrement")
def delete_record(
    page: CheckedDep,
    vault: VaultDep,
    quoi: Annotated[str, Form(max_length=60)],
    retour: Annotated[str, Form(max_length=60)] = "/coffre",
) -> RedirectResponse:
    """Delete one record that is no trip."""
    own = {extension.home for extension in installed().values()}
    known = {"/coffre/vehicules", "/coffre/objectifs", "/coffre/extensions", "/sources/demandes"}
    to = retour if retour in own | known else "/coffre"
    deletion.remove(vault, iri(quoi))
    return page.go(to, notice=page.t("C'est supprimé."))


# --- rules that forget -------------------------------------------------------------------------


@router.get("/coffre/oubli")
def rules_page(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Retention rules."""
    return _rules(page, vault)


def _rules(page: Page, vault: OpenVault, shown: dict[str, Any] | None = None) -> HTMLResponse:
    t = page.t
    current = {rule.what: rule.months for rule in retention.rules(vault)}
    terms = sorted({*TERMS, *current.values()})
    return page.show(
        "rules.html",
        rules=[
            {
                "what": what,
                "title": t(title),
                "text": t(text),
                "chosen": str(
                    shown["months"] if shown and shown["what"] == what else current.get(what, 0)
                ),
                "state": t("Oublie après {term}", term=_term(t, current[what]))
                if what in current
                else t("Rien n'est oublié"),
                "options": [
                    ("0", t("Jamais")),
                    *((str(n), t("Après {term}", term=_term(t, n))) for n in terms),
                ],
            }
            for what, (title, text) in RULES.items()
        ],
        shown=shown,
    )


def _term(t: Translator, months: int) -> str:
    if months % 12 == 0:
        return t.n("{n} an", "{n} ans", months // 12)
    return t("{n} mois", n=months)


@router.post("/coffre/oubli/apercu")
def rule_preview(
    page: CheckedDep,
    vault: VaultDep,
    quoi: Annotated[str, Form(max_length=20)],
    mois: Annotated[int, Form(ge=0, le=600)],
) -> Any:
    """What the rule would forget, before it is set. Taking a rule back needs no second look."""
    t = page.t
    if mois == 0:
        retention.set_rule(vault, quoi, None)
        return page.go(
            "/coffre/oubli", notice=t("La règle est retirée. Ce qui est oublié le reste.")
        )
    found = retention.preview(vault, quoi, mois)
    match quoi:
        case "tracks":
            count = t.n("{n} tracé", "{n} tracés", found.count)
        case "invoices":
            count = t.n("{n} facture", "{n} factures", found.count)
        case _:
            count = t.n("{n} trajet", "{n} trajets", found.count)
    return _rules(
        page,
        vault,
        {
            "what": quoi,
            "months": mois,
            "title": f"{t(RULES[quoi][0])} : {t('Après {term}', term=_term(t, mois)).lower()}",
            "count": t(
                "À détruire maintenant : {count}, d'avant le {day}.",
                count=count,
                day=t.day(found.before, "long"),
            )
            if found.count
            else t(
                "Rien ne serait détruit maintenant : rien n'est d'avant le {day}.",
                day=t.day(found.before, "long"),
            ),
            "pinned": t.n(
                "{n} est gardé, parce qu'une preuve en cours repose dessus.",
                "{n} sont gardés, parce qu'une preuve en cours repose dessus.",
                found.pinned,
            )
            if found.pinned
            else "",
        },
    )


@router.post("/coffre/oubli")
def set_rule(
    page: CheckedDep,
    vault: VaultDep,
    quoi: Annotated[str, Form(max_length=20)],
    mois: Annotated[int, Form(ge=1, le=600)],
) -> RedirectResponse:
    """Set the rule, and let it work."""
    retention.set_rule(vault, quoi, mois)
    retention.step(vault)
    return page.go(
        "/coffre/oubli",
        notice=page.t("La règle est en place. Elle travaille tant que le coffre est ouvert."),
    )


# --- vehicles ----------------------------------------------------------------------------------


def vehicle_words(t: Translator, vehicle: Vehicle) -> tuple[str, str]:
    """(title, text) of a vehicle."""
    kind = t(VEHICLE_WORDS[vehicle.vehicle_type.value])
    name = " ".join(part for part in (vehicle.make, vehicle.model) if part)
    parts = [
        name if vehicle.label else "",
        t(ENERGY_WORDS[vehicle.energy.value]),
        t(TENURE_WORDS[vehicle.tenure.value]),
        vehicle.identification or "",
        f"Crit'Air {vehicle.crit_air}" if vehicle.crit_air else "",
    ]
    return vehicle.label or name or kind, " · ".join([kind, *(p for p in parts if p)])


@router.get("/coffre/vehicules")
def vehicles(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """The citizen's vehicles."""
    return _vehicles(page, vault, {}, Errors())


def _vehicles(page: Page, vault: OpenVault, given: dict[str, str], errors: Errors) -> HTMLResponse:
    t = page.t
    found = [cast(Vehicle, record) for record in vault.all(Kind.VEHICLE)]
    rows = [(v, *vehicle_words(t, v)) for v in found]
    return page.show(
        "vehicles.html",
        status=422 if errors else 200,
        vehicles=[{"id": short(v.id), "title": title, "text": text} for v, title, text in rows],
        types=options(t, VEHICLE_WORDS),
        energies=options(t, ENERGY_WORDS),
        tenures=options(t, TENURE_WORDS),
        crit=[("", t("Je ne sais pas")), *((str(n), f"Crit'Air {n}") for n in range(6))],
        given={"nom": "", "marque": "", "modele": "", "numero": "", "mise": "", "depuis": ""}
        | given,
        errors=errors,
    )


@router.post("/coffre/vehicules")
def add_vehicle(
    page: CheckedDep,
    vault: VaultDep,
    genre: Annotated[VehicleType, Form()],
    energie: Annotated[Energy, Form()],
    titre: Annotated[Tenure, Form()],
    nom: Annotated[str, Form(max_length=80)] = "",
    marque: Annotated[str, Form(max_length=80)] = "",
    modele: Annotated[str, Form(max_length=80)] = "",
    numero: Annotated[str, Form(max_length=40)] = "",
    critair: Annotated[str, Form(max_length=1)] = "",
    mise: Annotated[str, Form(max_length=10)] = "",
    depuis: Annotated[str, Form(max_length=10)] = "",
) -> Any:
    """Keep a vehicle."""
    given = {
        "nom": nom, "marque": marque, "modele": modele, "numero": numero, "mise": mise,
        "depuis": depuis,
    }  # fmt: skip
    days: dict[str, date | None] = {}
    for name in ("mise", "depuis"):
        try:
            days[name] = day_or_none(given[name])
        except ValueError:
            errors = Errors({name: page.t("Cette date n'existe pas.")})
            return _vehicles(page, vault, given, errors)
    vault.put(
        Vehicle(
            id=mint_iri(),
            label=nom.strip() or None,
            vehicle_type=genre,
            energy=energie,
            tenure=titre,
            make=marque.strip() or None,
            model=modele.strip() or None,
            identification=numero.strip() or None,
            crit_air=critair or None,
            first_registered=days["mise"],
            owned_from=days["depuis"],
        )
    )
    return page.go("/coffre/vehicules", notice=page.t("Le véhicule est gardé dans votre coffre."))


# --- goals -------------------------------------------------------------------------------------


def _unit(t: Translator, metric: GoalMetric, value: int) -> str:
    match metric:
        case GoalMetric.DISTANCE:
            return t.distance(value)
        case GoalMetric.EMISSION:
            return t.co2(value)
        case GoalMetric.DAYS:
            return t.n("{n} jour", "{n} jours", value)
        case GoalMetric.TRIPS:
            return t.n("{n} trajet", "{n} trajets", value)


@router.get("/coffre/objectifs")
def goals_page(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """Goals with where they stand this week, month or year."""
    return _goals(page, vault, {}, Errors())


def _goals(page: Page, vault: OpenVault, given: dict[str, str], errors: Errors) -> HTMLResponse:
    t, today = page.t, local_today(page.now)
    rows = []
    for goal in goals.goals(vault):
        found = goals.progress(vault, goal, on=today)
        reached = 0 if found is None else found.reached
        modes = ", ".join(t(MODES[mode.value]) for mode in goal.modes) or t("Tous les modes")
        state = {True: t("Atteint"), False: t("Manqué"), None: ""}[found.is_met if found else None]
        rows.append(
            {
                "id": short(goal.id),
                "title": goal.label or modes,
                "text": f"{modes} · {t(DIRECTION_WORDS[goal.direction.value])} {_unit(t, goal.metric, goal.target)} {t(PERIOD_WORDS[goal.period.value])}",
                "now": t(
                    "{reached} sur {target}",
                    reached=_unit(t, goal.metric, reached),
                    target=_unit(t, goal.metric, goal.target),
                ),
                "value": min(reached, goal.target),
                "max": max(goal.target, 1),
                "state": state,
                "is_good": found is not None and found.is_met is True,
            }
        )
    return page.show(
        "goals.html",
        status=422 if errors else 200,
        goals=rows,
        metrics=options(t, METRIC_WORDS),
        directions=options(t, DIRECTION_WORDS),
        periods=options(t, PERIOD_WORDS),
        modes=[("", t("Tous les modes")), *options(t, MODES)],
        given={"nom": "", "cible": ""} | given,
        errors=errors,
    )


@router.post("/coffre/objectifs")
def add_goal(
    page: CheckedDep,
    vault: VaultDep,
    compte: Annotated[GoalMetric, Form()],
    sens: Annotated[Direction, Form()],
    periode: Annotated[GoalPeriod, Form()],
    cible: Annotated[str, Form(max_length=12)],
    mode: Annotated[str, Form(max_length=30)] = "",
    nom: Annotated[str, Form(max_length=80)] = "",
) -> Any:
    """Keep a goal, from today on."""
    try:
        amount = float(cible.replace(",", ".").replace(" ", ""))
        if not 0 < amount < 1_000_000:
            raise ValueError
    except ValueError:
        errors = Errors(cible=page.t("Un nombre plus grand que zéro."))
        return _goals(page, vault, {"nom": nom, "cible": cible}, errors)
    scale = 1000 if compte in {GoalMetric.DISTANCE, GoalMetric.EMISSION} else 1
    today = local_today(page.now)
    vault.put(
        Goal(
            id=mint_iri(),
            label=nom.strip() or None,
            metric=compte,
            modes=(Mode(mode),) if mode in MODES else (),
            direction=sens,
            target=round(amount * scale),
            period=periode,
            starts_on=goals.period_of(periode, today)[0],
        )
    )
    return page.go(
        "/coffre/objectifs", notice=page.t("L'objectif est gardé. Lui seul vous regarde.")
    )
