"""Who may come in by which door, as data: every route of home and hub, and what opens it.

A test walks the running servers with every caller against these tables, and fails when a route is
in neither. The hub's API routes carry their own line (`x-action`, `federation.hub.access.MATRIX`);
the hub's pages have theirs here.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from federation.hub.access import Action
from portal.extension_pages import extension_pages

__all__ = ["HOME", "HUB_PAGES", "Door", "Route"]

Route = tuple[str, str]
"""(method, path template)."""


class Door(StrEnum):
    """What opens a route of the home."""

    PUBLIC = "public"
    """Anybody; answers nothing of a vault."""
    SECRET = "secret"  # noqa: S105  # the name of a door
    """Anybody who has the secret in the form or body: passphrase, recovery code, pairing code."""
    CITIZEN = "citizen"
    """The session of an open vault; only that vault is reached."""
    DEPOSITOR = "depositor"
    """A request signed by a depositor this vault linked (RFC 9421)."""
    SERVICE = "service"
    """A service of the passport: proven by its key, or with a code or token it was given."""
    APP = "app"
    """The push token of a paired app, the ID token with which its holder logged in there, or the
    secret address and the signature of an operator that tells of news."""


_PUBLIC: Final = """
GET /openapi.json
GET /healthz
GET /readyz
GET /favicon.ico
GET /confidentialite
GET /accessibilite
GET /etat
GET /extensions
GET /extensions/{extension}/{file}
GET /.well-known/did.json
GET /.well-known/openid4vp-wallet
GET /.well-known/openid-configuration
GET /v1/passport/keys
GET /connecteurs/{name}/did.json
GET /v1/openapi.json
GET /v1/drop-box/{vault_id}/keys
DELETE /v1/session
POST /v1/session/passkey/options
GET /
GET /ouvrir
GET /ouvrir/compte
GET /ouvrir/compte/retour
GET /identite/deconnecte
GET /identite/cles.json
GET /creer
POST /creer
GET /arriver
POST /arriver
GET /arriver/suite
POST /arriver/fin
POST /commencer
POST /verrouiller
GET /langue/{code}
GET /presenter
GET /passeport
POST /passeport
GET /passeport/demande
GET /passeport/fin
POST /passeport/fin
POST /passeport/fin/reponse
GET /simuler
POST /simuler
GET /vehicule
POST /vehicule
"""
"""Locking is open to anybody: it ends the session of the cookie that comes along, or none."""

_IN_HAND: Final = """
POST /v1/session
POST /v1/session/passkey
POST /v1/pairings
GET /v1/points/gpslogger/{code}
POST /ouvrir
GET /papier/{lien}
"""

_SERVICE: Final = """
POST /v1/passport/token
POST /v1/passport/revocation
POST /v1/passport/clients
GET /v1/passport/userinfo
POST /v1/passport/userinfo
"""

_DEPOSITOR: Final = """
POST /v1/drop-box/{vault_id}
GET /v1/drop-box/{vault_id}/last
GET /v1/drop-box/{vault_id}/receipts/{deposit_digest}
"""

_APP: Final = """
POST /v1/push
POST /v1/subscriptions/metadata
GET /v1/push/{receipt}
POST /v1/points/owntracks
POST /v1/points/overland
GET /v1/points/traccar
POST /v1/points/traccar
POST /v1/points/gpslogger
POST /v1/carpool/booking_events
POST /v1/news/{secret}
"""

_CITIZEN: Final = """
GET /v1/session
GET /v1/records
POST /v1/records
GET /v1/records/{iri:path}
PUT /v1/records/{iri:path}
PATCH /v1/records/{iri:path}
DELETE /v1/records/{iri:path}
GET /v1/trips
POST /v1/trips
POST /v1/corrections
POST /v1/deletions
GET /v1/decisions
GET /v1/disputes
POST /v1/disputes
DELETE /v1/decisions/{iri:path}
POST /v1/documents
GET /v1/documents/{iri:path}/content
GET /v1/consents/{iri:path}/receipt
POST /v1/consents/{iri:path}/withdrawal
GET /v1/consents/{iri:path}/repetition
GET /v1/standing
POST /v1/standing
GET /v1/standing/{iri:path}
POST /v1/standing/{iri:path}/pause
POST /v1/standing/{iri:path}/resumption
GET /v1/slots
DELETE /v1/slots/{slot}
POST /v1/slots/passkey
POST /v1/slots/passkey/options
POST /v1/slots/passkey/secret
POST /v1/slots/passkey/{key}/options
PUT /v1/slots/passphrase
PUT /v1/slots/recovery-code
PUT /v1/slots/shares
GET /v1/data-requests
POST /v1/data-requests
GET /v1/data-requests/directory
GET /v1/data-requests/{iri:path}/complaint
GET /v1/data-requests/{iri:path}/letter
POST /v1/data-requests/{iri:path}/steps
GET /v1/journal
POST /v1/drain
POST /v1/query
GET /sources
POST /releve
POST /sources/interroger
POST /sources/tracemob
POST /sources/operateur
POST /sources/covoiturage
GET /sources/comptes
POST /sources/comptes
GET /sources/comptes/retour
GET /sources/comptes/lu
POST /sources/comptes/garder
POST /sources/comptes/deconnecter
GET /sources/cozy
POST /sources/cozy
GET /sources/cozy/retour
GET /sources/cozy/copier
POST /sources/cozy/copier
POST /sources/cozy/retirer
GET /sources/compte-operateur
POST /sources/compte-operateur
GET /sources/compte-operateur/retour
GET /sources/compte-operateur/apercu
POST /sources/compte-operateur/garder
POST /sources/appairer
POST /sources/telephone
POST /sources/retirer
POST /sources/importer
POST /sources/modele
GET /sources/compte
POST /sources/importer/confirmer
GET /sources/demandes
GET /sources/demandes/nouvelle
POST /sources/demandes/nouvelle
POST /sources/demandes/etape
POST /sources/demandes/reponse
POST /sources/demandes/table
GET /sources/demandes/{uuid_text}
GET /sources/demandes/{uuid_text}/lettre
GET /sources/demandes/{uuid_text}/plainte
GET /sources/modeles/{name}
POST /sources/modeles/supprimer
GET /sources/mob
POST /sources/mob
POST /sources/mob/confirmer
POST /sources/mob/annuler
GET /trajets
GET /trajets/jour/{day}
GET /trajets/questions
POST /trajets/questions
GET /trajets/contestes
POST /trajets/contestes
POST /trajets/contester
GET /trajets/contester/{uuid_text}
GET /trajets/{uuid_text}
POST /trajets/corriger
POST /trajets/supprimer
POST /trajets/annuler/{uuid_text}
GET /bilan
GET /aides
GET /aides/reponses
GET /territoire
POST /aides/repondre
GET /aides/{slug}
POST /aides/{slug}/demander
GET /aides/reservees
POST /aides/reservees
POST /aides/reservees/oublier
GET /aides/{slug}/pour-moi
POST /aides/{slug}/pour-moi
GET /aides/{slug}/dossier
POST /aides/{slug}/dossier
POST /demandes/dossier
POST /partager
POST /presenter
POST /presenter/refuser
POST /passeport/demande
GET /partages/services
POST /partages/services/retirer
GET /services
GET /services/{name}
POST /services/recevoir
GET /partages/{uuid_text}/retour
GET /partages
GET /partages/{uuid_text}
GET /partages/{uuid_text}/recu
GET /partages/{uuid_text}/repeter
POST /partages/repeter
POST /partages/pause
POST /partages/reprendre
POST /partages/retirer
POST /partages/papiers/retirer
POST /demandes/actualiser
GET /demandes/{uuid_text}
GET /demandes/{uuid_text}/controle
POST /demandes/controle
GET /demandes/{uuid_text}/lettre
GET /demandes/{uuid_text}/preuve
POST /demandes/repondre
POST /demandes/oublier
POST /demandes/joindre
POST /demandes/contester
POST /demandes/retirer
GET /attestation
POST /attestation
GET /coffre
GET /coffre/lieux
POST /coffre/lieux
GET /coffre/commune
POST /coffre/commune
GET /documents/recevoir
POST /documents/recevoir
POST /documents/redemander
GET /documents/retour
GET /coffre/documents
GET /coffre/2d-doc
POST /coffre/2d-doc
POST /coffre/2d-doc/garder
POST /coffre/2d-doc/annuler
GET /coffre/factures
POST /coffre/factures
POST /coffre/factures/garder
POST /coffre/factures/annuler
POST /coffre/documents
POST /coffre/documents/supprimer
GET /identite/connexion
GET /identite/retour
GET /coffre/journal
GET /coffre/journal/fichier
GET /coffre/quarantaine
GET /coffre/emporter
GET /coffre/donner
POST /coffre/donner
POST /coffre/donner/apercu
POST /coffre/emporter
POST /coffre/emporter/annuler
GET /coffre/emporter/archive
GET /coffre/detruire
POST /coffre/detruire
GET /ouvrir/fait
GET /chercher
POST /chercher
GET /coffre/cles
GET /coffre/cles/compte
GET /coffre/cles/compte/retour
POST /coffre/cles/compte/delier
POST /coffre/cles/code
POST /coffre/cles/fermeture
POST /coffre/cles/parts
POST /coffre/cles/phrase
POST /coffre/cles/renouveler
POST /coffre/cles/{slot}/retirer
GET /coffre/effacer
POST /coffre/effacer
POST /coffre/effacer/apercu
POST /coffre/effacer/enregistrement
GET /coffre/extensions
GET /coffre/objectifs
POST /coffre/objectifs
GET /coffre/oubli
POST /coffre/oubli
POST /coffre/oubli/apercu
GET /coffre/mandats
POST /coffre/mandats/retirer
GET /coffre/avis
POST /coffre/avis
POST /coffre/avis/lus
GET /coffre/preferences
POST /coffre/preferences
POST /coffre/preferences/supprimer
POST /coffre/cles/{slot}/nom
POST /coffre/lieux/supprimer
GET /coffre/vehicules
POST /coffre/vehicules
GET /coffre/vehicules/{uuid_text}
POST /coffre/vehicules/{uuid_text}
GET /coffre/circuler
GET /coffre/circuler/{uuid_text}
GET /coffre/circuler/{uuid_text}/papier
GET /guichet-unique
POST /guichet-unique
POST /guichet-unique/envoyer
GET /guichet-unique/suivi
"""


def _routes(lines: str) -> tuple[Route, ...]:
    pairs = (line.split(" ", 1) for line in lines.split("\n") if line)
    return tuple((method, path) for method, path in pairs)


HOME: Final[Mapping[Route, Door]] = {
    route: door
    for door, lines in (
        (Door.PUBLIC, _PUBLIC),
        (Door.SECRET, _IN_HAND),
        (Door.DEPOSITOR, _DEPOSITOR),
        (Door.APP, _APP),
        (Door.SERVICE, _SERVICE),
        (Door.CITIZEN, _CITIZEN),
    )
    for route in _routes(lines)
} | {route: Door.CITIZEN for pages in extension_pages() for route in pages.routes}
"""Every route of the home, those of installed extensions too."""

HUB_PAGES: Final[Mapping[Route, Action]] = {
    **dict.fromkeys(
        _routes(
            """
GET /openapi.json
GET /healthz
GET /favicon.ico
GET /confidentialite
GET /accessibilite
GET /developpeurs
GET /etat
GET /langue/{code}
GET /
GET /aides/{slug}
GET /aides/{slug}/autre-appareil
GET /aides/{slug}/demande/{request_id}
GET /aides/{slug}/demande/{request_id}/etat
GET /aides/{slug}/historique
GET /aides/{slug}/versions
GET /annonces
GET /aides/{slug}/signaler
POST /aides/{slug}/signaler
GET /proposer
POST /proposer
GET /signalements/{lien}
GET /communes/{code}
GET /territoires
GET /territoires/{niveau}/{code}
GET /communes/{code}/nouvelles.atom
GET /donnees-ouvertes
GET /widget
GET /qualite
GET /membres
GET /reserve
GET /verifier
"""
        ),
        Action.READ_PUBLIC,
    ),
    ("POST", "/aides/{slug}/autre-appareil"): Action.APPLY,
    ("GET", "/guichet/offres"): Action.MODERATE_OFFER,
    ("POST", "/guichet/offres"): Action.MODERATE_OFFER,
    ("GET", "/guichet/signalements"): Action.MODERATE,
    ("POST", "/guichet/signalements"): Action.MODERATE,
    ("POST", "/verifier"): Action.VERIFY,
    ("GET", "/guichet/entrer"): Action.SIGN_IN,
    ("POST", "/guichet/entrer"): Action.SIGN_IN,
    ("POST", "/guichet/quitter"): Action.SIGN_IN,
    ("GET", "/guichet"): Action.READ_QUEUE,
    ("GET", "/affiliation/{token}"): Action.AFFILIATE,
    ("GET", "/guichet/avis"): Action.READ_QUEUE,
    ("POST", "/guichet/avis/lus"): Action.READ_QUEUE,
    ("POST", "/guichet/avis/reglages"): Action.READ_QUEUE,
    ("POST", "/guichet/avis/liens"): Action.MANAGE_STAFF,
    ("GET", "/guichet/demandes/{uuid_text}"): Action.READ_APPLICATION,
    ("POST", "/guichet/decider"): Action.DECIDE,
    ("GET", "/guichet/demandes/{uuid_text}/validite"): Action.DECIDE,
    ("POST", "/guichet/demandes/{uuid_text}/validite"): Action.DECIDE,
    ("POST", "/guichet/prendre"): Action.ASSIGN,
    ("POST", "/guichet/controler"): Action.REQUEST_INFORMATION,
    ("GET", "/guichet/demandes/{uuid_text}/lettre"): Action.READ_APPLICATION,
    ("GET", "/guichet/demandes/{uuid_text}/preuve"): Action.READ_APPLICATION,
    **dict.fromkeys(
        _routes(
            """
GET /guichet/versements
POST /guichet/versements
POST /guichet/versements/payes
GET /guichet/versements/archive
GET /guichet/versements/{number}/paie.csv
GET /guichet/versements/{number}/etat.csv
GET /guichet/versements/{number}/etat.pdf
"""
        ),
        Action.PAY,
    ),
    **dict.fromkeys(
        _routes(
            """
GET /guichet/agents
GET /guichet/agents/{uuid_text}/validite
POST /guichet/agents/{uuid_text}/validite
POST /guichet/agents
POST /guichet/agents/codes
POST /guichet/agents/depart
"""
        ),
        Action.MANAGE_STAFF,
    ),
    **dict.fromkeys(
        _routes(
            """
GET /guichet/ouvrir
POST /guichet/ouvrir
POST /guichet/reprendre
POST /guichet/rejoindre
"""
        ),
        Action.ENROL,
    ),
    **dict.fromkeys(
        _routes(
            """
GET /guichet/acces
POST /guichet/acces/mot-de-passe
POST /guichet/acces/retirer
GET /guichet/reglages
GET /guichet/convention
GET /guichet/cle
GET /guichet/aides
"""
        ),
        Action.READ_SETTINGS,
    ),
    **dict.fromkeys(
        _routes(
            """
POST /guichet/convention
GET /guichet/equipe
POST /guichet/equipe
POST /guichet/equipe/annuler
POST /guichet/equipe/retirer
"""
        ),
        Action.MANAGE_TEAM,
    ),
    **dict.fromkeys(
        _routes(
            """
GET /guichet/aides/nouvelle
POST /guichet/aides/nouvelle
POST /guichet/aides/suspendre
POST /guichet/aides/brouillons
GET /guichet/aides/brouillons/{draft_id}/{etape}
POST /guichet/aides/brouillons/{draft_id}/{etape}
GET /guichet/aides/{slug}/regle
POST /guichet/aides/soumettre
POST /guichet/aides/reprendre
POST /guichet/aides/jeter
POST /guichet/aides/restaurer
GET /guichet/aides/reservees
POST /guichet/aides/reservees
POST /guichet/aides/reservees/lien
"""
        ),
        Action.PUBLISH_AID,
    ),
    **dict.fromkeys(
        _routes(
            """
GET /guichet/aides/brouillons/{draft_id}
GET /guichet/aides/brouillons/{draft_id}/reponses.schema.json
GET /guichet/aides/brouillons/{draft_id}/cout
POST /guichet/aides/renvoyer
POST /guichet/aides/publier
"""
        ),
        Action.REVIEW_AID,
    ),
}
"""The hub's pages, and what each does in the words of the hub's own matrix."""
