"""A Node process with Digital Bazaar's libraries, spoken to line by line."""

from pathlib import Path

from federation.keys import Ed25519Key, P256Key, PublicKey, did_key
from schemas.documents import known, load
from tests.interop.node import NodeProcess

MULTIKEY = "https://w3id.org/security/multikey/v1"
SECRET_PREFIX = {"Ed25519": b"\x80\x26", "P-256": b"\x86\x26"}


class DigitalBazaar(NodeProcess):
    """One process; knows our contexts and the keys it is told of."""

    def __init__(self) -> None:
        super().__init__(Path(__file__).with_suffix(".mjs"), "@digitalbazaar/vc")
        self.ask("documents", documents={iri: load(iri) for iri in sorted(known())})

    def know(self, method: str, multikey: str) -> None:
        """Make a verification method and its controller's document resolvable."""
        controller = method.partition("#")[0]
        key = {
            "@context": MULTIKEY,
            "id": method,
            "type": "Multikey",
            "controller": controller,
            "publicKeyMultibase": multikey,
        }
        document = {
            "@context": ["https://www.w3.org/ns/did/v1", MULTIKEY],
            "id": controller,
            "verificationMethod": [key],
            "assertionMethod": [method],
            "authentication": [method],
        }
        self.ask("documents", documents={method: key, controller: document})


def secret_multikey(key: Ed25519Key | P256Key) -> dict[str, str]:
    """The key as their library reads it; for made-up keys of tests only."""
    from federation.keys import verification_method_of
    from federation.multibase import base58_encode

    public: PublicKey = key.public
    did = did_key(public)
    raw = SECRET_PREFIX[public.algorithm] + bytes(key.private_bytes())
    return {
        "@context": MULTIKEY,
        "id": verification_method_of(did),
        "type": "Multikey",
        "controller": did,
        "publicKeyMultibase": public.multikey(),
        "secretKeyMultibase": "z" + base58_encode(raw),
    }
