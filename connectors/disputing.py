"""What an issuer does with a holder's dispute: check who says it, and read it.

Steps: (1) the signature of the request holds (RFC 9421), under a key that the signing home's own
DID document lists; (2) the message is one; (3) it names something of this issuer's. Left to the
caller: step 3, that the nonce is new (`is_fresh`), and keeping the last word of each dispute.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from federation.did import DidError, Resolver
from federation.disputes import Dispute
from federation.keys import PublicKey
from federation.wire.errors import OutboundError
from federation.wire.signatures import verify
from schemas.errors import Retriable
from schemas.ids import Did

__all__ = ["read_dispute"]


def read_dispute(
    headers: Mapping[str, str],
    *,
    url: str,
    body: bytes,
    resolver: Resolver,
    is_fresh: Callable[[str, str, datetime], bool],
    at: datetime,
) -> tuple[Did, Dispute]:
    """Steps 1 and 2 of a POST to `url`; the home that signed, and what it says. `headers` by names
    in lower case.

    Raises:
        SignatureRefusedError: unsigned, altered, too old, sent before, or a key its home does not
            have. DisputeError: another message. UnreachableError, UpstreamBusyError:
            the home that signed is away.
    """

    def key_of(keyid: str) -> PublicKey | None:
        try:
            return resolver.resolve(keyid.partition("#")[0]).key(keyid, "assertionMethod")
        except OutboundError as error:
            if isinstance(error, Retriable):
                raise
            return None
        except DidError:
            return None

    signed = verify(
        headers, method="POST", url=url, body=body, key_of=key_of, is_fresh=is_fresh, at=at
    )
    return Did(signed.keyid.partition("#")[0]), Dispute.from_bytes(body)
