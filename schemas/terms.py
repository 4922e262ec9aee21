"""The one table of terms: our JSON-LD context and our vocabulary are both written from it.

`python -m schemas.vocabulary` rewrites `contexts/mobility-v1.jsonld` and `vocab/mobility.ttl`; a
test fails when they differ from this table. All terms are defined at the top level, because
type-scoped contexts do not reach nested nodes; none has the name of a term VC 2.0 protects
(`id`, `type`: same definitions, which JSON-LD 1.1 allows).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .evidence import EVIDENCE_LABELS
from .ids import Iri
from .modes import MODES, VOCAB

CONTEXT_IRI: Final = Iri("https://w3id.org/mobility-vault/v1")
XSD: Final = "http://www.w3.org/2001/XMLSchema#"
SCHEMA: Final = "https://schema.org/"
_GEO = "http://www.w3.org/2003/01/geo/wgs84_pos#"


class Range(StrEnum):
    """What the value of a property is, and how the context coerces it."""

    TEXT = "text"
    ANY = "any"
    """A JSON scalar with its native datatype."""
    INTEGER = XSD + "integer"
    DOUBLE = XSD + "double"
    BOOLEAN = XSD + "boolean"
    DATE = XSD + "date"
    INSTANT = XSD + "dateTime"
    IRI = "@id"
    CONCEPT = "@vocab"
    JSON = "@json"


@dataclass(frozen=True, slots=True)
class Term:
    """A class or a property: JSON name, IRI, words, unit, where the idea comes from."""

    name: str
    iri: str
    range: Range | None
    """None for a class."""
    fr: str
    en: str
    unit: str
    """`m`, `s`, `cent`, `d` (day), `deg`, `1` (a count or no unit)."""
    source: str
    many: bool = False
    match: str | None = None
    """A term of another vocabulary that comes close."""


_DESIGN = "design of the mobility vault, §5"
_PROOF = "design of the mobility vault, §6"
_HUB = "design of the mobility vault, §8"
_SCHEMA = "schema.org 30.0"
_EXTENSIONS = "extensions of the mobility vault, schemas/extensions.py"
_ODRL = "W3C ODRL 2.2, Agreement"
_ODRL_NS = "http://www.w3.org/ns/odrl/2/"
_CGCT = "code général des collectivités territoriales, articles L. 2213-4-1 et R. 2213-1-0-1"
_CRITAIR = "arrêté du 21 juin 2016 (certificats qualité de l'air)"
_WGS84 = "W3C Basic Geo (WGS84 lat/long)"
_RPC = "Registre de preuve de covoiturage, API v3.3"
_GDPR = "règlement (UE) 2016/679 (RGPD), articles 12, 15, 20 et 77"
_DPV = "W3C DPV 2.3, ISO/IEC TS 27560"
_MOB = "Mon Compte Mobilité, CMS schemas"
_EMISSION = "e-mission/OpenPATH entries"
_PIVOT = "FranceConnect identité pivot"
_LICENCE = "directive 2006/126/CE (permis de conduire)"


def _c(name: str, fr: str, en: str, source: str = _DESIGN, iri: str = "") -> Term:
    return Term(name, iri or VOCAB + name, None, fr, en, "1", source)


def _p(
    name: str,
    range_: Range,
    fr: str,
    en: str,
    source: str = _DESIGN,
    *,
    unit: str = "1",
    many: bool = False,
    iri: str = "",
    match: str | None = None,
) -> Term:
    return Term(name, iri or VOCAB + name, range_, fr, en, unit, source, many, match)


_R = Range

CLASSES: Final[tuple[Term, ...]] = (
    _c("Trip", "trajet", "trip", _SCHEMA, SCHEMA + "Trip"),
    _c("Leg", "étape d'un trajet", "leg of a trip"),
    _c("Place", "lieu", "place", _SCHEMA, SCHEMA + "Place"),
    _c("NamedPlace", "lieu de la personne", "place of the citizen"),
    _c("Invoice", "facture", "invoice", _SCHEMA, SCHEMA + "Invoice"),
    _c("InvoiceLine", "ligne de facture", "invoice line"),
    _c("Subscription", "abonnement de transport", "transport subscription"),
    _c("Attribute", "attribut certifié", "certified attribute", _MOB),
    _c("Credential", "justificatif détenu", "held credential", _PROOF),
    _c("Document", "document", "document", _SCHEMA, SCHEMA + "DigitalDocument"),
    _c("AidApplication", "demande d'aide", "application for an aid", _HUB),
    _c("Transition", "étape d'une demande", "step of an application", _HUB),
    _c("Award", "aide accordée", "award", _HUB),
    _c("Consent", "consentement", "consent", _DPV),
    _c("ExtensionRecord", "donnée d'une extension", "record of an extension", _EXTENSIONS),
    _c("Vehicle", "véhicule", "vehicle", _SCHEMA, SCHEMA + "Vehicle"),
    _c("Preference", "préférence", "preference"),
    _c("Goal", "objectif", "goal"),
    _c("Mandate", "mandat", "mandate", _ODRL),
    _c("DataRequest", "demande de mes données", "request for my data", _GDPR),
    _c("TripObservation", "trajet vu par une source", "trip as seen by a source"),
    _c("LabelObservation", "réponse dans l'application", "label given in the app", _EMISSION),
    _c("CitizenObservation", "décision de la personne", "decision of the citizen"),
    _c("Suppression", "suppression", "suppression"),
    _c("DocumentObservation", "pièce déposée", "deposited document"),
    _c("UsageProof", "preuve d'usage", "usage proof", _PROOF),
    _c("AffiliationCredential", "attestation d'affiliation", "affiliation credential", _PROOF),
    _c("CarpoolJourney", "covoiturage attesté", "attested carpool journey", _RPC),
    _c("IdentityCredential", "identité", "identity credential", _PROOF),
    _c("AwardCredential", "attestation d'aide accordée", "award credential", _HUB),
    _c("PassCredential", "attestation d'abonnement", "pass credential", _PROOF),
    _c("InvoiceCredential", "facture signée", "signed invoice", _PROOF),
    _c("RentalCredential", "location attestée", "attested rental", _PROOF),
    _c("TripCredential", "trajet signé par sa source", "trip signed by its source", _PROOF),
    _c("AddressCredential", "adresse", "address credential", _PROOF),
    _c("DrivingLicenceCredential", "permis de conduire", "driving licence", _PROOF),
    _c("LicenceCategory", "catégorie de permis", "licence category", _LICENCE),
    _c("StudentCredential", "statut étudiant ou apprenti", "student credential", _PROOF),
    _c("TaxBracketCredential", "tranche de revenu", "income bracket", _PROOF),
    _c("MandateCredential", "mandat signé", "signed mandate", _PROOF),
    _c("VehicleClassCredential", "classe du véhicule", "vehicle class", _CRITAIR),
    _c("ZoneAccessCredential", "accès à une zone", "access to a zone", _CGCT),
    _c("NoPriorAidCredential", "absence d'aide antérieure", "no prior aid", _HUB),
    _c("ExtensionStatement", "ce qu'une extension dit", "statement of an extension", _EXTENSIONS),
    _c("AgeCredential", "âge minimal atteint", "age reached", _PROOF),
    _c("TariffCredential", "droit à un tarif", "entitlement to a tariff", _PROOF),
    _c("TravelPreferences", "préférences de trajet", "travel preferences", _PROOF),
)

PROPERTIES: Final[tuple[Term, ...]] = (
    # every record
    _p("revision", _R.INTEGER, "révision", "revision"),
    _p("aliases", _R.IRI, "anciens identifiants", "former identifiers", many=True),
    _p(
        "observations",
        _R.IRI,
        "observations à l'origine",
        "observations it follows from",
        many=True,
        match="http://www.w3.org/ns/prov#wasDerivedFrom",
    ),
    _p("evidence", _R.CONCEPT, "classe de preuve", "evidence class"),
    _p("label", _R.TEXT, "nom", "label", iri="http://www.w3.org/2000/01/rdf-schema#label"),
    # trips, legs, places
    _p("startedAt", _R.INSTANT, "début", "start", unit="instant", match=SCHEMA + "departureTime"),
    _p("endedAt", _R.INSTANT, "fin", "end", unit="instant", match=SCHEMA + "arrivalTime"),
    _p("startZone", _R.TEXT, "fuseau du départ", "time zone of the start", "IANA tz database"),
    _p("endZone", _R.TEXT, "fuseau de l'arrivée", "time zone of the end", "IANA tz database"),
    _p("origin", _R.IRI, "lieu de départ", "origin", match=SCHEMA + "tripOrigin"),
    _p("destination", _R.IRI, "lieu d'arrivée", "destination"),
    _p("legs", _R.IRI, "étapes", "legs", many=True, match=SCHEMA + "subTrip"),
    _p("distance", _R.INTEGER, "distance parcourue", "distance travelled", unit="m"),
    _p("mode", _R.CONCEPT, "mode de déplacement", "mode of travel"),
    _p("modeEvidence", _R.CONCEPT, "classe de preuve du mode", "evidence class of the mode"),
    _p("purpose", _R.TEXT, "motif", "purpose", _EMISSION),
    _p("replacedMode", _R.CONCEPT, "mode remplacé", "replaced mode", _EMISSION),
    _p("trackDigest", _R.TEXT, "empreinte de la trace", "digest of the track"),
    _p("lat", _R.DOUBLE, "latitude", "latitude", _WGS84, unit="deg", iri=_GEO + "lat"),
    _p("lon", _R.DOUBLE, "longitude", "longitude", _WGS84, unit="deg", iri=_GEO + "long"),
    _p("role", _R.TEXT, "rôle", "role"),
    _p("radius", _R.INTEGER, "rayon", "radius", unit="m"),
    _p("firstDay", _R.DATE, "premier jour", "first day", unit="d", match=SCHEMA + "validFrom"),
    _p("lastDay", _R.DATE, "dernier jour", "last day", unit="d", match=SCHEMA + "validUntil"),
    _p("confirmedAt", _R.INSTANT, "confirmé le", "confirmed at", unit="instant"),
    # invoices and subscriptions
    _p("invoiceIssuer", _R.TEXT, "émetteur de la facture", "issuer of the invoice", _MOB),
    _p("invoiceIssuerSiret", _R.TEXT, "SIRET de l'émetteur", "SIRET of the issuer", "INSEE"),
    _p("number", _R.TEXT, "numéro", "number", _MOB, match=SCHEMA + "confirmationNumber"),
    _p("issuedAt", _R.INSTANT, "émise le", "issued at", unit="instant"),
    _p("issuedOn", _R.DATE, "jour d'émission", "day of issue", unit="d"),
    _p("total", _R.INTEGER, "total", "total", unit="cent", match=SCHEMA + "totalPaymentDue"),
    _p("currency", _R.TEXT, "devise", "currency", "ISO 4217", match=SCHEMA + "currency"),
    _p("lines", _R.IRI, "lignes", "lines", many=True),
    _p("quantity", _R.INTEGER, "quantité", "quantity"),
    _p("unitAmount", _R.INTEGER, "prix unitaire", "unit price", unit="cent"),
    _p("periodStart", _R.DATE, "début de période", "period start", "EN 16931, BG-14", unit="d"),
    _p("periodEnd", _R.DATE, "fin de période", "period end", "EN 16931, BG-14", unit="d"),
    _p("payer", _R.TEXT, "payeur", "payer", _MOB),
    _p("holderName", _R.TEXT, "titulaire", "holder", _MOB),
    _p("network", _R.TEXT, "réseau", "network", _MOB),
    _p("product", _R.TEXT, "produit", "product", _MOB),
    _p("invoice", _R.IRI, "facture", "invoice"),
    # attributes, credentials, documents
    _p("attributeName", _R.TEXT, "nom de l'attribut", "name of the attribute", _MOB),
    _p("value", _R.ANY, "valeur", "value", _MOB),
    _p("source", _R.TEXT, "source", "source", _MOB),
    _p("certifiedAt", _R.INSTANT, "certifié le", "certified at", _MOB, unit="instant"),
    _p("degree", _R.TEXT, "degré de certification", "degree of certification", _PROOF),
    _p("identityLevel", _R.TEXT, "niveau d'identité", "identity level", "eIDAS"),
    _p("credentialType", _R.TEXT, "type de justificatif", "type of credential", _PROOF),
    _p("issuedBy", _R.TEXT, "émetteur", "issuer", _PROOF),
    _p("document", _R.JSON, "document signé", "signed document", _PROOF),
    _p("receivedAt", _R.INSTANT, "reçu le", "received at", unit="instant"),
    _p("title", _R.TEXT, "titre", "title", "Dublin Core", iri="http://purl.org/dc/terms/title"),
    _p("fileType", _R.TEXT, "type de fichier", "media type", "RFC 6838"),
    _p("size", _R.INTEGER, "taille", "size", unit="byte"),
    _p("contentDigest", _R.TEXT, "empreinte du contenu", "digest of the content"),
    _p("createdAt", _R.INSTANT, "créé le", "created at", unit="instant"),
    _p("about", _R.IRI, "à propos de", "about", _SCHEMA, iri=SCHEMA + "about"),
    # aids
    _p("aid", _R.IRI, "aide", "aid", _HUB),
    _p("aidVersion", _R.TEXT, "version de l'aide", "version of the aid", _HUB),
    _p("funder", _R.TEXT, "financeur", "funder", _HUB),
    _p("funderName", _R.TEXT, "nom du financeur", "name of the funder", _HUB),
    _p("state", _R.TEXT, "état", "state", _HUB),
    _p("periodFrom", _R.DATE, "période : premier jour", "period: first day", _HUB, unit="d"),
    _p("periodUntil", _R.DATE, "période : dernier jour", "period: last day", _HUB, unit="d"),
    _p("amount", _R.INTEGER, "montant", "amount", _HUB, unit="cent"),
    _p("submittedAt", _R.INSTANT, "déposée le", "submitted at", _HUB, unit="instant"),
    _p("decidedAt", _R.INSTANT, "décidée le", "decided at", _HUB, unit="instant"),
    _p("hub", _R.TEXT, "guichet", "hub", _HUB),
    _p("reasons", _R.TEXT, "motifs", "reasons", _HUB, many=True),
    _p("history", _R.IRI, "historique", "history", _HUB, many=True),
    _p("at", _R.INSTANT, "le", "at", _HUB, unit="instant"),
    _p("actor", _R.TEXT, "auteur", "actor", _HUB),
    _p("reason", _R.TEXT, "motif", "reason", _HUB),
    _p("presentationDigest", _R.TEXT, "empreinte de l'envoi", "digest of what was sent", _HUB),
    _p("application", _R.IRI, "demande", "application", _HUB),
    _p("awardCredential", _R.IRI, "attestation d'aide", "credential of the award", _HUB),
    _p("awardedAt", _R.INSTANT, "accordée le", "awarded at", _HUB, unit="instant"),
    # consent
    _p("recipient", _R.IRI, "destinataire", "recipient", _DPV),
    _p("recipientName", _R.TEXT, "nom du destinataire", "name of the recipient", _DPV),
    _p("claims", _R.TEXT, "informations transmises", "claims shared", _DPV, many=True),
    _p("keptBack", _R.TEXT, "informations gardées", "claims kept back", _DPV, many=True),
    _p("legalBasis", _R.TEXT, "base légale", "legal basis", _DPV),
    _p("givenAt", _R.INSTANT, "donné le", "given at", _DPV, unit="instant"),
    _p("expiresAt", _R.INSTANT, "expire le", "expires at", _DPV, unit="instant"),
    _p("withdrawnAt", _R.INSTANT, "retiré le", "withdrawn at", _DPV, unit="instant"),
    _p("receipt", _R.JSON, "reçu de consentement", "consent receipt", _DPV),
    _p("pausedAt", _R.INSTANT, "en pause depuis", "paused at", _DPV, unit="instant"),
    _p("extent", _R.TEXT, "l'hébergeur prépare ou envoie", "the home prepares or sends"),
    _p("ceiling", _R.INTEGER, "plafond demandé", "ceiling of what is asked for", unit="cent"),
    _p("standingConsent", _R.IRI, "envoyé au titre de", "sent under", _DPV),
    # addresses
    _p("street", _R.TEXT, "voie", "street", _SCHEMA, iri=SCHEMA + "streetAddress"),
    _p("postalCode", _R.TEXT, "code postal", "postal code", _SCHEMA, iri=SCHEMA + "postalCode"),
    _p("locality", _R.TEXT, "commune", "locality", _SCHEMA, iri=SCHEMA + "addressLocality"),
    _p("country", _R.TEXT, "pays", "country", "ISO 3166-1", iri=SCHEMA + "addressCountry"),
    # extensions
    _p("extension", _R.TEXT, "extension", "extension", _EXTENSIONS),
    _p("extensionVersion", _R.INTEGER, "version de l'extension", "extension version", _EXTENSIONS),
    _p("recordType", _R.TEXT, "type de donnée", "type of record", _EXTENSIONS),
    _p("summary", _R.TEXT, "résumé", "summary", _EXTENSIONS),
    _p("dated", _R.INSTANT, "daté du", "dated", _EXTENSIONS, unit="instant"),
    _p("body", _R.JSON, "contenu", "body", _EXTENSIONS),
    # vehicles
    _p("vehicleType", _R.TEXT, "type de véhicule", "type of vehicle"),
    _p("energy", _R.TEXT, "énergie", "energy", _SCHEMA, match=SCHEMA + "fuelType"),
    _p("tenure", _R.TEXT, "à quel titre", "by what right"),
    _p("make", _R.TEXT, "marque", "make", _SCHEMA, match=SCHEMA + "manufacturer"),
    _p("model", _R.TEXT, "modèle", "model", _SCHEMA, match=SCHEMA + "model"),
    _p(
        "identification",
        _R.TEXT,
        "immatriculation ou numéro du cycle",
        "number plate or number of the cycle",
        "décret n° 2020-1439 du 23 novembre 2020",
    ),
    _p("critAir", _R.TEXT, "classe Crit'Air", "Crit'Air class", _CRITAIR),
    _p("mass", _R.INTEGER, "masse à vide", "unladen mass", unit="kg"),
    _p("firstRegistered", _R.DATE, "première immatriculation", "first registration", unit="d"),
    _p("ownedFrom", _R.DATE, "utilisé depuis", "used from", unit="d"),
    _p("ownedUntil", _R.DATE, "utilisé jusqu'au", "used until", unit="d"),
    # preferences, goals, mandates
    _p("preferenceName", _R.TEXT, "nom de la préférence", "name of the preference"),
    _p("goalMetric", _R.TEXT, "ce qui est compté", "what is counted"),
    _p("countedModes", _R.CONCEPT, "modes comptés", "modes that count", many=True),
    _p("direction", _R.TEXT, "sens", "direction"),
    _p("target", _R.INTEGER, "cible", "target", unit="m, d, 1 or g, by goalMetric"),
    _p("every", _R.TEXT, "par", "every"),
    _p("delegate", _R.IRI, "mandataire", "delegate", _ODRL, match=_ODRL_NS + "assignee"),
    _p("delegateName", _R.TEXT, "nom du mandataire", "name of the delegate", _ODRL),
    _p("acts", _R.TEXT, "actes permis", "acts allowed", _ODRL, many=True),
    _p("kinds", _R.TEXT, "enregistrements ouverts", "records opened", many=True),
    _p("revokedAt", _R.INSTANT, "révoqué le", "revoked at", _ODRL, unit="instant"),
    _p("grant", _R.TEXT, "délégation de clés", "grant of keys"),
    _p("receiptDigest", _R.TEXT, "empreinte du mandat signé", "digest of the signed mandate"),
    # requests for one's own data
    _p("company", _R.TEXT, "entreprise", "company", _GDPR),
    _p("contactAddress", _R.TEXT, "adresse postale du contact", "postal address", _GDPR),
    _p("contactEmail", _R.TEXT, "courriel du contact", "email of the contact", _GDPR),
    _p("directoryEntry", _R.TEXT, "fiche de l'annuaire", "entry of the directory"),
    _p("requester", _R.TEXT, "demandeur", "requester", _GDPR),
    _p("replyTo", _R.TEXT, "où répondre", "where to reply", _GDPR),
    _p("knownAs", _R.TEXT, "connu de l'entreprise comme", "known to the company as", _GDPR),
    _p("letterLanguage", _R.TEXT, "langue de la lettre", "language of the letter"),
    _p("sentOn", _R.DATE, "reçue le", "received on", _GDPR, unit="d"),
    _p("extendedOn", _R.DATE, "prolongée le", "extended on", _GDPR, unit="d"),
    _p("answeredOn", _R.DATE, "répondue le", "answered on", _GDPR, unit="d"),
    _p("refusedOn", _R.DATE, "refusée le", "refused on", _GDPR, unit="d"),
    _p("complainedOn", _R.DATE, "plainte déposée le", "complained on", _GDPR, unit="d"),
    _p("closedOn", _R.DATE, "close le", "closed on", unit="d"),
    # observations
    _p("account", _R.TEXT, "compte à la source", "account at the source"),
    _p("upstreamIds", _R.TEXT, "identifiants à la source", "identifiers upstream", many=True),
    _p("writtenAt", _R.INSTANT, "écrit le", "written at", _EMISSION, unit="instant"),
    _p("seenOrigin", _R.JSON, "départ observé", "origin as seen"),
    _p("seenDestination", _R.JSON, "arrivée observée", "destination as seen"),
    _p("seenLegs", _R.JSON, "étapes observées", "legs as seen"),
    _p("modeClaims", _R.JSON, "modes avancés", "mode claims"),
    _p("register", _R.JSON, "état au registre", "status in the register", _RPC),
    _p("cancelled", _R.BOOLEAN, "annulé", "cancelled", "Standard Covoiturage"),
    _p("track", _R.JSON, "trace", "track", unit="[ms, deg, deg]"),
    _p("labelProperty", _R.TEXT, "propriété nommée", "property labelled", _EMISSION),
    _p("labelValue", _R.TEXT, "réponse", "label", _EMISSION),
    _p("act", _R.TEXT, "acte", "act"),
    _p("targets", _R.IRI, "observations visées", "observations meant", many=True),
    _p("splitAt", _R.INSTANT, "coupé à", "split at", unit="instant"),
    _p("scope", _R.TEXT, "portée", "scope"),
    _p("undoUntil", _R.INSTANT, "annulable jusqu'au", "undo possible until", unit="instant"),
    _p("undoes", _R.IRI, "annule", "undoes"),
    _p("deposited", _R.JSON, "enregistrement déposé", "record as deposited"),
    # usage proofs
    _p("metric", _R.TEXT, "mesure", "metric", _PROOF),
    _p("rule", _R.IRI, "règle", "rule", _PROOF),
    _p("ruleVersion", _R.TEXT, "version de la règle", "version of the rule", _PROOF),
    _p("days", _R.INTEGER, "jours", "days", _PROOF, unit="d"),
    _p("daysByMode", _R.IRI, "jours par mode", "days by mode", _PROOF, many=True),
    _p(
        "daysByEvidence",
        _R.IRI,
        "jours par classe de preuve",
        "days by evidence class",
        _PROOF,
        many=True,
    ),
    _p("weakestEvidence", _R.CONCEPT, "preuve la plus faible", "weakest evidence", _PROOF),
    _p("assuranceMethod", _R.TEXT, "méthode d'assurance", "assurance method", _PROOF),
    _p("evidenceRoot", _R.TEXT, "racine des preuves", "evidence root", _PROOF),
    _p("treeSize", _R.INTEGER, "nombre de feuilles", "tree size", _PROOF),
    _p("attesterSoftware", _R.TEXT, "logiciel de l'attestant", "software of the attester", _PROOF),
    _p("trips", _R.INTEGER, "trajets", "trips", _PROOF),
    _p("atLeast", _R.INTEGER, "au moins", "at least", _PROOF, unit="m, d, g or 1, by metric"),
    _p("below", _R.INTEGER, "moins de", "below", _PROOF, unit="m, d, g or 1, by metric"),
    _p("month", _R.TEXT, "mois", "month", _PROOF),
    _p(
        "distanceAtLeast",
        _R.INTEGER,
        "distance d'au moins",
        "distance of at least",
        _PROOF,
        unit="m",
    ),
    _p("co2e", _R.INTEGER, "émissions", "emissions", "ADEME, Base Empreinte", unit="g"),
    _p(
        "co2eAlone",
        _R.INTEGER,
        "émissions seul en voiture",
        "emissions alone in a car",
        "ADEME, Base Empreinte",
        unit="g",
    ),
    _p("co2Factor", _R.TEXT, "facteur d'émission", "emission factor", "ADEME, Base Empreinte"),
    # other certified facts
    _p("commune", _R.TEXT, "commune (code)", "commune (code)", "INSEE COG"),
    _p("since", _R.DATE, "depuis le", "since", _PROOF, unit="d"),
    _p("licenceNumber", _R.TEXT, "numéro du permis", "licence number", _LICENCE),
    _p("categories", _R.IRI, "catégories", "categories", _LICENCE, many=True),
    _p("category", _R.TEXT, "catégorie", "category", _LICENCE),
    _p("institution", _R.TEXT, "établissement", "institution", _PROOF),
    _p("studentStatus", _R.TEXT, "statut d'études", "student status", _PROOF),
    _p("grantStep", _R.TEXT, "échelon de bourse", "step of the grant", "CROUS"),
    _p("taxYear", _R.INTEGER, "année des revenus", "year of income", "DGFiP"),
    _p("scale", _R.TEXT, "barème", "scale", _PROOF),
    _p("bracket", _R.TEXT, "tranche", "bracket", _PROOF),
    _p("mandateActs", _R.IRI, "actes du mandat", "acts of the mandate", _ODRL, many=True),
    _p("derogation", _R.TEXT, "dérogation", "derogation", _CRITAIR),
    _p("zone", _R.TEXT, "zone (code du territoire)", "zone (code of the territory)", _CGCT),
    _p("zoneName", _R.TEXT, "nom de la zone", "name of the zone", _CGCT),
    _p("checkedAt", _R.INSTANT, "vérifié le", "checked at", _HUB, unit="instant"),
    _p("ageAtLeast", _R.INTEGER, "âge atteint", "age reached", _PROOF, unit="year"),
    _p("tariff", _R.IRI, "règle tarifaire", "tariff rule", _PROOF),
    _p("tariffVersion", _R.TEXT, "version du tarif", "version of the tariff", _PROOF),
    _p("tariffStatus", _R.TEXT, "tarif auquel on a droit", "tariff one is entitled to", _PROOF),
    _p("travelModes", _R.IRI, "modes aimés et refusés", "modes liked and refused", many=True),
    _p("modeChoice", _R.TEXT, "mode aimé ou refusé", "mode liked or refused"),
    _p("wheelchair", _R.TEXT, "en fauteuil roulant", "in a wheelchair", "GTFS, GBFS"),
    _p("longestWalk", _R.INTEGER, "marche la plus longue", "longest walk", unit="s"),
    _p("longestRide", _R.INTEGER, "plus long trajet à vélo", "longest ride", unit="s"),
    _p("homeCommune", _R.TEXT, "commune du domicile", "commune of home", "INSEE COG"),
    _p("workCommune", _R.TEXT, "commune du travail", "commune of work", "INSEE COG"),
    _p("passes", _R.IRI, "abonnements", "passes", many=True),
    _p("facts", _R.IRI, "faits", "facts", _EXTENSIONS, many=True),
    # affiliation, identity, nullifiers
    _p("employerName", _R.TEXT, "employeur", "employer", _PROOF),
    _p("employerId", _R.TEXT, "SIRET de l'employeur", "SIRET of the employer", "INSEE"),
    _p("employeeNumber", _R.TEXT, "matricule", "employee number", _PROOF),
    _p("status", _R.TEXT, "statut", "status", _PROOF),
    _p("nullifiers", _R.IRI, "contrôles anti-doublon", "nullifiers", _HUB, many=True),
    _p("family", _R.TEXT, "règle de non-cumul", "family", _HUB),
    _p("version", _R.TEXT, "version", "version", _HUB),
    _p("givenName", _R.TEXT, "prénoms", "given names", _PIVOT),
    _p("familyName", _R.TEXT, "nom de naissance", "family name", _PIVOT),
    _p("birthDate", _R.DATE, "date de naissance", "date of birth", _PIVOT, unit="d"),
    _p("birthPlace", _R.TEXT, "lieu de naissance", "place of birth", _PIVOT),
    _p("birthCountry", _R.TEXT, "pays de naissance", "country of birth", _PIVOT),
    _p("gender", _R.TEXT, "sexe", "gender", _PIVOT),
    # carpool
    _p("journey", _R.IRI, "covoiturage", "journey", _RPC),
    _p("rental", _R.IRI, "location", "rental", _PROOF),
    _p("originCommune", _R.TEXT, "commune de départ", "commune of origin", "INSEE COG"),
    _p("destinationCommune", _R.TEXT, "commune d'arrivée", "commune of destination", "INSEE COG"),
    _p("registerClass", _R.TEXT, "classe au registre", "class in the register", _RPC),
    _p("registerStatus", _R.TEXT, "état au registre", "status in the register", _RPC),
)


def _concepts() -> tuple[Term, ...]:
    modes = [
        Term(
            mode.value,
            mode.iri,
            None,
            facts.labels["fr"],
            facts.labels["en"],
            "1",
            "mode table of the mobility vault",
            match=facts.close_match,
        )
        for mode, facts in MODES.items()
    ]
    classes = [
        Term(
            evidence.value,
            f"{VOCAB}evidence-{evidence.value}",
            None,
            labels["fr"],
            labels["en"],
            "1",
            _DESIGN,
        )
        for evidence, labels in EVIDENCE_LABELS.items()
    ]
    return (*modes, *classes)


CONCEPTS: Final[tuple[Term, ...]] = _concepts()
TERMS: Final = {term.name: term for term in (*CLASSES, *PROPERTIES, *CONCEPTS)}
if len(TERMS) != len(CLASSES) + len(PROPERTIES) + len(CONCEPTS):  # pragma: no cover
    raise AssertionError("a term is defined twice")

__all__ = [
    "CLASSES",
    "CONCEPTS",
    "CONTEXT_IRI",
    "PROPERTIES",
    "SCHEMA",
    "TERMS",
    "XSD",
    "Range",
    "Term",
]
