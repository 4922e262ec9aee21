"""« Mes préférences »: how the citizen likes to travel. Kept in the vault; nothing asks for them."""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line
# ruff: noqa: PLR0917 - a route's parameters are its form's fields

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from portal.glossary import MODES
from portal.i18n import N_
from portal.pages.access import Errors
from portal.pages.deps import CheckedDep, PageDep, VaultDep
from portal.web import Page
from schemas.records import Preference
from vault.open_vault import OpenVault
from vault.preferences import preferences, set_preference
from vault.retention import KINDS

router = APIRouter(include_in_schema=False)

LIKED, AVOIDED = "travel.liked-mode", "travel.avoided-mode"
WALK, RIDE = "travel.walk-minutes", "travel.ride-minutes"
STEP_FREE, QUIET = "travel.step-free", "travel.quiet-roads"
NAMES: Final = {
    LIKED: N_("Mode que je préfère"),
    AVOIDED: N_("Mode que j'évite"),
    WALK: N_("Minutes de marche, au plus"),
    RIDE: N_("Minutes de vélo, au plus"),
    STEP_FREE: N_("Trajets sans marche ni escalier"),
    QUIET: N_("Rues calmes à vélo"),
}
MOST: Final = 240


@router.get("/coffre/preferences")
def choices(page: PageDep, vault: VaultDep) -> HTMLResponse:
    """The form, as chosen."""
    found = {name: record.value for name, record in preferences(vault).items()}
    return _page(page, vault, found, Errors())


def _page(page: Page, vault: OpenVault, given: dict[str, Any], errors: Errors) -> HTMLResponse:
    t = page.t
    modes = [
        ("", t("Sans préférence")),
        *((code, t(word)) for code, word in MODES.items() if code != "unknown"),
    ]
    others = [
        p for name, p in preferences(vault).items() if name not in NAMES and not _is_rule(name)
    ]
    return page.show(
        "choices.html",
        status=422 if errors else 200,
        errors=errors,
        modes=modes,
        given={
            "prefere": given.get(LIKED) or "",
            "evite": given.get(AVOIDED) or "",
            "marche": given.get(WALK) or "",
            "velo": given.get(RIDE) or "",
            "sans_marche": bool(given.get(STEP_FREE)),
            "calme": bool(given.get(QUIET)),
        },
        others=[_other(p) for p in others],
    )


def _is_rule(name: str) -> bool:
    return name.removeprefix("retention.") in KINDS


def _other(found: Preference) -> dict[str, str]:
    return {"name": found.name, "value": str(found.value)}


@router.post("/coffre/preferences")
def choose(
    page: CheckedDep,
    vault: VaultDep,
    prefere: Annotated[str, Form(max_length=30)] = "",
    evite: Annotated[str, Form(max_length=30)] = "",
    marche: Annotated[str, Form(max_length=6)] = "",
    velo: Annotated[str, Form(max_length=6)] = "",
    sans_marche: Annotated[str, Form(max_length=1)] = "",
    calme: Annotated[str, Form(max_length=1)] = "",
) -> Response:
    """Keep what was chosen; an empty answer takes a choice back."""
    t, errors = page.t, Errors()
    walk, ride = _minutes(marche), _minutes(velo)
    for name, field, value in (("marche", marche, walk), ("velo", velo, ride)):
        if field.strip() and value is None:
            errors[name] = t("Un nombre de minutes, de 1 à {n}.", n=MOST)
    if prefere and prefere == evite:
        errors["evite"] = t("Le même mode ne peut pas être préféré et évité.")
    chosen: dict[str, Any] = {
        LIKED: prefere if prefere in MODES else None,
        AVOIDED: evite if evite in MODES else None,
        WALK: walk,
        RIDE: ride,
        STEP_FREE: True if sans_marche else None,
        QUIET: True if calme else None,
    }
    if errors:
        return _page(page, vault, chosen | {WALK: marche, RIDE: velo}, errors)
    for name, value in chosen.items():
        set_preference(vault, name, value)
    return page.go(
        "/coffre/preferences", notice=t("Vos préférences sont gardées dans votre coffre.")
    )


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
