"""A French and an English sentence for every code a verification can give.

Keys are the codes of `Check`; `{…}` is filled from its `params` (a missing one stays empty).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from federation.verification import Check, Outcome

__all__ = ["STEPS", "TYPES", "WORDS", "sentence", "step_name"]

Lang = Literal["fr", "en"]

STEPS: Final[Mapping[int, tuple[str, str]]] = {
    1: ("Forme", "Shape"),
    2: ("Dates", "Dates"),
    3: ("Signature", "Signature"),
    4: ("Émetteur", "Issuer"),
    5: ("Statut", "Status"),
    6: ("Titulaire", "Holder"),
    7: ("Demande et destinataire", "Request and audience"),
    8: ("Exigences du financeur", "Funder's requirements"),
}

TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "UsageProof": ("preuve d'usage", "usage proof"),
    "AffiliationCredential": ("attestation de l'employeur", "employer's affiliation"),
    "CarpoolJourney": ("trajet en covoiturage", "carpool journey"),
    "IdentityCredential": ("identité", "identity"),
    "AwardCredential": ("aide accordée", "award"),
    "PassCredential": ("abonnement", "transport pass"),
    "InvoiceCredential": ("facture", "invoice"),
    "RentalCredential": ("location", "rental"),
    "TripCredential": ("trajet signé par sa source", "trip signed by its source"),
    "AddressCredential": ("adresse", "address"),
    "DrivingLicenceCredential": ("permis de conduire", "driving licence"),
    "StudentCredential": ("statut étudiant ou apprenti", "student or apprentice status"),
    "TaxBracketCredential": ("tranche de revenu", "income bracket"),
    "MandateCredential": ("mandat", "mandate"),
    "VehicleClassCredential": ("classe du véhicule", "vehicle class"),
    "ZoneAccessCredential": ("accès à une zone", "access to a zone"),
    "NoPriorAidCredential": ("absence d'aide antérieure", "no prior aid"),
    "ExtensionStatement": ("ce que vous dites par une extension", "what you say by an extension"),
    "AgeCredential": ("âge minimal atteint", "age reached"),
    "TariffCredential": ("droit à un tarif", "entitlement to a tariff"),
    "TravelPreferences": ("préférences de trajet", "travel preferences"),
}

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    # passed
    "shape": ("Le document est bien formé.", "The document is well formed."),
    "dates": ("Dans ses dates : {type}.", "Within its dates: {type}."),
    "proof": (
        "La signature correspond au contenu.",
        "The signature matches the content.",
    ),
    "issuer": (
        "{name} est habilité à émettre : {type}.",
        "{name} is accredited to issue: {type}.",
    ),
    "issuer-self": (
        "Déclaré sur l'honneur par la personne elle-même.",
        "Declared on their honour by the person.",
    ),
    "status": ("Ni révoqué ni suspendu : {type}.", "Neither revoked nor suspended: {type}."),
    "status-none": ("Sans liste de révocation : {type}.", "Has no revocation list: {type}."),
    "holder": (
        "Tous les éléments sont liés à la clé qui les présente.",
        "Everything is bound to the key that presents it.",
    ),
    "audience": (
        "Établi pour cette demande et ce destinataire.",
        "Made for this request and this verifier.",
    ),
    "policy": ("Exigence remplie : {policy}.", "Requirement met: {policy}."),
    # 1 shape
    "shape-invalid": (
        "Le document est mal formé ({where}).",
        "The document is malformed ({where}).",
    ),
    "json-refused": (
        "Le fichier n'est pas un JSON acceptable ({where}).",
        "The file is not acceptable JSON ({where}).",
    ),
    "too-deep": ("Le document est trop imbriqué.", "The document is nested too deep."),
    "too-large": ("Le document est trop grand.", "The document is too large."),
    "missing-member": ("Un élément manque ({where}).", "A member is missing ({where})."),
    "extra-member": ("Un élément est en trop ({where}).", "There is an extra member ({where})."),
    "dropped-term": (
        "Un élément n'est pas défini, la signature ne le couvrirait pas ({where}).",
        "A member is undefined: the signature would not cover it ({where}).",
    ),
    "keyword-alias": (
        "Un mot-clé est écrit sous une autre forme ({where}).",
        "A keyword is written another way ({where}).",
    ),
    "context-changed": ("Le vocabulaire a été changé.", "The vocabulary was changed."),
    "context-reordered": (
        "L'ordre des vocabulaires a été changé.",
        "The vocabularies were reordered.",
    ),
    "type-unknown": ("Type de document inconnu ({where}).", "Unknown document type ({where})."),
    "relative-iri": (
        "Un identifiant est incomplet ({where}).",
        "An identifier is not absolute ({where}).",
    ),
    "blank-node": ("Un élément est sans identifiant ({where}).", "A node has no id ({where})."),
    "duplicate-node": (
        "Deux éléments portent le même identifiant ({where}).",
        "Two nodes have one id ({where}).",
    ),
    "unordered-list": (
        "Une liste n'est pas ordonnée ({where}).",
        "A list is out of order ({where}).",
    ),
    "cryptosuite-unknown": (
        "Méthode de signature non prise en charge.",
        "The signature suite is not supported.",
    ),
    # 2 dates
    "expired": ("Expiré depuis le {valid_until} : {type}.", "Expired on {valid_until}: {type}."),
    "not-yet-valid": (
        "Pas encore valable (à partir du {valid_from}) : {type}.",
        "Not valid before {valid_from}: {type}.",
    ),
    "proof-from-future": ("La signature est datée du futur.", "The signature is from the future."),
    "proof-expired": ("La signature a expiré.", "The signature has expired."),
    # 3 proof
    "proof-invalid": (
        "La signature ne correspond pas au contenu.",
        "The signature does not match the content.",
    ),
    "base-proof": (
        "Attestation entière, réservée à son titulaire : il n'en présente qu'une partie choisie.",
        "A whole credential, meant for its holder, who presents a chosen part of it only.",
    ),
    "algorithm-mismatch": (
        "La signature annonce un autre algorithme que celui de la clé.",
        "The signature names another algorithm than the key's.",
    ),
    "proof-purpose": ("La signature a un autre usage.", "The signature has another purpose."),
    "issuer-key-mismatch": (
        "La clé n'est pas celle de l'émetteur.",
        "The key is not the issuer's.",
    ),
    "not-compilable": (
        "Le document n'est pas écrit dans la forme attendue.",
        "The document is not written in the expected form.",
    ),
    "context-unknown": ("Vocabulaire inconnu.", "Unknown vocabulary."),
    "context-digest": ("Vocabulaire altéré ou absent.", "Vocabulary altered or missing."),
    "poison-graph": ("Document trop coûteux à vérifier.", "The document costs too much to verify."),
    "empty-graph": ("Le document ne dit rien.", "The document says nothing."),
    "rdf-refused": ("Document refusé.", "The document is refused."),
    "nquads-invalid": ("Document refusé.", "The document is refused."),
    "multikey-invalid": ("Clé illisible.", "Unreadable key."),
    "did-refused": ("Identifiant de clé refusé.", "The key identifier is refused."),
    "did-malformed": ("Identifiant de clé mal formé.", "The key identifier is malformed."),
    # 4 issuer
    "issuer-unknown": (
        "L'émetteur n'est pas inscrit au registre de confiance.",
        "The issuer is not in the trust registry.",
    ),
    "key-unknown": (
        "La clé de l'émetteur n'est pas inscrite au registre de confiance.",
        "The issuer's key is not in the trust registry.",
    ),
    "key-not-valid-then": (
        "La clé de l'émetteur n'était pas valable à cette date.",
        "The issuer's key was not valid at that date.",
    ),
    "key-compromised": (
        "La clé de l'émetteur a été compromise avant réception.",
        "The issuer's key was compromised before receipt.",
    ),
    "issuer-not-accredited": (
        "L'émetteur n'était pas habilité à émettre ce document à cette date : {type}.",
        "The issuer was not accredited to issue this at that date: {type}.",
    ),
    "family-not-accredited": (
        "L'émetteur n'est pas habilité pour cette règle de non-cumul.",
        "The issuer is not accredited for this exclusivity rule.",
    ),
    "assurance-not-allowed": (
        "L'émetteur ne peut pas annoncer ce niveau de preuve.",
        "The issuer may not claim this assurance.",
    ),
    # 5 status
    "status-revoked": ("Révoqué : {type}.", "Revoked: {type}."),
    "status-suspended": ("Suspendu : {type}.", "Suspended: {type}."),
    "status-unreachable": (
        "Statut injoignable pour l'instant : {type}.",
        "The status cannot be read for now: {type}.",
    ),
    # 6 bindings
    "holder-mismatch": (
        "Un élément est lié à une autre clé que celle qui le présente : {type}.",
        "Something is bound to another key than the one presenting: {type}.",
    ),
    # 7 challenge and audience
    "challenge-mismatch": ("Répond à une autre demande.", "Answers another request."),
    "challenge-used": ("Cette réponse a déjà servi.", "This answer was already used."),
    "challenge-expired": ("La demande a expiré.", "The request has expired."),
    "wrong-audience": ("Établi pour un autre destinataire.", "Made for another verifier."),
    # 8 policy
    "previous-proof": (
        "La signature renvoie à une autre signature qui n'est pas là.",
        "The signature refers to another signature that is not there.",
    ),
    "sd-jwt-malformed": (
        "Le document n'est pas une attestation à divulgation sélective bien formée.",
        "The document is not a well-formed selective-disclosure credential.",
    ),
    "foreign-disclosure": (
        "Une information montrée ne fait pas partie de ce qui a été signé.",
        "Something shown is not part of what was signed.",
    ),
    "key-binding": (
        "La preuve de possession de la clé manque ou n'a pas été faite à l'instant.",
        "The proof of possession of the key is missing or was not made just now.",
    ),
    "policy-unmet": ("Exigence non remplie : {policy}.", "Requirement not met: {policy}."),
    "assurance-too-weak": (
        "Niveau de preuve insuffisant ({found}, attendu {wanted}).",
        "Assurance too weak ({found}, wanted {wanted}).",
    ),
    "evidence-too-weak": (
        "Preuves insuffisantes ({found}, attendu {wanted}).",
        "Evidence too weak ({found}, wanted {wanted}).",
    ),
    "audit-leaf": (
        "Preuve n° {number} : gardée avant la demande de contrôle, et elle compte.",
        "Evidence no. {number}: kept before the audit was asked for, and it counts.",
    ),
    "audit-withdrawn": (
        "Preuve n° {number} : retirée par la personne, qui en a le droit.",
        "Evidence no. {number}: withdrawn by the person, as is their right.",
    ),
    "audit-not-committed": (
        "Preuve n° {number} : elle n'était pas parmi celles qui ont été comptées.",
        "Evidence no. {number}: it was not among what was counted.",
    ),
    "audit-does-not-count": (
        "Preuve n° {number} : elle ne remplit pas la règle de l'aide.",
        "Evidence no. {number}: it does not meet the aid's rule.",
    ),
    "audit-other-leaves": (
        "D'autres preuves que celles demandées ont été ouvertes.",
        "Other evidence than what was asked for was opened.",
    ),
    "threshold-unmet": (
        "Le nombre demandé n'est pas atteint ou n'est pas montré : {type}.",
        "The figure asked for is not reached or not shown: {type}.",
    ),
    "trips-unmet": (
        "Un trajet montré ne compte pas pour cette demande ({why}).",
        "A trip that was shown does not count for this request ({why}).",
    ),
    "period-mismatch": (
        "Autre période que demandée : {type}.",
        "Another period than asked: {type}.",
    ),
}

_OUTCOMES: Final[Mapping[Outcome, tuple[str, str]]] = {
    Outcome.PASS: ("Contrôle réussi.", "Check passed."),
    Outcome.FAIL: ("Contrôle non réussi.", "Check failed."),
    Outcome.CANNOT_TELL: ("Contrôle impossible pour l'instant.", "Cannot be checked for now."),
}


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


def sentence(check: Check, lang: Lang = "fr") -> str:
    """The check as a person reads it."""
    column = 0 if lang == "fr" else 1
    words = WORDS.get(check.code) or _OUTCOMES[check.outcome]
    params = _Blank(check.params)
    if "type" in params:
        named = TYPES.get(str(params["type"]))
        params["type"] = named[column] if named else str(params["type"])
    return words[column].format_map(params)


def step_name(step: int, lang: Lang = "fr") -> str:
    """Name of a step."""
    return STEPS[step][0 if lang == "fr" else 1]
