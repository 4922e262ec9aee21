"""« Mes préférences »: how the citizen likes to travel. Kept in the vault; a service reads them only
by the profile `itineraire`, with consent."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from federation.aids.territories import by_code, plain, search
from portal.glossary import MODES
from portal.i18n import N_
from portal.pages.access import Errors
from portal.pages.deps import CheckedDep, PageDep, VaultDep
from portal.web import Page
from schemas.records import Preference
from vault.circles import PREFIX
from vault.computed import (
    AVOIDED,
    LIKED,
    RIDE,
    TELL_HOME,
    TELL_PASSES,
    WALK,
    WHEELCHAIR,
    WORK_COMMUNE,
    commune_of_home,
)
from vault.open_vault import OpenVault
from vault.preferences import preferences, set_preference
from vault.retention import KINDS

router = APIRouter(include_in_schema=False)

STEP_FREE, QUIET = "travel.step-free", "travel.quiet-roads"
NAMES: Final = {
    LIKED: N_("Modes que j'aime"),
    AVOIDED: N_("Modes que je refuse"),
    WALK: N_("Minutes de marche, au plus"),
    RIDE: N_("Minutes de vélo, au plus"),
    STEP_FREE: N_("Trajets sans marche ni escalier"),
    QUIET: N_("Rues calmes à vélo"),
    WHEELCHAIR: N_("Je me déplace en fauteuil roulant"),
    TELL_HOME: N_("Dire la commune de mon domicile"),
    WORK_COMMUNE: N_("Commune de mon travail, que je veux bien dire"),
    TELL_PASSES: N_("Dire mes abonnements en cours"),
}
MOST: Final = 240


@router.get("/coffre/preferences")
def choices(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """The form, as chosen."""
    found = {name: record.value for name, record in preferences(vault).items()}
    return _page(page, vault, found, Errors())


def _page(page: Page, vault: OpenVault, given: dict[str, Any], errors: Errors) -> HTMLResponse:
    t = page.t
    modes = [(code, t(word)) for code, word in MODES.items() if code != "unknown"]
    work = str(given.get(WORK_COMMUNE) or "")
    commune = by_code(work) if work else None
    others = [
        p for name, p in preferences(vault).items() if name not in NAMES and not _is_rule(name)
    ]
    return page.show(
        "choices.html",
        status=422 if errors else 200,
        errors=errors,
        modes=modes,
        given={
            "prefere": str(given.get(LIKED) or "").split(),
            "evite": str(given.get(AVOIDED) or "").split(),
            "marche": given.get(WALK) or "",
            "velo": given.get(RIDE) or "",
            "sans_marche": bool(given.get(STEP_FREE)),
            "calme": bool(given.get(QUIET)),
            "fauteuil": bool(given.get(WHEELCHAIR)),
            "domicile": bool(given.get(TELL_HOME)),
            "abonnements": bool(given.get(TELL_PASSES)),
            "travail": work if commune is None else f"{commune.name} ({commune.code})",
        },
        home=_home_commune(vault),
        others=[_other(p) for p in others],
    )


def _home_commune(vault: OpenVault) -> str:
    code = commune_of_home(vault)
    found = by_code(code) if code else None
    return found.name if found else code or ""


def _is_rule(name: str) -> bool:
    return name.removeprefix("retention.") in KINDS or name.startswith(PREFIX)


def _other(found: Preference) -> dict[str, str]:
    return {"name": found.name, "value": str(found.value)}


@router.post("/coffre/preferences")
def choose(
    page: CheckedDep,
    vault: VaultDep,
    prefere: Annotated[list[str] | None, Form(max_length=30)] = None,
    evite: Annotated[list[str] | None, Form(max_length=30)] = None,
    marche: Annotated[str, Form(max_length=6)] = "",
    velo: Annotated[str, Form(max_length=6)] = "",
    sans_marche: Annotated[str, Form(max_length=1)] = "",
    calme: Annotated[str, Form(max_length=1)] = "",
    fauteuil: Annotated[str, Form(max_length=1)] = "",
    domicile: Annotated[str, Form(max_length=1)] = "",
    abonnements: Annotated[str, Form(max_length=1)] = "",
    travail: Annotated[str, Form(max_length=120)] = "",
) -> Response:
    """Keep what was chosen; an empty answer takes a choice back."""
    t, errors = page.t, Errors()
    walk, ride = _minutes(marche), _minutes(velo)
    for name, field, value in (("marche", marche, walk), ("velo", velo, ride)):
        if field.strip() and value is None:
            errors[name] = t("Un nombre de minutes, de 1 à {n}.", n=MOST)
    liked, refused = ([m for m in MODES if m in (given or ())] for given in (prefere, evite))
    if set(liked) & set(refused):
        errors["evite"] = t("Le même mode ne peut pas être aimé et refusé.")
    work = _commune(travail)
    if travail.strip() and work is None:
        errors["travail"] = t("Écrivez le nom d'une commune, ou son code INSEE.")
    chosen: dict[str, Any] = {
        LIKED: " ".join(liked) or None,
        AVOIDED: " ".join(refused) or None,
        WALK: walk,
        RIDE: ride,
        STEP_FREE: True if sans_marche else None,
        QUIET: True if calme else None,
        WHEELCHAIR: True if fauteuil else None,
        TELL_HOME: True if domicile else None,
        TELL_PASSES: True if abonnements else None,
        WORK_COMMUNE: work,
    }
    if errors:
        typed = {WALK: marche, RIDE: velo, WORK_COMMUNE: travail}
        return _page(page, vault, chosen | typed, errors)
    for name, value in chosen.items():
        set_preference(vault, name, value)
    return page.go(
        "/coffre/preferences", notice=t("Vos préférences sont gardées dans votre coffre.")
    )


def _commune(text: str) -> str | None:
    """INSEE code of the commune that was written: its code, alone or in brackets, or its name."""
    text = text.strip()
    code = text.rpartition("(")[2].rstrip(")").strip()
    if code and by_code(code) is not None:
        return code
    found = [one for one in search(text) if plain(one.name) == plain(text)] if text else []
    return found[0].code if len(found) == 1 else None


def _minutes(text: str) -> int | None:
    text = text.strip()
    if not text.isascii() or not text.isdigit():
        return None
    return int(text) if 1 <= int(text) <= MOST else None


@router.post("/coffre/preferences/supprimer")
def take_back(
    page: CheckedDep, vault: VaultDep, nom: Annotated[str, Form(max_length=120)]
) -> RedirectResponse:
    """Remove a preference that something else left here."""
    set_preference(vault, nom, None)
    return page.go("/coffre/preferences", notice=page.t("C'est supprimé."))
