"""A WebAuthn authenticator in software: P-256 keys, a counter, PRF as CTAP's hmac-secret."""

import hashlib
import hmac
import json
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from federation.multibase import b64url, b64url_decode

UP, UV, AT = 0x01, 0x04, 0x40


@dataclass
class Key:
    """One credential in the authenticator."""

    private: ec.EllipticCurvePrivateKey
    handle: bytes
    hmac_secret: bytes
    count: int = 0


@dataclass
class Authenticator:
    """What a browser and its authenticator answer; every lie can be told by an argument."""

    origin: str = "http://localhost:8400"
    party: str = "localhost"
    has_prf: bool = True
    counts: bool = True
    keys: dict[bytes, Key] = field(default_factory=dict)

    def create(self, options: dict[str, Any], *, verified: bool = True) -> dict[str, Any]:
        """As `navigator.credentials.create()`, in JSON."""
        assert options["authenticatorSelection"]["userVerification"] == "required"
        assert options["extensions"] == {"prf": {}}
        name = os.urandom(16)
        key = Key(
            ec.generate_private_key(ec.SECP256R1()),
            b64url_decode(options["user"]["id"]),
            os.urandom(32),
        )
        self.keys[name] = key
        public = key.private.public_key().public_numbers()
        cose = cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: public.x.to_bytes(32, "big"), -3: public.y.to_bytes(32, "big")}
        )
        flags = UP | AT | (UV if verified else 0)
        data = self._data(flags, 0) + bytes(16) + len(name).to_bytes(2, "big") + name + cose
        return {
            "id": b64url(name),
            "rawId": b64url(name),
            "type": "public-key",
            "response": {
                "clientDataJSON": b64url(self._client("webauthn.create", options["challenge"])),
                "attestationObject": b64url(
                    cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
                ),
                "transports": ["internal", "hybrid", "unheard-of"],
            },
            "clientExtensionResults": {"prf": {"enabled": True}} if self.has_prf else {},
        }

    def get(
        self, options: dict[str, Any], *, verified: bool = True
    ) -> tuple[dict[str, Any], str | None]:
        """As `navigator.credentials.get()`: the JSON, and the PRF's output when it was asked."""
        assert options["userVerification"] == "required"
        allowed = [b64url_decode(item["id"]) for item in options.get("allowCredentials") or ()]
        name = next(n for n in self.keys if not allowed or n in allowed)
        key = self.keys[name]
        key.count += 1 if self.counts else 0
        data = self._data(UP | (UV if verified else 0), key.count)
        client = self._client("webauthn.get", options["challenge"])
        signature = key.private.sign(
            data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256())
        )
        answer = {
            "id": b64url(name),
            "rawId": b64url(name),
            "type": "public-key",
            "response": {
                "clientDataJSON": b64url(client),
                "authenticatorData": b64url(data),
                "signature": b64url(signature),
                "userHandle": b64url(key.handle),
            },
            "clientExtensionResults": {},
        }
        asked = options.get("extensions", {}).get("prf", {}).get("evalByCredential", {})
        one = asked.get(b64url(name))
        if one is None or not self.has_prf:
            return answer, None
        # WebAuthn §10.1.4: the authenticator's salt is SHA-256("WebAuthn PRF" ‖ 0x00 ‖ input).
        salt = hashlib.sha256(b"WebAuthn PRF\x00" + b64url_decode(one["first"])).digest()
        return answer, b64url(hmac.digest(key.hmac_secret, salt, "sha256"))

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        ).encode()

    def _data(self, flags: int, count: int) -> bytes:
        return (
            hashlib.sha256(self.party.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")
        )
