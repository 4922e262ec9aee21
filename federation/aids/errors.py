"""Errors of the aid catalogue and its rule language. Not eligible is an answer, not an error."""

from federation.errors import FederationError
from schemas.errors import InvalidInput, NotFound, Refused

__all__ = [
    "AidError",
    "CatalogueRefusedError",
    "DeclarationRefusedError",
    "InfrastructureFileError",
    "RuleBudgetError",
    "RuleEvaluationError",
    "RuleImportError",
    "TransitionRefusedError",
    "UnknownAidError",
    "UnknownTerritoryError",
    "VehicleRefusedError",
    "ZoneFileError",
]


class AidError(FederationError):
    """Root of the errors raised under `federation/aids/`."""

    code = "aid"


class RuleImportError(AidError, InvalidInput):
    """A rule is not in the documented subset, or hostile. `where` names the place."""

    code = "rule-import"

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(f"{where}: {reason}")


class RuleEvaluationError(AidError, Refused):
    """A rule cannot be computed: wrong type for an operation, incompatible units, division by 0."""

    code = "rule-evaluation"

    def __init__(self, rule: str, reason: str) -> None:
        self.rule = rule
        self.reason = reason
        super().__init__(f"{rule}: {reason}")


class RuleBudgetError(RuleEvaluationError):
    """One evaluation used more than its allowed steps."""

    code = "rule-budget"


class CatalogueRefusedError(AidError, Refused):
    """A catalogue's signature, version or shape is not acceptable."""

    code = "catalogue-refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"catalogue refused: {reason}")


class UnknownAidError(AidError, NotFound):
    """No published aid has this identifier."""

    code = "unknown-aid"

    def __init__(self, aid: str) -> None:
        self.aid = aid
        super().__init__("no published aid has this identifier")


class UnknownTerritoryError(AidError, NotFound):
    """No territory has this level and code."""

    code = "unknown-territory"

    def __init__(self, level: str, place: str) -> None:
        self.level = level
        self.place = place
        super().__init__("no territory has this level and code")


class InfrastructureFileError(AidError, InvalidInput):
    """A file of what is built is not one of its national schema, or beyond the bounds; `where` is
    the line, the feature, or what was said of the file."""

    code = "infrastructure-file"

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(f"{where}: {reason}")


class DeclarationRefusedError(AidError, InvalidInput):
    """An answer that was asked is missing or none, or was not asked; `where` is its rule name."""

    code = "declaration-refused"

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__("an answer is missing, is none, or was not asked")


class TransitionRefusedError(AidError, Refused):
    """An aid cannot go from one state to another; the states between say what is missing."""

    code = "aid-transition"

    def __init__(self, aid: str, before: str, after: str, reason: str = "no such step") -> None:
        self.aid, self.before, self.after, self.reason = aid, before, after, reason
        super().__init__(f"aid {aid}: {before} → {after}: {reason}")


class VehicleRefusedError(AidError, InvalidInput):
    """What is said of a vehicle cannot be; `where` names the fact."""

    code = "vehicle-refused"

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        super().__init__(reason)


class ZoneFileError(AidError, InvalidInput):
    """A file of low-emission zones is not one of the national schema; `where` names the feature."""

    code = "zone-file"

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        super().__init__(f"{where}: {reason}")
