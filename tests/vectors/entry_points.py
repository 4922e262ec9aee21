"""Every way a signed document comes into the product, as functions: document → what is said of it.

`VERIFIED`, or the code of the refusal. Real servers in this process; nothing is replaced.
"""

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from federation.credentials import HasCredential, ShapeError, VerificationError, Verifier
from federation.credentials.model import read_credential
from federation.did import DidResolver
from federation.errors import HubRefusedError
from federation.hub.app import create_hub_app
from federation.hub.context import HubContext
from federation.hub.local import LocalHub
from federation.hub.settings import HubSettings
from federation.keys import key_of_did_key
from federation.proofs import Proof, ProofInvalidError, add_proof, verify_proofs
from portal import cli
from portal.pages import verify as verify_page
from portal.web import Page, Site
from schemas.ids import mint_iri
from schemas.rdf import to_quads_slow
from tests.hub_world import PERIOD, World, build_world, send
from tests.unit.proofs.world import World as ProofWorld
from tests.vectors.published import Json, keys_in

VERIFIED: Final = "verified"
AT: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)
FORM_KEY: Final = b"k" * 32


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at


def said(act: Callable[[], object]) -> str:
    """What came of it."""
    try:
        act()
    except ShapeError as error:
        return error.code_of
    except (ProofInvalidError, VerificationError) as error:
        found = getattr(error, "checks", None) or ()
        return str(next(check.code for check in found if check.outcome == "fail"))
    return VERIFIED


def key_of(proof: Proof) -> Any:
    """The key a published proof names: all of them are `did:key`s."""
    return key_of_did_key(proof.verification_method)


@dataclass
class EntryPoints:
    """Servers and files of one run of the vectors."""

    folder: Path
    vectors: Path

    def __post_init__(self) -> None:
        self.clock = Clock()

    # --- the library ----------------------------------------------------------------------

    def compiled(self, document: Json) -> str:
        """Pinned contexts, compiled; nothing else."""
        return said(lambda: verify_proofs(document, key_of, foreign=False, former=True))

    def general(self, document: Json) -> str:
        """Compiled, or the full processor in its own process."""
        return said(lambda: verify_proofs(document, key_of, former=True))

    def processor(self, document: Json) -> str:
        """The full processor alone, for every statement."""

        def canonicalize(part: Mapping[str, Any]) -> bytes:
            return to_quads_slow(part).encode()

        return said(lambda: verify_proofs(document, key_of, canonicalize=canonicalize, former=True))

    def typed(self, document: Json) -> str:
        """Strict reading, which the typed path begins with."""
        return said(lambda: read_credential(document))

    def verifier(self, document: Json) -> str:
        """The eight steps, without presentation."""
        world = ProofWorld()
        found = Verifier(trust=world.trust(), resolver=DidResolver(), status=world)
        policy = HasCredential("UsageProof")
        return said(lambda: found.verify_credential(document, policy, at=AT))

    # --- servers and commands ---------------------------------------------------------------

    @cached_property
    def hub(self) -> World:
        """A hub with an aid, for packages."""
        return build_world(self.folder / "hub")

    @cached_property
    def conformance(self) -> HubContext:
        """A hub that serves VC-API and signs with the vectors' own keys."""
        folder = self.folder / "conformance"
        settings = HubSettings(folder=folder, allow_loopback=True, vc_api=True)
        settings.keys_folder.mkdir(parents=True, mode=0o700)
        for name, place in (
            ("vc-api-ed25519", "vc-di-eddsa/keyPair.json"),
            ("vc-api-p256", "vc-di-ecdsa/p256KeyPair.json"),
        ):
            (key,) = keys_in(self.vectors / place)
            (settings.keys_folder / f"{name}.secret").write_bytes(bytes(key.private_bytes()))
        return HubContext.build(settings, clock=self.clock)

    @cached_property
    def api(self) -> TestClient:
        """The API of that hub."""
        app = create_hub_app(self.conformance)
        return TestClient(app, base_url="https://localhost:8401")

    @cached_property
    def page(self) -> TestClient:
        """The page « Vérifier » over the same hub."""
        app = FastAPI()
        site = Site(name="Guichet", sandbox=True, form_key=FORM_KEY)
        hub = self.conformance

        def page_of(request: Request) -> Page:
            return Page(request, site, now=datetime.now(UTC))

        def decision(_t: object, _data: bytes) -> Json:
            raise AssertionError("no vector is the evidence of a decision")

        app.include_router(
            verify_page.create_router(page_of, hub.verifying.public, lambda did: did, decision)
        )
        return TestClient(app, base_url="https://localhost:8401")

    def public_api(self, document: Json) -> str:
        """`POST /v1/verify`."""
        answer = self.api.post("/v1/verify", json={"document": document})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        failed = [check["code"] for check in found["checks"] if check["outcome"] == "fail"]
        return failed[0] if found["outcome"] == "fail" else VERIFIED

    def public_page(self, document: Json) -> str:
        """`POST /verifier`, as a browser posts it; the code stands in no sentence, so the verdict
        is read, and the code is the API's."""
        form = self.page.get("/verifier").text
        token = re.search(r'name="jeton" value="([^"]*)"', form)
        assert token is not None
        data = {"jeton": html.unescape(token[1]), "texte": json.dumps(document)}
        answer = self.page.post("/verifier", data=data)
        assert answer.status_code == 200, answer.text
        if "pas valable" in answer.text:
            assert "Document authentique" not in answer.text
            return self.public_api(document)
        assert "Document authentique" in answer.text
        return VERIFIED

    def command(self, document: Json) -> str:
        """`mobility verify FILE --json`."""
        file, trust = self.folder / "document.json", self.folder / "trust.json"
        file.write_text(json.dumps(document), "utf-8")
        trust.write_text(json.dumps(ProofWorld().trust().to_claims()), "utf-8")
        arguments = ["verify", str(file), "--json", "--trust", str(trust), "--state"]
        result = CliRunner().invoke(cli.app, [*arguments, str(self.folder)])
        found = json.loads(result.stdout)
        if found["outcome"] == "verified":
            assert result.exit_code == 0
            return VERIFIED
        assert (found["outcome"], result.exit_code) == ("refused", 1)
        return str(found["failed"][0])

    def vc_api(self, document: Json) -> str:
        """`POST /vc-api/credentials/verify`."""
        self.clock.at = AT
        return self._answer("credentials", {"verifiableCredential": document})

    def vc_api_presentation(self, document: Json) -> str:
        """`POST /vc-api/presentations/verify`, the document inside a presentation of ours."""
        self.clock.at = AT
        return self._answer("presentations", {"verifiablePresentation": self.shown(document)})

    def _answer(self, kind: str, body: Json) -> str:
        answer = self.api.post(f"/vc-api/{kind}/verify", json=body)
        found = answer.json()
        if answer.status_code == 200:
            assert found["verified"] is True
            return VERIFIED
        assert (answer.status_code, found["verified"]) == (400, False), answer.text
        return str(found["errors"][0]["code"])

    def shown(self, document: Json, **options: Any) -> Json:
        """A presentation of the document by a holder who signs whatever it is."""
        holder = ProofWorld().holder
        return add_proof(
            {
                "@context": ["https://www.w3.org/ns/credentials/v2"],
                "id": mint_iri(),
                "type": ["VerifiablePresentation"],
                "holder": holder.verification_method.partition("#")[0],
                "verifiableCredential": [document],
            },
            holder,
            cryptosuite="ecdsa-jcs-2019",
            purpose="authentication",
            created=AT,
            **options,
        )

    def package(self, document: Json) -> str:
        """A whole OpenID4VP answer to the hub's request for an aid."""
        world, hub = self.hub, LocalHub(self.hub.context)
        pointer = hub.request(world.aid, mint_iri(), period=PERIOD)
        claims = world.claims(pointer)
        shown = self.shown(document, challenge=claims["nonce"], domain=claims["client_id"])
        names = [query["id"] for query in claims["dcql_query"]["credentials"]]
        package = {
            "response_uri": claims["response_uri"],
            "vp_token": {name: [shown] for name in names},
            "state": claims["state"],
            "consent_receipt": {"type": "ConsentRecord", "id": mint_iri()},
            "jwk": claims["client_metadata"]["jwks"]["keys"][0],
        }
        try:
            send(hub, package)
        except HubRefusedError as error:
            return error.hub_code
        return VERIFIED

    # --- signing -----------------------------------------------------------------------------

    def issue(self, document: Json, *, cryptosuite: str, created: datetime) -> Json:
        """`POST /vc-api/credentials/issue`."""
        self.clock.at = created
        answer = self.api.post(
            "/vc-api/credentials/issue",
            json={"credential": document, "options": {"cryptosuite": cryptosuite}},
        )
        assert answer.status_code == 201, answer.text
        found: Json = answer.json()
        return found


@contextmanager
def entry_points(folder: Path, vectors: Path) -> Iterator[EntryPoints]:
    """The entry points, closed at the end."""
    made = EntryPoints(folder, vectors)
    try:
        yield made
    finally:
        if "hub" in made.__dict__:
            made.hub.context.close()
        if "conformance" in made.__dict__:
            made.conformance.close()
