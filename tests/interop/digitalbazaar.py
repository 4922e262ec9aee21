"""A Node process with Digital Bazaar's libraries, spoken to line by line."""

import json
import subprocess
from pathlib import Path
from shutil import which
from typing import Any, Self

from federation.keys import Ed25519Key, P256Key, PublicKey, did_key
from schemas.documents import known, load

ROOT = Path(__file__).resolve().parents[2]
MULTIKEY = "https://w3id.org/security/multikey/v1"
SECRET_PREFIX = {"Ed25519": b"\x80\x26", "P-256": b"\x86\x26"}


class DigitalBazaar:
    """One process; knows our contexts and the keys it is told of."""

    def __init__(self) -> None:
        local = ROOT / ".venv" / "bin" / "node"
        node = which("node") or (str(local) if local.exists() else None)
        if node is None or not (ROOT / "node_modules" / "@digitalbazaar" / "vc").is_dir():
            raise AssertionError("Node and node_modules are missing: run `make build`")
        self._process = subprocess.Popen(
            [node, str(Path(__file__).with_suffix(".mjs"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        self.ask("documents", documents={iri: load(iri) for iri in sorted(known())})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()

    def ask(self, act: str, **command: Any) -> dict[str, Any]:
        """One command, its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"act": act, **command}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

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
