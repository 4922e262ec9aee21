"""A document of others as it is read: its entries, and an aid with what every import says."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from federation.aids.model import (
    Aid,
    AidStatus,
    CheckMode,
    FunderLevel,
    IdentityLevel,
    RuleRef,
)
from schemas.ids import Did, Iri

__all__ = ["READ", "Import", "Sheet", "read_rule", "slug_of"]

READ: Final = "à lire"
"""Parent of the rules whose conditions stand only in prose."""
_RULE: Final = {
    "titre": "Conditions lues chez le financeur",
    "titre en": "Conditions read at the funder's",
    "type": "booléen",
    "question": "Les conditions se lisent chez le financeur : les remplissez-vous ?",
    "question en": "The conditions are read at the funder's: do you meet them?",
}


@dataclass(frozen=True, slots=True)
class Import:
    """What one document gave. `skipped`: (identifier, reason)."""

    model: str
    version: str
    rules: Mapping[str, Any]
    aids: tuple[Aid, ...]
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    entries: list[Any]
    source: str
    licence: str
    publisher: Did
    at: date

    def aid(self, slug: str, rule: RuleRef, **members: Any) -> Aid:
        """An aid asked for elsewhere, with what every import says."""
        base = Aid(
            id=Iri(f"{self.publisher}#aide-{slug}"),
            slug=slug,
            version=rule.version,
            status=AidStatus.PUBLISHED,
            titles={},
            summaries={},
            funder=self.publisher,
            funder_name="",
            funder_level=FunderLevel.STATE,
            territories=(),
            themes=(),
            rule=rule,
            proof=None,
            credentials_required=(),
            bindings=(),
            family="",
            family_version=1,
            family_issuer=None,
            identity_level=IdentityLevel.DECLARED,
            stacking=(),
            remedies={"fr": "", "en": ""},
            decision_time_days=0,
            silence_means={"fr": "", "en": ""},
            legal_basis=(),
            parameters=(),
            examples=(),
            source=self.source,
            source_licence=self.licence,
            last_verified=None,
            next_review=None,
            check_mode=CheckMode.LINK_OUT,
        )
        made = replace(base, **members)
        if made.ends_on is not None and made.ends_on < self.at:
            made = replace(made, status=AidStatus.EXPIRED)
        return made


def slug_of(prefix: str, text: str) -> str:
    plain = unicodedata.normalize("NFD", text.lower())
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in plain)
    kept = "".join(c for c in kept if not unicodedata.combining(c))
    return f"{prefix}-{re.sub('-+', '-', kept).strip('-')[:80].strip('-')}"


def read_rule(rules: dict[str, Any], slug: str) -> str:
    """A rule that only says « à lire chez le financeur »."""
    rules.setdefault(READ, {})
    name = f"{READ} . {slug}"
    rules[name] = dict(_RULE)
    rules[f"aide . {slug}"] = name
    return f"aide . {slug}"
