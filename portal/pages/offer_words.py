"""An operator's offer in a person's words, wherever it is shown."""

from typing import Any, Final

from federation.aids.territories import territory_name
from federation.offers import Expense, OfferCard, Proof
from portal.i18n import N_, Translator
from portal.pages.catalogue import MODE_NAMES
from portal.pages.checks import text_of

__all__ = ["offer_words"]

EXPENSES: Final = {
    Expense.PURCHASE: N_("Achat"),
    Expense.RENTAL: N_("Location"),
    Expense.PASS: N_("Abonnement"),
    Expense.RIDE: N_("Au trajet"),
    Expense.REPAIR: N_("Réparation"),
    Expense.LESSON: N_("Formation"),
    Expense.CHARGE: N_("Recharge"),
    Expense.PARKING: N_("Stationnement"),
}
PROOFS: Final = {
    Proof.INVOICE: N_("facture"),
    Proof.SIGNED_INVOICE: N_("facture signée pour votre coffre"),
    Proof.SIGNED_PASS: N_("abonnement signé pour votre coffre"),
    Proof.SIGNED_RENTAL: N_("location signée pour votre coffre"),
    Proof.SIGNED_TRIP: N_("trajets signés pour votre coffre"),
    Proof.SIGNED_CARPOOL: N_("covoiturages signés pour votre coffre"),
}
_NAMED: Final = 3


def offer_words(t: Translator, card: OfferCard, operator: str) -> dict[str, Any]:
    """What a card says, in this language."""
    names = [territory_name(one.kind.value, one.code) or one.code for one in card.territories]
    places = ", ".join(names[:_NAMED])
    if len(names) > _NAMED:
        left = len(names) - _NAMED
        places = f"{places} {t.n('et {n} autre', 'et {n} autres', left)}"
    return {
        "name": text_of(t, card.names),
        "text": text_of(t, card.texts),
        "operator": operator,
        "mode": t(MODE_NAMES[card.mode]),
        "expense": t(EXPENSES[card.expense]),
        "price": text_of(t, card.price.text),
        "link": card.link,
        "places": places,
        "until": t.day(card.valid_until, "long"),
        "since": t.day(card.valid_from, "long"),
        "proofs": ", ".join(t(PROOFS[proof]) for proof in card.proofs),
        "version": card.version,
    }
