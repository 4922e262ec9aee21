"""National schemes whose application is made elsewhere: declarations in `rules/schemes.json`.

Employers of the private sector, State, France Travail, energy suppliers. No figure could be read
again on the text in force when they were written: none carries a verification date, so every page
shows « à vérifier ». A closed scheme stays, with its dates.
"""

from datetime import date
from functools import cache
from typing import Any

from federation.aids.errors import RuleImportError
from federation.aids.model import Aid, aid_from_json
from federation.aids.national import NATIONAL_MODEL, national_rules
from federation.aids.shipped import shipped
from schemas.ids import Did

__all__ = ["national_schemes"]


@cache
def _document() -> dict[str, Any]:
    return shipped("rules/schemes.json")


def national_schemes(publisher: Did, *, at: date) -> tuple[Aid, ...]:
    """Every scheme of the file, in its order; `publisher` is the hub.

    Raises:
        RuleImportError: a declaration that is not whole, with its place.
    """
    document = _document()
    meta, (version, _) = document["_meta"], national_rules()
    return tuple(_aid(scheme, meta, version, publisher, at) for scheme in document["schemes"])


def _aid(
    scheme: dict[str, Any], meta: dict[str, Any], version: str, publisher: Did, at: date
) -> Aid:
    ends_on = scheme.get("endsOn")
    status = scheme["status"]
    if ends_on is not None and date.fromisoformat(ends_on) < at:
        status = "expired"
    try:
        return aid_from_json(
            {
                "id": f"{publisher}#aide-{scheme['slug']}",
                "slug": scheme["slug"],
                "version": meta["version"],
                "status": status,
                "titles": scheme["titles"],
                "summaries": scheme["summaries"],
                "funder": publisher,
                "funderName": scheme["funder"],
                "funderLevel": scheme["level"],
                "territories": [],
                "themes": scheme["themes"],
                "rule": {"model": NATIONAL_MODEL, "rule": scheme["rule"], "version": version},
                "proof": None,
                "credentialsRequired": [],
                "bindings": scheme["bindings"],
                "family": "",
                "familyVersion": 1,
                "familyIssuer": None,
                "identityLevel": "declared",
                "stacking": scheme["stacking"],
                "remedies": {"fr": "", "en": ""},
                "decisionTimeDays": 0,
                "silenceMeans": {"fr": "", "en": ""},
                "legalBasis": scheme["legalBasis"],
                "parameters": [{**p, "verifiedOn": None} for p in scheme["parameters"]],
                "examples": scheme["examples"],
                "source": meta["source"],
                "sourceLicence": meta["licence"],
                "lastVerified": None,
                "nextReview": None,
                "checkMode": "link-out",
                "link": scheme["link"],
                "endsOn": ends_on,
                "pieces": scheme["pieces"],
                "notProven": scheme["notProven"],
            }
        )
    except KeyError as error:
        raise RuleImportError(f"scheme {scheme.get('slug', '?')}", f"no {error}") from error
