"""Service profiles: what kinds of services ask of a vault, as data; and the services themselves."""

from federation.profiles.errors import (
    ProfileError,
    ProfileRefusedError,
    ServiceRefusedError,
    TariffError,
)
from federation.profiles.model import (
    PROFILES,
    Asked,
    Parameter,
    Profile,
    ProfileText,
    asked_by,
    profile_of,
)
from federation.profiles.service import Service, read_service, sign_profiles, sign_service
from federation.profiles.tariff import TariffRule, read_tariff, sign_tariff

__all__ = [
    "PROFILES",
    "Asked",
    "Parameter",
    "Profile",
    "ProfileError",
    "ProfileRefusedError",
    "ProfileText",
    "Service",
    "ServiceRefusedError",
    "TariffError",
    "TariffRule",
    "asked_by",
    "profile_of",
    "read_service",
    "read_tariff",
    "sign_profiles",
    "sign_service",
    "sign_tariff",
]
