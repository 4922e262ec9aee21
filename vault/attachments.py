"""Joining a document to an application: sealed here, to the funder's own key, opened only there.

Steps: (1) the funder's current key, as a JWS; (2) signed by that funder, by a key the registry
pinned; (3) a key of a suite that seals, not past its date; (4) the kept file, sealed for this
application; (5) sent with a proof of the holder key. The hub sees a label, a size and nothing else.
"""

from typing import TYPE_CHECKING, Any, Final

from federation.jose import JwsError, JwsMalformedError, verify_jws
from federation.keys import PublicKey
from federation.multibase import EncodingError, b64url_decode
from federation.ports import DocumentEnvelope
from federation.sealing import BoxPublicKey, FunderKey, seal_document
from federation.sealing.errors import SealingError
from federation.trust import TrustError, parse_instant
from schemas.ids import Did, Iri
from schemas.records import Application, Record
from vault.documents import document, read_document
from vault.errors import ActRefusedError, ShareRefusedError
from vault.sharing import application_of, holder_proof, take_view

if TYPE_CHECKING:
    from vault.open_vault import OpenVault

__all__ = ["MAX_ATTACHED", "attach_document", "funder_key"]

KEY_TYP: Final = "mobility-document-key+jwt"
MAX_ATTACHED: Final = 4_500_000
"""Bytes of a file: sealed and padded it has to pass the hub's five million."""


def funder_key(vault: "OpenVault", funder: Did) -> FunderKey:
    """Steps 1 to 3.

    Raises:
        HubClientError: none published, or out of reach. ShareRefusedError: `funder-key`.
    """
    hub, trust, at = vault.home.hub, vault.home.trust, vault.home.clock()
    if hub is None or trust is None:
        raise ShareRefusedError("no-hub")
    token = hub.document_key(funder)

    def pinned(header: Any) -> PublicKey:
        method = str(header.get("kid", ""))
        if method.partition("#")[0] != funder:
            raise ShareRefusedError("funder-key")
        return trust.key(method, at)

    try:
        claims = verify_jws(token, pinned, typ=KEY_TYP, max_chars=8_000).claims
        if claims.get("iss") != funder:
            raise ShareRefusedError("funder-key")
        return FunderKey(
            funder=funder,
            version=int(claims["version"]),
            public=BoxPublicKey.decode(b64url_decode(str(claims["key"]))),
            not_after=parse_instant(str(claims["notAfter"])),
        )
    except (JwsError, JwsMalformedError, TrustError, SealingError, EncodingError) as error:
        raise ShareRefusedError("funder-key") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ShareRefusedError("funder-key") from error


def attach_document(vault: "OpenVault", iri: Iri, file: Iri, *, label: str) -> Record:
    """Steps 1 to 5; the application as the hub then sees it.

    Raises:
        RecordUnknownError, ActRefusedError: `too-large`; ShareRefusedError, HubClientError;
        FunderKeyExpiredError: the funder has to publish a new version.
    """
    application: Application = application_of(vault, iri)
    kept = document(vault, file)
    if kept.size > MAX_ATTACHED:
        raise ActRefusedError("too-large")
    hub = vault.home.hub
    if hub is None:
        raise ShareRefusedError("no-hub")
    key = funder_key(vault, Did(application.funder))
    sealed = seal_document(
        b"".join(read_document(vault, file)),
        name=kept.title,
        media_type=kept.media_type,
        application=application.id,
        to=key,
        at=vault.home.clock(),
    )
    envelope = DocumentEnvelope(
        label.strip()[:80] or "Document",
        "application/octet-stream",
        key.public.key_id.hex(),
        sealed,
    )
    view = hub.attach(application.id, proof_jwt=holder_proof(vault, application), document=envelope)
    vault.note("document-joined", actor=application.funder, application=application.id)
    return take_view(vault, application, view)
