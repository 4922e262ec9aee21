"""Parcel receipts: read, and checked where a shop signed them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from federation.jose import JwsError, JwsMalformedError, verify_jws
from federation.keys import PublicKey
from portal.extensions.delivery.addresses import NAME, PARCEL, VERSION
from schemas.errors import InvalidInput, JsonRefusedError, MobilityError
from schemas.ids import mint_iri
from schemas.jsonld import parse_json
from schemas.records import ExtensionRecord

RECEIPT_TYP: Final = "parcel-receipt+jwt"
MAX_RECEIPT: Final = 20_000
"""Characters, signed or not."""


class ReceiptError(MobilityError, InvalidInput):
    """Not a parcel receipt, or a signature that is not its shop's; `reason` is stable:
    `receipt-malformed`, `receipt-signature`."""

    code: ClassVar[str] = "receipt-invalid"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def read_receipt(
    given: str, key_of: Callable[[str], PublicKey], *, at: datetime
) -> ExtensionRecord:
    """The record of a receipt: a JWS of `RECEIPT_TYP` whose key `key_of` gives (a member of the
    trust registry), or the same parcel as plain JSON, which nobody vouches for.

    Steps: (1) its bounds; (2) signed: by a key of who it says it is from; (3) what it says is a
    parcel. What a plain one claims of a signature is left out.

    Raises:
        ReceiptError: step 1 or 2. RecordError: step 3. Whatever `key_of` raises.
    """
    text = given.strip()
    if not 0 < len(text) <= MAX_RECEIPT:  # 1
        raise ReceiptError("receipt-malformed")
    if text.startswith("{"):
        try:
            parcel: Any = parse_json(text.encode(), max_bytes=4 * MAX_RECEIPT)
        except JsonRefusedError:
            raise ReceiptError("receipt-malformed") from None
        signed: dict[str, str] = {}
    else:
        parcel, issuer = _verified(text, key_of)  # 2
        signed = {"issuer": issuer, "receipt": text}
    if not isinstance(parcel, Mapping):
        raise ReceiptError("receipt-malformed")
    body = {k: v for k, v in parcel.items() if k not in ("issuer", "receipt")} | signed
    return _record(body, at)  # 3


def _verified(text: str, key_of: Callable[[str], PublicKey]) -> tuple[Any, str]:
    method: list[str] = []

    def key(header: Mapping[str, Any]) -> PublicKey:
        method.append(str(header.get("kid", "")))
        return key_of(method[0])

    try:
        claims = verify_jws(text, key, typ=RECEIPT_TYP, max_chars=MAX_RECEIPT).claims
    except JwsMalformedError:
        raise ReceiptError("receipt-malformed") from None
    except JwsError:
        raise ReceiptError("receipt-signature") from None
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or method[0].partition("#")[0] != issuer:
        raise ReceiptError("receipt-signature")
    return claims.get("parcel"), issuer


def _record(body: Mapping[str, Any], at: datetime) -> ExtensionRecord:
    try:
        dated = datetime.fromisoformat(str(body.get("deliveredAt", "")))
        dated = dated if dated.tzinfo is not None and dated <= at else at
    except ValueError:
        dated = at  # the schema refuses it
    merchant, order = str(body.get("merchant", "?"))[:120], str(body.get("order", "?"))[:60]
    return ExtensionRecord(
        id=mint_iri(),
        extension=NAME,
        version=VERSION,
        type=PARCEL,
        title=f"{merchant} · {order}",
        summary=str(body.get("contents", ""))[:200],
        dated=dated,
        body=body,
    )


__all__ = ["MAX_RECEIPT", "RECEIPT_TYP", "ReceiptError", "read_receipt"]
