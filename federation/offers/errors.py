"""What goes wrong with an offer.

MobilityError
└── OfferRefusedError (Refused)   an operator's card, or what is done with it, is not acceptable
"""

from typing import ClassVar

from schemas.errors import MobilityError, Refused

__all__ = ["OfferRefusedError"]


class OfferRefusedError(MobilityError, Refused):
    """A card is not acceptable; `reason` is stable: `offer-malformed` (`where` names the member),
    `offer-signature`, `offer-issuer`, `offer-outdated`, `offer-quota`, `offer-transition`."""

    code: ClassVar[str] = "offer-refused"

    def __init__(self, reason: str, where: str = "") -> None:
        self.reason = reason
        self.where = where
        super().__init__(f"{reason}: {where}" if where else reason)

    def problem_extensions(self) -> dict[str, str]:
        """Members of the problem document."""
        return {"reason": self.reason, **({"where": self.where} if self.where else {})}
