"""A 2D-Doc as attributes: only what aids ask about, with the code itself as evidence.

Tax numbers and the reference of the notice become no attribute; they stand inside the code, which
stays in the vault. An attribute is *signed by the source*
only under a code that was verified here; else it is claimed.
"""

import re
from datetime import UTC, datetime, time
from typing import Final

from connectors.twoddoc.code import ADDRESS, Code
from connectors.twoddoc.trust import Verdict, Verified
from schemas.ids import mint_iri
from schemas.records import Attribute, Degree, Scalar

__all__ = ["SOURCE", "attributes", "names", "values"]

SOURCE: Final = "2d-doc"


def values(code: Code) -> dict[str, Scalar]:
    """What the code says, by attribute name; a field that was cut short is left out."""
    said = {name: value for name, value in code.fields.items() if value and name not in code.cut}
    if code.type in ADDRESS:
        return _address(said)
    found: dict[str, Scalar] = {}
    for name, key in (("41", "tax.reference_income"), ("45", "tax.income_year")):
        if re.fullmatch(r"-?[0-9]{1,12}", said.get(name, "")):
            found[key] = int(said[name])
    if re.fullmatch(r"[0-9]{1,2}([,.][0-9]{1,2})?", said.get("43", "")):
        found["tax.parts"] = float(said["43"].replace(",", "."))
    lines = [said[n] for n in ("6S", "6T", "6U", "6V") if n in said]
    if lines and "6W" in said and "6X" in said:
        found["residence.address"] = ", ".join(lines)
        found["residence.postcode"], found["residence.town"] = said["6W"], said["6X"]
    elif "4Y" in said:
        found["residence.address"] = ", ".join(p for p in said["4Y"].split("/") if p)
    return found


def _address(said: dict[str, str]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    lines = [said[n] for n in ("20", "21", "22", "23") if n in said]
    if lines:
        found["residence.address"] = ", ".join(lines)
    for name, key in (("24", "residence.postcode"), ("25", "residence.town")):
        if name in said:
            found[key] = said[name]
    return found


def names(code: Code) -> tuple[str, ...]:
    """Whom the document is about."""
    said = code.fields
    if code.type in ADDRESS:
        line = said.get("10", "").replace("/", " ").strip()
        return (line or f"{said.get('12', '')} {said.get('13', '')}".strip(),)
    return tuple(said[name] for name in ("46", "48") if said.get(name))


def attributes(code: Code, verified: Verified, *, at: datetime) -> tuple[Attribute, ...]:
    """The attributes to keep. A forged code gives none: the caller refuses it."""
    if verified.verdict is Verdict.FORGED:
        return ()
    is_signed = verified.verdict is Verdict.SIGNED
    certified = datetime.combine(code.signed_on, time(12), UTC) if is_signed else at
    return tuple(
        Attribute(
            id=mint_iri(),
            name=name,
            value=value,
            source=f"{SOURCE}:{verified.signer}" if is_signed else SOURCE,
            certified_at=certified,
            degree=Degree.SIGNED if is_signed else Degree.CLAIMED,
            extra={
                "twoDDoc": code.text,
                "documentType": code.type,
                "signedBy": f"{code.authority}/{code.certificate}",
                "about": list(names(code)),
            },
        )
        for name, value in values(code).items()
    )
