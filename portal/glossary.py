"""The public word of each code: evidence, assurance, modes, states, checks, reasons.

French is the key of the catalogue. `portal/i18n/README.md` holds the table of words; a test compares the two.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

from dataclasses import dataclass
from typing import Final

from portal.i18n import N_

EVIDENCE: Final = {
    "declared": N_("déclaré"),
    "corrected": N_("corrigé par vous"),
    "sensed": N_("mesuré"),
    "confirmed": N_("confirmé par vous"),
    "operator": N_("attesté par l'opérateur"),
    "registry": N_("inscrit au registre"),
}
EVIDENCE_WHY: Final = {
    "declared": N_("Vient d'un fichier ou d'une saisie : personne d'autre ne l'a constaté."),
    "corrected": N_(
        "Vous avez contredit le capteur : votre réponse compte, et elle est dite comme telle."
    ),
    "sensed": N_("Une application de suivi reconnue l'a mesuré."),
    "confirmed": N_("L'application l'a mesuré et vous l'avez confirmé."),
    "operator": N_("L'opérateur du service l'a signé."),
    "registry": N_(
        "Un registre public l'a inscrit. Un registre n'est pas une garantie contre la fraude."
    ),
}
EVIDENCE_KIND: Final = {
    "declared": "", "corrected": "", "sensed": "info", "confirmed": "info", "operator": "ok", "registry": "ok",
}  # fmt: skip

ASSURANCE: Final = {
    "source-trips": N_("trajets signés par la source"),
    "source-aggregate": N_("total signé par la source"),
    "vault-attested": N_("calculé dans votre coffre, attesté par son hébergeur"),
    "self-declared": N_("sur l'honneur"),
}

MODES: Final = {
    "walk": N_("Marche"),
    "bicycle": N_("Vélo"),
    "ebike": N_("Vélo électrique"),
    "escooter": N_("Trottinette électrique"),
    "bus": N_("Bus ou car"),
    "tram": N_("Tramway"),
    "metro": N_("Métro"),
    "train": N_("Train"),
    "car": N_("Voiture"),
    "carpool": N_("Covoiturage"),
    "carshare": N_("Voiture partagée"),
    "bikeshare": N_("Vélo en libre-service"),
    "taxi": N_("Taxi"),
    "moped": N_("Cyclomoteur"),
    "motorcycle": N_("Moto"),
    "ferry": N_("Bateau"),
    "plane": N_("Avion"),
    "air_or_hsr": N_("Avion ou TGV"),
    "unknown": N_("Mode inconnu"),
}
GROUPS: Final = {
    "walk": "walk", "bicycle": "bicycle", "ebike": "bicycle", "bikeshare": "bicycle",
    "escooter": "bicycle", "bus": "bus", "tram": "train", "metro": "train", "train": "train",
    "car": "car", "taxi": "car", "moped": "car", "motorcycle": "car", "carpool": "carpool",
    "carshare": "carpool",
}  # fmt: skip

PURPOSES: Final = {
    "home": N_("Retour à la maison"),
    "work": N_("Travail"),
    "school": N_("Études, école"),
    "shopping": N_("Courses"),
    "meal": N_("Repas"),
    "pick_drop": N_("Accompagnement"),
    "personal_med": N_("Santé, démarches"),
    "exercise": N_("Sport, promenade"),
    "entertainment": N_("Loisirs"),
    "transit_transfer": N_("Correspondance"),
    "other_purpose": N_("Autre motif"),
}

STATES: Final = {
    "draft": (N_("Brouillon"), ""),
    "ready": (N_("Prête à envoyer"), "warn"),
    "sending": (N_("Envoi en cours"), "info"),
    "submitted": (N_("Envoyée"), "info"),
    "to-review": (N_("À examiner par une personne"), "info"),
    "needs-information": (N_("Information demandée"), "warn"),
    "completed": (N_("Complétée"), "info"),
    "accepted": (N_("Acceptée"), "ok"),
    "refused": (N_("Refusée"), "bad"),
    "rejected": (N_("Dossier non recevable"), "bad"),
    "unsent": (N_("Non envoyée"), "warn"),
    "appealed": (N_("Recours en cours"), "warn"),
    "awarded": (N_("Aide accordée"), "ok"),
    "paid": (N_("Payée"), "ok"),
    "guaranteed": (N_("Garantie"), "ok"),
    "consumed": (N_("Utilisée"), "ok"),
    "expired": (N_("Expirée"), ""),
    "withdrawn": (N_("Retirée"), ""),
    "not-eligible": (N_("Conditions non réunies"), "warn"),
}

STOPS: Final = {
    "rule-changed": N_("La règle de l'aide a changé depuis votre accord."),
    "refused-before": N_("Un envoi précédent n'avait pas été reçu."),
    "amount-unknown": N_("Il manque une réponse pour calculer le montant."),
    "ceiling-reached": N_("Votre plafond aurait été dépassé."),
}
"""Why a home stops at « prête à envoyer » (`vault.entitlement.Stop`)."""

STEPS: Final = {
    1: N_("Forme du document"),
    2: N_("Dates"),
    3: N_("Signature"),
    4: N_("Émetteur accrédité"),
    5: N_("Statut : non révoqué"),
    6: N_("Preuves liées à la même personne"),
    7: N_("Réponse à cette demande précise"),
    8: N_("Conditions de l'aide"),
    9: N_("Contrôle anti-doublon"),
}
OUTCOMES: Final = {
    "pass": (N_("vérifié"), "ok", "✓"),
    "fail": (N_("refusé"), "fail", "✕"),
    "cannot-tell": (N_("on ne peut pas encore le dire"), "tell", "?"),
}
STEP_PASSED: Final = {
    1: N_("Le document est complet et lisible en entier."),
    2: N_("Le document est valable à cette date."),
    3: N_("La signature correspond : rien n'a été modifié depuis."),
    4: N_("L'émetteur figure au registre de confiance pour ce type de document, à cette date."),
    5: N_("L'émetteur ne l'a pas révoqué."),
    6: N_("Toutes les preuves sont liées à la clé qui présente le dossier."),
    7: N_("Le dossier répond à cette demande, une seule fois, dans le délai."),
    8: N_("Les preuves fournies sont celles que l'aide demande."),
    9: N_("Aucune autre demande de la même famille n'occupe cette période."),
}
CODES: Final = {
    "malformed": N_("Le document est incomplet ou illisible."),
    "shape-invalid": N_("Le document est incomplet ou illisible."),
    "proof-invalid": N_(
        "La signature ne correspond pas : le document a été modifié ou n'est pas de l'émetteur."
    ),
    "proof-missing": N_("Aucune signature."),
    "expired": N_("La date de validité est passée."),
    "not-yet-valid": N_("Le document n'est pas encore valable."),
    "issuer-unknown": N_("L'émetteur n'est pas dans le registre de confiance."),
    "issuer-not-accredited": N_(
        "L'émetteur n'est pas accrédité pour ce type de document à cette date."
    ),
    "key-compromised": N_("La clé de l'émetteur a été déclarée compromise."),
    "status-revoked": N_("L'émetteur a révoqué ce document."),
    "status-suspended": N_("L'émetteur a suspendu ce document."),
    "status-unreachable": N_("La liste de révocation ne répond pas : réessayer plus tard."),
    "holder-mismatch": N_(
        "Les preuves ne sont pas toutes liées à la personne qui présente le dossier."
    ),
    "challenge-used": N_("Ce dossier a déjà été reçu : il ne peut servir deux fois."),
    "challenge-mismatch": N_("Le dossier répond à une autre demande."),
    "challenge-expired": N_("La réponse est arrivée après le délai."),
    "wrong-audience": N_("Le dossier est destiné à un autre financeur."),
    "policy-unmet": N_("Une preuve demandée manque ou n'est pas assez forte."),
    "dropped-term": N_("Le document contient un terme inconnu, donc non signé."),
    "unknown-context": N_("Le document emploie un vocabulaire inconnu."),
    "already-awarded": N_(
        "Une aide de la même famille est déjà demandée ou accordée pour cette période."
    ),
    "nullifier-reserved": N_(
        "Une aide de la même famille est déjà demandée ou accordée pour cette période."
    ),
    "nullifier-used": N_(
        "Une aide de la même famille est déjà demandée ou accordée pour cette période."
    ),
    "family-taken": N_(
        "Une aide de la même famille est déjà demandée ou accordée pour cette période."
    ),
    "not-enough-days": N_("Pas assez de jours éligibles sur la période."),
    "evidence-too-weak": N_("Les trajets ne sont pas assez établis pour cette aide."),
    "replayed": N_("Ce dossier a déjà été reçu : il ne peut servir deux fois."),
}

JOURNAL: Final = {
    "drained": N_("Relève de la boîte de dépôt"),
    "record-put": N_("Enregistrement gardé"),
    "shared": N_("Preuve partagée"),
    "delivered": N_("Dossier remis au financeur"),
    "consent-withdrawn": N_("Accord retiré"),
    "withdrawal-heard": N_("Retrait de l'accord reçu par le destinataire"),
    "withdrawal-sent-again": N_("Retrait de l'accord renvoyé au destinataire"),
    "news-waiting": N_("Du nouveau sur une demande, vu coffre fermé"),
    "notices-by-mail": N_("Avis par courriel choisis"),
    "notices-here-only": N_("Avis par courriel arrêtés"),
    "document-put": N_("Document gardé"),
    "deleted": N_("Trajet supprimé"),
    "forgotten": N_("Oubli selon votre règle"),
    "undone": N_("Acte annulé"),
    "trip-disputed": N_("Trajet contesté"),
    "dispute-told": N_("Contestation transmise à l'émetteur"),
    "corrected": N_("Trajet corrigé"),
    "exported": N_("Copie complète emportée"),
    "restored": N_("Coffre restauré"),
    "vault-restored": N_("Coffre restauré"),
    "restored-from-backup": N_("Retour à une sauvegarde de l'hébergeur"),
    "attested": N_("Attestation de trajets produite"),
    "award-received": N_("Aide accordée reçue"),
    "passphrase-changed": N_("Phrase secrète changée"),
    "key-added": N_("Façon d'ouvrir le coffre ajoutée"),
    "key-removed": N_("Façon d'ouvrir le coffre retirée"),
    "key-upgraded": N_("Façon d'ouvrir le coffre mieux protégée"),
    "login-linked": N_("Connexion à un fournisseur d'identité reliée"),
    "login-unlinked": N_("Connexion à un fournisseur d'identité déliée"),
    "source-token-used": N_("Source interrogée avec votre jeton"),
    "quarantined": N_("Dépôt mis en quarantaine"),
    "declined": N_("Demande refusée : rien n'a été envoyé"),
    "service-connected": N_("Service relié avec votre passeport"),
    "service-ended": N_("Connexion à un service terminée"),
    "service-read": N_("Un service relié a lu ce que vous aviez accepté"),
    "service-told": N_("Service prévenu de la fin de la connexion"),
    "service-token-reused": N_("Accès d'un service coupé : son jeton a servi deux fois"),
    "paper-made": N_("Attestation imprimée"),
    "paper-withdrawn": N_("Attestation retirée"),
    "grant-given": N_("Mandat donné"),
    "vault-created": N_("Coffre créé"),
    "unlock-failed": N_("Ouverture refusée : phrase secrète inexacte"),
    "credential-received": N_("Document signé reçu"),
    "credential-awaited": N_("Document signé promis par son émetteur"),
    "credential-refused": N_("Document promis, refusé par son émetteur"),
    "source-linked": N_("Source ajoutée"),
    "source-revoked": N_("Source retirée"),
    "grant-revoked": N_("Mandat retiré"),
    "grant-ended": N_("Mandat terminé"),
    "root-renewed": N_("Clé principale du coffre renouvelée"),
    "keys-renewed": N_("Renouvellement des clés de chiffrement commencé"),
    "keys-destroyed": N_("Anciennes clés de chiffrement détruites"),
    "boxes-destroyed": N_("Anciennes clés de la boîte de dépôt détruites"),
    "standing-given": N_("Envoi régulier accepté"),
    "standing-sent": N_("Preuve envoyée par l'envoi régulier"),
    "standing-put-off": N_("Envoi régulier remis à plus tard"),
    "circle-joined": N_("Lien d'aides réservées gardé"),
    "circle-left": N_("Lien d'aides réservées oublié"),
    "standing-ready": N_("Demande prête à envoyer"),
    "standing-skipped": N_("Envoi régulier : rien n'est parti"),
    "standing-paused": N_("Envoi régulier mis en pause"),
    "standing-resumed": N_("Envoi régulier repris"),
    "standing-withdrawn": N_("Envoi régulier retiré"),
    "standing-ended": N_("Envoi régulier terminé"),
    "vault-restoring": N_("Restauration du coffre commencée"),
    "erased": N_("Entrée effacée"),
    "imported": N_("Fichier repris dans le coffre"),
    "import-undone": N_("Import annulé"),
    "trace-given": N_("Traces données"),
    "account-connected": N_("Compte ailleurs relié"),
    "account-read": N_("Compte ailleurs lu, valeurs gardées"),
    "account-disconnected": N_("Accès à un compte ailleurs rendu"),
    "source-copied": N_("Trajets copiés chez une source"),
    "source-copies-removed": N_("Copies retirées d'une source"),
}

SOURCES: Final = {
    "mob": N_("Mon Compte Mobilité"),
    "tracemob": N_("Tracemob (suivi de déplacements)"),
    "e-mission": N_("e-mission (suivi de déplacements)"),
    "cozy": N_("Cozy, CoachCO2"),
    "file": N_("Fichier importé"),
    "fichier": N_("Fichier importé"),
    "google-timeline": N_("Google Timeline"),
    "gpx": N_("Trace GPX"),
    "tcx": N_("Activité TCX"),
    "kml": N_("Trace KML"),
    "fit": N_("Activité FIT"),
    "geojson": N_("Trace GeoJSON"),
    "owntracks-rec": N_("OwnTracks (journal)"),
    "push": N_("Application appairée"),
    "push:owntracks": N_("Téléphone avec OwnTracks"),
    "push:overland": N_("Téléphone avec Overland"),
    "push:traccar": N_("Téléphone avec Traccar Client"),
    "push:gpslogger": N_("Téléphone avec GPSLogger"),
    "carpool-booking": N_("Covoiturage réservé"),
    "operator-account": N_("Compte chez un opérateur"),
    "carpool-operator": N_("Opérateur de covoiturage"),
    "citizen": N_("Vous"),
    "employer": N_("Employeur"),
    "compte": N_("Compte ailleurs"),
    "identity": N_("Fournisseur d'identité"),
    "identite": N_("Fournisseur d'identité"),
}


@dataclass(frozen=True, slots=True)
class ModeWord:
    """A mode as pages show it: label (French key) and the group that gives icon and colour."""

    code: str
    label: str
    group: str


def mode_word(code: str) -> ModeWord:
    """The public word of a mode; an unknown code reads « Mode inconnu »."""
    return ModeWord(code, MODES.get(code, MODES["unknown"]), GROUPS.get(code, "other"))


IDENTITY_LEVELS: Final = {
    "eidas1": N_("faible"),
    "eidas2": N_("substantiel"),
    "eidas3": N_("élevé"),
}
"""Levels of assurance of Regulation (EU) 910/2014, article 8, in its French words."""

REJECTED: Final = {
    "unknown-format": N_(
        "format inconnu. Sont compris les exports e-mission, OpenPATH et Cozy CoachCO2."
    ),
    "hostile-input": N_("contenu illisible ou hors limites."),
    "source-refused": N_("la source refuse ce jeton."),
    "source-unreachable": N_("la source ne répond pas."),
    "source-busy": N_("la source demande d'attendre."),
    "source-token-refused": N_("la source refuse ce jeton."),
    "source-answer": N_("la source a répondu autre chose que ce qu'elle promet."),
    "source-content-type": N_("la source a répondu par une page et non par des données."),
    "source-redirect": N_(
        "la source renvoie vers une autre adresse : le jeton n'y est pas envoyé."
    ),
    "source-too-large": N_("la réponse de la source dépasse les limites."),
    "source-repeated-page": N_("la source redonne sans fin la même page."),
    "input-refused": N_("contenu illisible ou hors limites."),
    "format-unknown": N_("format inconnu."),
    "not-a-time": N_("date ou heure illisible."),
    "time-without-offset": N_("heure sans fuseau."),
    "time-implausible": N_("date antérieure à l'an 2000."),
    "time-in-future": N_("date dans le futur."),
    "time-in-milliseconds": N_("heure en millisecondes au lieu de secondes."),
    "ends-before-start": N_("la fin précède le début."),
    "too-long": N_("plus de sept jours d'une traite."),
    "zone-unknown": N_("fuseau horaire inconnu."),
    "not-a-number": N_("nombre illisible."),
    "not-a-text": N_("texte attendu."),
    "not-a-point": N_("position illisible."),
    "not-an-object": N_("élément illisible."),
    "distance-missing": N_("distance ou durée absente."),
    "distance-implausible": N_("distance impossible."),
    "speed-implausible": N_("vitesse impossible."),
    "mode-unknown": N_("mode de transport inconnu."),
    "coordinates-out-of-range": N_("position hors du globe."),
    "coordinates-swapped": N_("latitude et longitude inversées."),
    "coordinates-null-island": N_("position 0, 0 : aucun signal."),
    "too-many-points": N_("plus de positions que ce qui est lu d'un fichier."),
    "invoice-sums": N_("les calculs ne tombent pas juste."),
    "push-invalid": N_("contenu illisible ou hors limites."),
    "mapping-invalid": N_("modèle de lecture incomplet ou faux."),
    "without-time": N_("position sans date ni heure."),
    "visit": N_("étapes, qui ne sont pas des trajets"),
    "covered": N_("positions que les trajets du fichier couvrent déjà"),
    "other-message": N_("messages qui ne sont pas des positions"),
    "segment-broken": N_("positions scellées qui ne s'ouvrent plus."),
    "truncated": N_("fichier coupé : ce qui précède est gardé."),
    "address-invalid": N_("cette adresse n'est pas celle d'un serveur."),
    "link-refused": N_("l'accès n'a pas été donné."),
    "registration-refused": N_(
        "ce service n'inscrit pas de coffre par lui-même : il faut d'abord un accord entre lui et l'hébergeur de votre coffre."
    ),
    "nothing-offered": N_("ce service ne propose rien de ce que vous avez coché."),
    "provider-refused": N_("ce que le service a répondu n'est pas ce qui lui était demandé."),
    "no-series": N_("document sans trajet."),
    "emission-implausible": N_("émission impossible."),
    "id-too-long": N_("identifiant trop long."),
    "not-a-day": N_("jour illisible."),
    "not-a-list": N_("liste illisible ou trop longue."),
    "not-cents": N_("montant qui n'est pas en centimes entiers."),
    "receipt-sums": N_("facture dont les lignes ne font pas le total."),
    "state-unknown": N_("état inconnu."),
    "siret-invalid": N_("SIRET faux."),
    "quantity-implausible": N_("quantité impossible."),
    "currency-unknown": N_("monnaie inconnue."),
    "not-a-receipt": N_("élément qui n'est pas une facture."),
    "unchanged": N_("listes inchangées depuis le dernier passage"),
    "not-a-trip": N_("élément qui n'est pas un trajet."),
    "deleted-upstream": N_("supprimés là-bas : gardés dans votre coffre"),
    "written-by-a-vault": N_("copies qu'un coffre y a faites"),
    "source-slow-down": N_("la source demande d'attendre."),
    "entitlement-unknown": N_("l'administration ne connaît pas de dossier à votre nom."),
    "login-refused": N_("la connexion a été refusée, par vous ou par le fournisseur d'identité."),
    "login-expired": N_("plus de dix minutes ont passé. Recommencez."),
    "login-foreign": N_(
        "ce retour n'appartient pas à une connexion en cours dans ce navigateur. Recommencez."
    ),
    "login-busy": N_("trop d'essais depuis cette adresse. Attendez une minute."),
    "login-level": N_("le fournisseur ne garantit pas le niveau demandé."),
    "userinfo-invalid": N_("la réponse du fournisseur n'est pas signée comme il faut."),
}
"""Why a source or a file was not taken; a code without a word is shown as it is."""

LACKING: Final = {
    "missing": N_("à recevoir de qui le signe"),
    "at-request": N_("calculé au moment de la demande, par la règle publiée"),
    "age-unknown": N_("il manque votre date de naissance"),
    "age-not-reached": N_("vous n'avez pas l'âge demandé"),
    "zone-unknown": N_("il manque un véhicule ou une dérogation"),
    "tariff-missing": N_("il manque une valeur que la règle du tarif demande"),
    "tariff-invalid": N_("ce service n'a pas la règle publiée de ce tarif"),
    "no-trust-registry": N_("le registre de confiance n'a pas encore été lu"),
    "preferences-empty": N_("vos préférences sont vides"),
    "extension-unknown": N_("cette extension n'est pas installée ici"),
    "status-unreachable": N_("un émetteur ne répond pas : réessayez plus tard"),
}
"""Why a vault does not answer a part of what a service asks."""

CLAIMS: Final = {
    "statement": N_("Déclaration sur l’honneur"),
    "declaredAt": N_("Déclaré le"),
    "issuerName": N_("Émetteur"),
    "days": N_("Nombre de jours éligibles"),
    "daysByMode": N_("Jours par mode"),
    "daysByEvidence": N_("Jours par niveau de preuve"),
    "periodFrom": N_("Début de la période"),
    "periodUntil": N_("Fin de la période"),
    "weakestEvidence": N_("Preuve la plus faible"),
    "assuranceMethod": N_("Méthode"),
    "metric": N_("Ce qui est compté"),
    "rule": N_("Règle de comptage"),
    "ruleVersion": N_("Version de la règle"),
    "evidenceRoot": N_("Empreinte des preuves gardées"),
    "treeSize": N_("Nombre de preuves gardées"),
    "attesterSoftware": N_("Logiciel qui a compté"),
    "employerName": N_("Employeur"),
    "employerId": N_("SIRET de l'employeur"),
    "employeeNumber": N_("Matricule"),
    "status": N_("Statut d'agent"),
    "nullifiers": N_("Contrôle anti-doublon"),
    "givenName": N_("Prénom"),
    "familyName": N_("Nom"),
    "birthDate": N_("Date de naissance"),
    "network": N_("Réseau de transport"),
    "product": N_("Abonnement"),
    "holderName": N_("Titulaire"),
    "payer": N_("Payeur"),
    "number": N_("Numéro"),
    "firstDay": N_("Premier jour"),
    "lastDay": N_("Dernier jour"),
    "total": N_("Montant payé"),
    "amount": N_("Montant"),
    "issuedOn": N_("Date de la facture"),
    "invoiceIssuer": N_("Émetteur de la facture"),
    "invoiceIssuerSiret": N_("SIRET de l'émetteur"),
    "identityLevel": N_("Niveau d'identité"),
    "trips": N_("Nombre de trajets"),
    "distance": N_("Distance"),
    "atLeast": N_("Au moins"),
    "below": N_("Moins de"),
    "month": N_("Mois"),
    "mode": N_("Mode"),
    "evidence": N_("Niveau de preuve"),
    "distanceAtLeast": N_("Distance d'au moins"),
    "registerClass": N_("Classe au registre"),
    "registerStatus": N_("État au registre"),
    "co2e": N_("Émissions"),
    "co2eAlone": N_("Même distance, seul en voiture"),
    "co2Factor": N_("Facteur d'émission"),
    "street": N_("Voie"),
    "postalCode": N_("Code postal"),
    "locality": N_("Commune"),
    "commune": N_("Code de la commune"),
    "country": N_("Pays"),
    "since": N_("Depuis le"),
    "categories": N_("Catégories"),
    "licenceNumber": N_("Numéro du permis"),
    "institution": N_("Établissement"),
    "studentStatus": N_("Statut d'études"),
    "grantStep": N_("Échelon de bourse"),
    "taxYear": N_("Année des revenus"),
    "scale": N_("Barème"),
    "bracket": N_("Tranche"),
    "delegateName": N_("Mandataire"),
    "mandateActs": N_("Actes permis"),
    "purpose": N_("Motif"),
    "vehicleType": N_("Type de véhicule"),
    "energy": N_("Énergie"),
    "critAir": N_("Classe Crit'Air"),
    "mass": N_("Masse"),
    "firstRegistered": N_("Première immatriculation"),
    "derogation": N_("Dérogation"),
    "zone": N_("Zone (code du territoire)"),
    "zoneName": N_("Zone"),
    "identification": N_("Immatriculation"),
    "source": N_("Source"),
    "certifiedAt": N_("Certifié le"),
    "degree": N_("Degré de certification"),
    "family": N_("Règle de non-cumul"),
    "checkedAt": N_("Vérifié le"),
    "extension": N_("Extension"),
    "extensionVersion": N_("Version de l'extension"),
    "facts": N_("Faits"),
    "ageAtLeast": N_("Âge atteint"),
    "tariff": N_("Règle du tarif"),
    "tariffVersion": N_("Version du tarif"),
    "tariffStatus": N_("Tarif auquel vous avez droit"),
    "travelModes": N_("Modes aimés et refusés"),
    "wheelchair": N_("En fauteuil roulant"),
    "longestWalk": N_("Marche la plus longue"),
    "longestRide": N_("Plus long trajet à vélo"),
    "homeCommune": N_("Commune du domicile"),
    "workCommune": N_("Commune du travail"),
    "passes": N_("Abonnements"),
}
"""Names of claims as consent and desk show them."""

METRICS: Final = {
    "eligible-days": N_("jours avec un trajet domicile-travail"),
    "trips": N_("trajets"),
    "distance": N_("distance parcourue"),
    "co2e": N_("émissions de CO₂"),
}
"""What a usage proof counts."""

KEPT: Final = {
    "trips": N_("Chaque trajet"),
    "places": N_("Vos lieux : domicile, travail, arrêts"),
    "hours": N_("Vos heures de départ et d'arrivée"),
    "tracks": N_("Vos tracés"),
    "other-modes": N_("Vos trajets dans d'autres modes"),
    "sources": N_("Vos applications et vos comptes"),
    "documents": N_("Vos factures et documents"),
    "attributes": N_("Vos autres attributs certifiés"),
    "journal": N_("Votre journal des accès"),
    "other-days": N_("Les jours qui ne comptent pas"),
}
"""What a proof rests on and does not carry."""
