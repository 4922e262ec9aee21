"""A second extension, as another package would bring it: places for bicycles in a shelter."""

from collections.abc import Sequence

from schemas.extensions import Extension, Fact, RecordType
from schemas.records import ExtensionRecord

NAME = "velo-parking"
NAMESPACE = "https://stationnement.example/vocab#"


def state(records: Sequence[ExtensionRecord], asked: frozenset[str]) -> dict[str, str]:
    if not records:
        return {}
    told = {"shelter": records[-1].body["shelter"], "until": records[-1].body["until"]}
    return {name: value for name, value in told.items() if name in asked}


extension = Extension(
    name=NAME,
    version=1,
    title={"fr": "Stationnement vélo", "en": "Bicycle parking"},
    summary={"fr": "Vos places en abri.", "en": "Your places in shelters."},
    namespace=NAMESPACE,
    licence="CC0-1.0",
    context={"@context": {"@vocab": NAMESPACE}},
    vocabulary=f"<{NAMESPACE}Place> a <http://www.w3.org/2000/01/rdf-schema#Class> .\n",
    shapes="",
    records=(
        RecordType(
            "Place",
            {"fr": "Place en abri", "en": "Place in a shelter"},
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["shelter", "until"],
                "properties": {
                    "shelter": {"type": "string", "minLength": 1, "maxLength": 80},
                    "until": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
                },
            },
        ),
    ),
    facts=(
        Fact("shelter", {"fr": "Abri", "en": "Shelter"}),
        Fact("until", {"fr": "Valable jusqu'au", "en": "Valid until"}),
    ),
    state=state,
    lacking={"fr": "il manque une place en abri", "en": "a place in a shelter is missing"},
    lacking_action={"fr": "Ajouter une place", "en": "Add a place"},
    home="/coffre/stationnement",
    profiles=(
        {
            "$schema": "../profile.schema.json",
            "id": "abri-velo",
            "version": 1,
            "scope": "abri-velo",
            "title": {"fr": "Abri vélo", "en": "Bicycle shelter"},
            "purpose": {"fr": "Ouvrir l'abri.", "en": "Open the shelter."},
            "retention": {"fr": "le temps d'ouvrir", "en": "as long as it takes to open"},
            "parameters": [],
            "query": {
                "credentials": [
                    {
                        "id": "place",
                        "format": "ldp_vc",
                        "meta": {
                            "type_values": [
                                [
                                    "https://www.w3.org/2018/credentials#VerifiableCredential",
                                    "https://w3id.org/mobility-vault/vocab#ExtensionStatement",
                                ]
                            ]
                        },
                        "claims": [
                            {
                                "id": "extension",
                                "path": ["credentialSubject", "extension"],
                                "values": [NAME],
                            },
                            {
                                "id": "facts",
                                "path": ["credentialSubject", "facts", None, "name"],
                                "values": ["until"],
                            },
                        ],
                    }
                ]
            },
            "why": {"place": {"fr": "Jusqu'à quand vous avez une place.", "en": "Until when."}},
            "stays": [{"fr": "Dans quel abri", "en": "In which shelter"}],
            "example": {
                "parameters": {},
                "answer": {
                    "place": {
                        "extension": NAME,
                        "facts": [{"name": "until", "value": "2027-06-30"}],
                    }
                },
            },
        },
    ),
    claims={"abri-velo": "bicycle_parking"},
    templates="velo_parking",
    english={"Mes places en abri": "My places in shelters", "Abri": "Shelter"},
    pages="velo_parking.pages:pages",
)
