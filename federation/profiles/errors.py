"""What goes wrong with a service profile.

MobilityError
├── ProfileError (InvalidInput)            no such profile, or parameters it does not take
├── ProfileRefusedError (Refused)          a request names a profile and asks something else
├── ServiceRefusedError (Refused)          a service's announcement is not acceptable
└── TariffError (InvalidInput)             not a tariff rule, or one that cannot be computed
"""

from typing import ClassVar

from schemas.errors import InvalidInput, MobilityError, Refused

__all__ = ["ProfileError", "ProfileRefusedError", "ServiceRefusedError", "TariffError"]


class ProfileError(MobilityError, InvalidInput):
    """No such profile, or parameters it does not take; `where` names the member."""

    code: ClassVar[str] = "profile-invalid"

    def __init__(self, detail: str, *, where: str = "") -> None:
        self.where = where
        super().__init__(f"{where or 'profile'}: {detail}")


class ProfileRefusedError(MobilityError, Refused):
    """A signed request names a profile and asks for something else than the profile does."""

    code: ClassVar[str] = "profile-mismatch"


class ServiceRefusedError(MobilityError, Refused):
    """The announcement of a service is not acceptable; `reason` is stable: `service-signature`,
    `service-issuer`, `service-address`, `service-outdated`, `service-malformed`."""

    code: ClassVar[str] = "service-refused"

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}" if detail else reason)


class TariffError(MobilityError, InvalidInput):
    """Not a tariff rule, not signed by who publishes it, or one that cannot be computed."""

    code: ClassVar[str] = "tariff-invalid"
