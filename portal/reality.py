"""What of this product is real, and what is not: one table, for the README and the portal's page.

`python .ci/readme.py` writes it into README.md; a test holds the two together.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from dataclasses import dataclass
from typing import Final

from connectors.base import Reality
from portal.i18n import N_, Translator

__all__ = ["ROWS", "STATES", "Row", "markdown", "rows"]

STATES: Final = {
    Reality.REAL: N_("réel"),
    Reality.HABILITATION: N_("sur habilitation"),
    Reality.SIMULATED: N_("simulé"),
    Reality.IMPORTED: N_("importé"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One part of the product, the states it has, and what that means."""

    what: str
    states: tuple[Reality, ...]
    meaning: str


ROWS: Final = (
    Row(
        N_("Chiffrement, preuves, présentations, vérification, décisions"),
        (Reality.REAL,),
        N_("mêmes protocoles et mêmes octets que pour de vrai"),
    ),
    Row(
        N_(
            "Passeport : ouvrir un compte chez un service (OpenID Connect, compte mobilité standardisé)"
        ),
        (Reality.REAL, Reality.SIMULATED),
        N_(
            "protocole public, lu par une bibliothèque cliente certifiée ; le service de la démonstration est fictif"
        ),
    ),
    Row(
        N_("Comptes ailleurs : relire ce qu'un autre coffre ou un service sait de vous"),
        (Reality.REAL, Reality.SIMULATED),
        N_(
            "protocole public ; essayé entre deux coffres, et avec une agence fictive : aucun service ne propose encore ces données"
        ),
    ),
    Row(
        N_("Forfait mobilités durables, prise en charge de l'abonnement"),
        (Reality.REAL,),
        N_(
            "règles écrites d'après les textes, avec leur source et leur date ; « à vérifier » quand un chiffre n'a pas pu l'être"
        ),
    ),
    Row(
        N_("Aides vélo locales, campagnes de covoiturage, autres aides recensées"),
        (Reality.IMPORTED,),
        N_("données ouvertes, datées ; à confirmer auprès de la collectivité"),
    ),
    Row(
        N_("Classe Crit'Air, zones à faibles émissions"),
        (Reality.REAL, Reality.IMPORTED),
        N_(
            "tableau de l'arrêté ; zones de la base nationale de décembre 2023, ou les fichiers plus récents de l'hébergeur ; la situation juridique est datée"
        ),
    ),
    Row(
        N_("Territoires, facteurs d'émission"),
        (Reality.IMPORTED,),
        N_("code officiel géographique, ADEME ; version indiquée à côté de chaque résultat"),
    ),
    Row(
        N_("« Mon territoire » : offres des opérateurs, ce qui est construit"),
        (Reality.SIMULATED, Reality.IMPORTED),
        N_(
            "contrat signé et fichiers nationaux réels ; les offres de la démonstration sont fictives, et aucun fichier n'est fourni"
        ),
    ),
    Row(
        N_("Tracemob, e-mission et Cozy"),
        (Reality.REAL, Reality.IMPORTED),
        N_("format du serveur et vos exports ; la démonstration utilise des trajets fabriqués"),
    ),
    Row(
        N_("Compte chez un opérateur (trajets, abonnements, factures)"),
        (Reality.REAL, Reality.SIMULATED),
        N_(
            "contrat public que tout opérateur peut suivre ; aucun ne le suit encore, celui de la démonstration est fictif"
        ),
    ),
    Row(
        N_("Applications de téléphone (OwnTracks, Overland, Traccar Client, GPSLogger)"),
        (Reality.REAL,),
        N_("leurs requêtes documentées ; aucun téléphone n'a été essayé ici"),
    ),
    Row(
        N_("Fichiers (Google Timeline, GPX, CoachCO2, FIT, tableaux…), export de moB"),
        (Reality.IMPORTED,),
        N_("un fichier se modifie : ses trajets sont « déclarés »"),
    ),
    Row(
        N_("Factures et reçus (Factur-X, UBL, PDF, courriel, moB)"),
        (Reality.IMPORTED,),
        N_("calculs vérifiés, champs douteux demandés ; « déclarés », car un fichier se modifie"),
    ),
    Row(
        N_("Code 2D-Doc (avis d'impôt, justificatif de domicile)"),
        (Reality.REAL,),
        N_(
            "signature vérifiée hors ligne avec les certificats publiés ; lecture de l'image par votre téléphone"
        ),
    ),
    Row(
        N_("Covoiturage signé par l'opérateur"),
        (Reality.SIMULATED,),
        N_("aucun opérateur français ne signe les trajets aujourd'hui"),
    ),
    Row(
        N_("Registre de preuve de covoiturage"),
        (Reality.HABILITATION,),
        N_(
            "les comptes appartiennent aux opérateurs ; essayé avec un registre fictif, jamais avec le vrai"
        ),
    ),
    Row(
        N_("FranceConnect, API Particulier"),
        (Reality.HABILITATION, Reality.SIMULATED),
        N_(
            "réservés aux organismes publics et à leurs mandataires ; la démonstration utilise un fournisseur d'identité fictif"
        ),
    ),
    Row(
        N_("Horodatage du registre des décisions"),
        (Reality.REAL, Reality.SIMULATED),
        N_(
            "RFC 3161, auprès de l'autorité de votre choix ; celle de la démonstration n'a aucune valeur juridique"
        ),
    ),
    Row(
        N_("Employeur, financeurs, personnes de la démonstration"),
        (Reality.SIMULATED,),
        N_("bandeau « Bac à sable » sur chaque page"),
    ),
)


def rows(t: Translator) -> list[list[str]]:
    """The table in the language of `t`: what, state, meaning."""
    return [[t(r.what), ", ".join(t(STATES[s]) for s in r.states), t(r.meaning)] for r in ROWS]


def markdown(t: Translator) -> str:
    """The same, as a table of README.md."""
    head = f"| | {t('état')} | {t('ce que cela veut dire')} |\n|---|---|---|"
    lines = [f"| {what} | **{state}** | {meaning} |" for what, state, meaning in rows(t)]
    return "\n".join((head, *lines))
