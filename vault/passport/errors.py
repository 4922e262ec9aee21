"""What the passport refuses.

VaultError
├── ScopeInvalidError (InvalidInput)          scope-invalid: a fault of the program
├── ScopeUnknownError (InvalidInput)          scope-unknown
├── ServiceInvalidError (InvalidInput)        service-invalid
├── ServiceUnknownError (NotFound)            service-unknown
├── ServiceNotAccreditedError (Refused)       service-not-accredited
├── ConnectionUnknownError (NotFound)         connection-unknown
├── AccessRefusedError (Refused)              access-refused
└── PassportRequestError (InvalidInput)       passport-request
"""

from schemas.errors import InvalidInput, NotFound, Refused
from vault.errors import VaultError

__all__ = [
    "AccessRefusedError",
    "ConnectionUnknownError",
    "PassportRequestError",
    "ScopeInvalidError",
    "ScopeUnknownError",
    "ServiceInvalidError",
    "ServiceNotAccreditedError",
    "ServiceUnknownError",
]


class ScopeInvalidError(VaultError, InvalidInput):
    """A scope of the program contradicts itself or another one."""

    code = "scope-invalid"

    def __init__(self, scope: str, reason: str) -> None:
        self.scope, self.reason = scope, reason
        super().__init__(f"{scope}: {reason}")


class ScopeUnknownError(VaultError, InvalidInput):
    """A request names a scope that this home does not know."""

    code = "scope-unknown"


class AuthorizationDetailsError(VaultError, InvalidInput):
    """`authorization_details` that this passport does not take."""

    code = "authorization-details"


class ServiceInvalidError(VaultError, InvalidInput):
    """The description of a service cannot be registered; `where` names the member."""

    code = "service-invalid"

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(f"{where}: {reason}")


class ServiceUnknownError(VaultError, NotFound):
    """No service of this name is registered here."""

    code = "service-unknown"


class ServiceNotAccreditedError(VaultError, Refused):
    """The service registered itself as a member of the trust registry, and is none any more."""

    code = "service-not-accredited"


class ConnectionUnknownError(VaultError, NotFound):
    """This vault is connected to no such service."""

    code = "connection-unknown"


class AccessRefusedError(VaultError, Refused):
    """An access token that is none of ours, ended, or shown without the key it is bound to.
    `error` is the name of RFC 6750 §3.1 or RFC 9449 §7."""

    code = "access-refused"

    def __init__(self, error: str, reason: str) -> None:
        self.error, self.reason = error, reason
        super().__init__(reason)


class PassportRequestError(VaultError, InvalidInput):
    """What a service asks is not a request. With `redirect` the browser goes back to the service
    with the error; without, nothing proves that the address is the service's, and it stays here."""

    code = "passport-request"

    def __init__(self, error: str, reason: str, *, redirect: str | None = None) -> None:
        self.error, self.reason, self.redirect = error, reason, redirect
        super().__init__(f"{error}: {reason}")
