"""Claims of the French mobility account standard (« Comptes Mobilités Standardisés », CMS), from
what the vault holds.

Every field is `{"value", "source", "certificationDate"}` as the standard asks, and nothing else:
its schemas forbid more. How strongly a field is certified stands beside it, in a claim of its own
whose name ends in `Degree`: `signed` by the source, `relayed` by whoever read it there, `claimed`.
A field that nobody certified has no `certificationDate`. The standard's own contradictions are
resolved by `schemas/cms/mobility-account.schema.json`, which says how.
Scopes: `urn:cms:<object>:read`; claims: the object's name in camel case.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from schemas.extensions import installed
from vault.extensions import extension_records
from vault.passport.identity import identity_of
from vault.passport.scopes import Scope
from vault.passport.stated import Stated, attributes, documents, strongest
from vault.preferences import preferences

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["CMS", "DEGREE"]

DEGREE: Final = "Degree"
_SEX: Final[Mapping[str, int]] = {"male": 1, "female": 2}
"""ISO/IEC 5218; what is not said is 0, what has no place in it 9."""
_FRANCE: Final = "99100"
"""Code of France among the countries of the INSEE."""
_LINE: Final = 38
"""Characters of an address line (AFNOR NF Z10-011)."""
_TRANSPORT: Final[Mapping[str, str]] = {
    "walk": "pedestrian",
    "bicycle": "bicycle",
    "ebike": "bicycle",
    "bikeshare": "bicycle",
    "escooter": "scooter",
    "bus": "bus",
    "tram": "tram",
    "metro": "metro",
    "train": "train",
    "car": "car",
    "carpool": "car",
    "carshare": "carshare",
    "taxi": "taxi",
    "moped": "moped",
    "motorcycle": "motorcycle",
    "ferry": "water",
    "plane": "air",
}
"""Our modes in the standard's words (those of NeTEx); what has none there is left out."""

Fields = dict[str, tuple[Stated, str]]
"""Field → what is stated, and the member that holds its value."""


def _claim(name: str, fields: Fields, **more: Any) -> dict[str, Any]:
    """One object of the standard, and beside it how strongly each field is certified."""
    if not fields and not more:
        return {}
    said, degrees = {}, {}
    for field, (stated, member) in fields.items():
        whole = stated.claim(member)
        degrees[field] = {key: whole.pop(key) for key in ("degree", "level") if key in whole}
        said[field] = whole
    return {name: {**said, **more}, **({name + DEGREE: degrees} if degrees else {})}


# --- identity ------------------------------------------------------------------------------------


def _identity(vault: "OpenVault", at: datetime) -> dict[str, Any]:
    found = identity_of(vault, at)
    fields: Fields = {}
    given = found.get("given_name")
    if given is not None:
        first, _, others = str(given.value).strip().partition(" ")
        fields["firstName"] = given.of(first), "value"
        if others.strip():
            fields["middleNames"] = given.of(others.strip()), "value"
    if "family_name" in found:
        fields["lastName"] = found["family_name"], "value"
    if "gender" in found:
        stated = found["gender"]
        fields["gender"] = stated.of(_SEX.get(str(stated.value).lower(), 9)), "value"
    birth = found.get("birthdate")
    if birth is not None and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(birth.value)):
        fields["birthDate"] = birth, "value"
    place = found.get("birthplace")
    if place is not None:
        is_code = re.fullmatch(r"[0-9][0-9AB][0-9]{3}", str(place.value)) is not None
        fields["birthPlace"] = place, "inseeValue" if is_code else "name"
    country = found.get("birthcountry")
    if country is not None:
        fields["birthCountry"] = (
            (country.of("FRA"), "isoValue")
            if country.value == _FRANCE
            else (country.of(f"INSEE {country.value}"), "name")
        )
    return _claim("identity", fields)


# --- personal information ------------------------------------------------------------------------


def _personal(vault: "OpenVault", at: datetime) -> dict[str, Any]:
    known, fields = attributes(vault), cast(Fields, {})
    mail = known.get("contact.email")
    if mail is not None and re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,190}", str(mail.value)):
        fields["email"] = mail, "value"
    phone = known.get("contact.phone")
    if phone is not None and re.fullmatch(r"\+?[1-9][0-9]{1,14}", str(phone.value)):
        fields["primaryPhoneNumber"] = phone, "value"
    address = _address(vault, known, at)
    if address is not None:
        fields["primaryPostalAddress"] = address, "value"
    return _claim("personalInformation", fields)


def _address(vault: "OpenVault", known: Mapping[str, Stated], at: datetime) -> Stated | None:
    """The most believable postal address, in the lines of NF Z10-011."""
    names = identity_of(vault, at)
    who = " ".join(
        str(names[claim].value) for claim in ("given_name", "family_name") if claim in names
    )
    found = [
        stated.of(
            _lines(
                who,
                str(stated.value.get("street", "")),
                f"{stated.value.get('postalCode', '')} {stated.value.get('locality', '')}",
            )
        )
        for _, stated in documents(vault, "AddressCredential", at=at)
    ]
    street = known.get("residence.address")
    if street is not None:
        town = [known[n] for n in ("residence.postcode", "residence.town") if n in known]
        # One address, so no stronger than the weakest of what it is made of.
        weakest = min((street, *town), key=Stated.rank)
        line = " ".join(str(part.value) for part in town)
        found.append(weakest.of(_lines(who, str(street.value), line)))
    return strongest(found)


def _lines(who: str, street: str, town: str) -> dict[str, str]:
    """Line 1 the addressee, 4 the street, 6 postal code and town, in capitals; a line too long goes
    on in the next free one."""
    parts = _wrapped(street)
    lines = {
        "line1": (who or street)[:_LINE],
        "line3": parts[0] if len(parts) > 1 else "",
        "line4": " ".join(parts[1:])[:_LINE] if len(parts) > 1 else (parts or [""])[0],
        "line6": town.strip().upper()[:_LINE],
    }
    return {name: text for name, text in lines.items() if text}


def _wrapped(text: str) -> list[str]:
    """Text in lines of 38 characters, cut between words."""
    lines: list[str] = []
    for word in text.replace(",", " ").split():
        if lines and len(lines[-1]) + 1 + len(word) <= _LINE:
            lines[-1] += f" {word}"
        else:
            lines.append(word[:_LINE])
    return lines


# --- documents -----------------------------------------------------------------------------------


def _licence(vault: "OpenVault", at: datetime) -> dict[str, Any]:
    for _, stated in documents(vault, "DrivingLicenceCredential", at=at):
        fields: Fields = {}
        subject = stated.value
        if subject.get("licenceNumber"):
            fields["number"] = stated.of(str(subject["licenceNumber"])), "value"
        categories = [c for c in subject.get("categories", ()) if isinstance(c, Mapping)]
        ends = [str(c["lastDay"]) for c in categories if c.get("lastDay")]
        if ends:
            fields["dateOfValidity"] = stated.of(max(ends)), "value"
        return _claim("drivingLicence", fields)
    return _claim(
        "drivingLicence",
        _stated(vault, {"number": "licence.number", "dateOfValidity": "licence.until"}),
    )


def _student(vault: "OpenVault", at: datetime) -> dict[str, Any]:
    for _, stated in documents(vault, "StudentCredential", at=at):
        subject, fields = stated.value, cast(Fields, {})
        fields["student"] = stated.of(True), "value"
        for field, member in (
            ("studentStartDate", "periodFrom"),
            ("studentEndDate", "periodUntil"),
        ):
            if subject.get(member):
                fields[field] = stated.of(str(subject[member])), "value"
        if "grantStep" in subject:
            fields["scholarship"] = stated.of(True), "value"
        return _claim("frMesriInformation", fields)
    return _claim(
        "frMesriInformation",
        _stated(
            vault,
            {
                "student": "student.enrolled",
                "studentStartDate": "student.from",
                "studentEndDate": "student.until",
                "scholarship": "student.scholarship",
            },
        ),
    )


def _stated(vault: "OpenVault", names: Mapping[str, str]) -> Fields:
    """Fields from attributes of these names: what a login or another account brought."""
    known = attributes(vault)
    return {field: (known[name], "value") for field, name in names.items() if name in known}


def _tax(vault: "OpenVault", _at: datetime) -> dict[str, Any]:
    known = attributes(vault)
    notice: dict[str, Any] = {}
    degrees: dict[str, Any] = {}
    for field, name in (
        ("declarationYear", "tax.income_year"),
        ("numberOfShares", "tax.parts"),
        ("referenceTaxIncome", "tax.reference_income"),
    ):
        stated = known.get(name)
        if stated is None:
            continue
        if field == "declarationYear" and isinstance(stated.value, int):
            stated = stated.of(stated.value + 1)  # of the income's year, declared the next
        whole = stated.claim()
        degrees[field] = {key: whole.pop(key) for key in ("degree", "level") if key in whole}
        notice[field] = whole
    if not notice:
        return {}
    name = "frDgfipInformation"
    return {name: {"taxNotices": [notice]}, name + DEGREE: degrees}


# --- favourites ----------------------------------------------------------------------------------


def _favourites(vault: "OpenVault", _at: datetime) -> dict[str, Any]:
    addresses = [
        {
            "name": found.name,
            "value": {
                "value": _lines(found.addressee, found.street, found.town),
                "source": "vault",
            },
        }
        for extension in installed().values()
        for found in extension.addresses(extension_records(vault, extension.name))
    ]
    chosen = preferences(vault, "travel.liked-mode")
    liked = [mode for p in chosen.values() for mode in str(p.value).split()]
    modes = [_TRANSPORT[mode] for mode in liked if mode in _TRANSPORT]
    found = {
        **({"addresses": addresses} if addresses else {}),
        **({"transportationModes": sorted(set(modes))} if modes else {}),
    }
    return {"favorites": found} if found else {}


def _scope(  # noqa: PLR0917 - what follows the names is text
    part: str,
    claim: str,
    read: Callable[["OpenVault", datetime], Mapping[str, Any]],
    title: tuple[str, str],
    consent: tuple[str, str],
    labels: Mapping[str, tuple[str, str]],
    *,
    certified: bool = True,
) -> Scope:
    return Scope(
        name=f"urn:cms:{part}:read",
        claims=(claim, claim + DEGREE) if certified else (claim,),
        title={"fr": title[0], "en": title[1]},
        consent={"fr": consent[0], "en": consent[1]},
        labels={name: {"fr": fr, "en": en} for name, (fr, en) in labels.items()},
        read=read,
    )


CMS: Final = (
    _scope(
        "identity",
        "identity",
        _identity,
        ("Identité (compte mobilité)", "Identity (mobility account)"),
        (
            "vos nom, prénoms, sexe, date, lieu et pays de naissance, et qui les certifie",
            "your names, sex, date, place and country of birth, and who certifies them",
        ),
        {
            "lastName": ("Nom de naissance", "Birth name"),
            "firstName": ("Prénom", "First name"),
            "middleNames": ("Autres prénoms", "Middle names"),
            "gender": ("Sexe", "Sex"),
            "gender.0": ("non dit", "not said"),
            "gender.1": ("masculin", "male"),
            "gender.2": ("féminin", "female"),
            "gender.9": ("sans objet", "not applicable"),
            "birthDate": ("Date de naissance", "Date of birth"),
            "birthPlace": ("Lieu de naissance", "Place of birth"),
            "birthCountry": ("Pays de naissance", "Country of birth"),
        },
    ),
    _scope(
        "personal-information",
        "personalInformation",
        _personal,
        ("Coordonnées", "Contact details"),
        (
            "votre adresse électronique, votre téléphone et votre adresse postale",
            "your e-mail address, your telephone and your postal address",
        ),
        {
            "email": ("Adresse électronique", "E-mail address"),
            "primaryPhoneNumber": ("Téléphone", "Telephone"),
            "primaryPostalAddress": ("Adresse postale", "Postal address"),
        },
    ),
    _scope(
        "driving-licence",
        "drivingLicence",
        _licence,
        ("Permis de conduire", "Driving licence"),
        (
            "le numéro de votre permis de conduire et sa fin de validité",
            "the number of your driving licence and when it ends",
        ),
        {
            "number": ("Numéro", "Number"),
            "dateOfValidity": ("Valable jusqu'au", "Valid until"),
        },
    ),
    _scope(
        "favorites",
        "favorites",
        _favourites,
        ("Habitudes de voyage", "Travel habits"),
        (
            "vos adresses favorites et votre façon préférée de voyager",
            "your favourite addresses and how you like to travel",
        ),
        {
            "addresses": ("Adresses", "Addresses"),
            "transportationModes": ("Modes préférés", "Preferred modes"),
        },
        certified=False,
    ),
    _scope(
        "fr-dgfip-information",
        "frDgfipInformation",
        _tax,
        ("Avis d'impôt", "Tax notice"),
        (
            "votre revenu fiscal de référence, vos parts et l'année de déclaration, en clair",
            "your reference tax income, shares and year of declaration, as figures",
        ),
        {
            "taxNotices": ("Avis d'impôt", "Tax notice"),
            "declarationYear": ("Année de déclaration", "Year of declaration"),
            "numberOfShares": ("Parts", "Shares"),
            "referenceTaxIncome": ("Revenu fiscal de référence", "Reference tax income"),
        },
    ),
    _scope(
        "fr-mesri-information",
        "frMesriInformation",
        _student,
        ("Statut étudiant", "Student status"),
        (
            "que vous êtes étudiant·e, jusqu'à quand, et si vous êtes boursier·ère",
            "that you are a student, until when, and whether you hold a scholarship",
        ),
        {
            "student": ("Étudiant·e", "Student"),
            "studentStartDate": ("Depuis le", "Since"),
            "studentEndDate": ("Jusqu'au", "Until"),
            "scholarship": ("Boursier·ère", "Scholarship"),
        },
    ),
)
"""The objects of the standard that a vault holds; emergency contacts and CAF are not kept here."""
