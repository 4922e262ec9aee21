"""A fictitious employer that signs affiliations: OpenID4VCI 1.0, pre-authorised code flow, one
credential type.

The credential is bound to the holder's key (P-256 proof of possession) and carries one nullifier a
family: HMAC-SHA-256(k_F, "SIRET:EMPLOYEE NUMBER"), so that two applications of one employee are
seen and nothing else is.
"""

import hashlib
import hmac
import threading
import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from connectors.issuer.api.issuance import Offering, create_issuance_router, ldp_vc
from connectors.sandbox.parties import Party
from connectors.sandbox.story import EMPLOYMENT, Employment
from federation.aids.national import FMD_FAMILY, PASS_FAMILY
from federation.credentials.issue import issue
from federation.credentials.model import StatusEntry
from federation.credentials.status import StatusList, issue_status_list
from federation.credentials.types import Nullifier, affiliation
from federation.keys import PublicKey, did_key

CONFIGURATION: Final = "AffiliationCredential"
VALIDITY: Final = timedelta(days=365)
FAMILIES: Final = (FMD_FAMILY, PASS_FAMILY)


def canonical_employee(employment: Employment) -> str:
    """`SIRET:NUMBER`: digits of the SIRET, the number in NFC capitals without spaces."""
    siret = "".join(c for c in employment.siret if c.isdigit())
    number = "".join(unicodedata.normalize("NFC", employment.employee_number).upper().split())
    return f"{siret}:{number}"


def nullifier(family_key: bytes, family: str, employment: Employment) -> Nullifier:
    """The employee's nullifier in `family`. k_F is derived from the employer's family key."""
    key = hmac.new(family_key, f"family/{family}/1".encode(), hashlib.sha256).digest()
    value = hmac.new(key, canonical_employee(employment).encode(), hashlib.sha256).hexdigest()
    return Nullifier(family=family, version="1", value=value)


def create_employer_router(
    party: Party,
    *,
    issuer: str,
    family_key: bytes,
    clock: Callable[[], datetime],
    families: tuple[str, ...] = FAMILIES,
    employment: Employment = EMPLOYMENT,
) -> APIRouter:
    """Routes of the issuer `issuer` (…/employeur)."""
    base = "/" + party.path
    bits = StatusList.empty()
    issued: set[int] = set()
    lock = threading.Lock()
    list_url = f"{issuer}/status/1"

    def refused(code: str, status: int = 400) -> Response:
        return JSONResponse({"error": code}, status_code=status)

    def signed(_: str, key: PublicKey) -> dict[str, Any]:
        now = clock()
        with lock:
            index = bits.random_index(issued.__contains__)
            issued.add(index)
        body = affiliation(
            holder=did_key(key),
            employer_name=employment.employer_name,
            employer_id=employment.siret,
            employee_number=employment.employee_number,
            status=employment.status,
            nullifiers=[nullifier(family_key, family, employment) for family in families],
            valid_until=now + VALIDITY,
        )
        since = datetime.combine(employment.since, datetime.min.time(), tzinfo=now.tzinfo)
        return issue(
            body,
            signer=party.signer,
            at=now,
            status=StatusEntry(list_url, index),
            valid_from=since,
        )

    router = create_issuance_router(
        party.path,
        issuer=issuer,
        display=(
            {"name": employment.employer_name, "locale": "fr"},
            {"name": f"{employment.employer_name} — sandbox", "locale": "en"},
        ),
        offerings=(Offering(CONFIGURATION, ldp_vc(CONFIGURATION), signed),),
        clock=clock,
    )

    @router.get(f"{base}/status/1")
    def status_list() -> Response:
        now = clock()
        with lock:
            document = issue_status_list(
                bits,
                url=list_url,
                signer=party.signer,
                at=now,
                valid_until=now + timedelta(hours=24),
            )
        return JSONResponse(document, media_type="application/vc")

    @router.post(f"{base}/_revoke/{{index}}", status_code=204)
    def revoke(index: int) -> Response:
        """The contract ended: from now on the credential's status says so."""
        with lock:
            if index not in issued:
                return refused("not_found", 404)
            bits.set(index)
        return Response(status_code=204)

    return router


__all__ = ["FAMILIES", "canonical_employee", "create_employer_router", "nullifier"]
