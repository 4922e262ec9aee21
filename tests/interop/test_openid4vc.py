"""`@openid4vc/openid4vp` and `…/openid4vci` as wallet, verifier and issuer against ours."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from federation.credentials import issue_sd_jwt_vc
from federation.credentials.present import present
from federation.credentials.sd_jwt_vc import vct_of
from federation.credentials.types import pass_credential
from federation.hub.aid_templates import AidTemplate
from federation.hub.app import create_hub_app
from federation.hub.local import LocalHub
from federation.keys import P256Key, decode_multikey, key_of_did_key
from federation.multibase import b64url, b64url_decode
from federation.openid4vci import CredentialOffer
from federation.openid4vp import (
    Anchors,
    ClaimQuery,
    CredentialQuery,
    DcqlQuery,
    Invitation,
    RequestRefusedError,
    invitation_link,
    read_invitation,
)
from federation.trust import PinnedKey, Role, TrustEntry
from schemas.ids import Did, mint_iri
from tests.conformance.test_hub import Serving
from tests.hub_world import PERIOD, World, build_world
from tests.interop.node import NodeProcess
from tests.unit.hub.test_affiliations import FMD, code_of
from tests.unit.hub.test_enrolment import enrolled
from tests.unit.proofs.test_openid4vp_clients import authority, certificate, x5c
from tests.unit.vault.builders import Citizen, make_home
from vault.declining import decline
from vault.delivery import delivery_of
from vault.errors import ShareRefusedError
from vault.home import Home
from vault.presenting import prepare_presentation

NETWORK: Final = Did("did:web:localhost%3A8402:reseau")
METHOD: Final = f"{NETWORK}#cle-1"
HOLDER_NAME: Final = "Nour Sabatier"


@dataclass
class Place:
    """Our hub over HTTP, a home with an open vault, and their libraries."""

    world: World
    home: Home
    citizen: Citizen
    theirs: NodeProcess
    network: P256Key
    """Signs passes; accredited."""

    @property
    def at(self) -> str:
        return self.world.clock().isoformat()

    def ask(self, act: str, **command: Any) -> dict[str, Any]:
        answer = self.theirs.ask(act, **command)
        assert "failure" not in answer, answer
        return answer


ROOT_AUTHORITY = authority("Autorité d'essai")
LEAF_KEY = P256Key.from_private_bytes(b"\x05" * 32)


def jwk_of(key: P256Key) -> dict[str, str]:
    """The private key, as Node takes it."""
    public = key_of_did_key(key.signer().verification_method.partition("#")[0]).jwk()
    return {**public, "d": b64url(bytes(key.private_bytes()))}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("openid4vc")
    anchors = folder / "anchors.pem"
    anchors.write_bytes(ROOT_AUTHORITY.certificate.public_bytes(Encoding.PEM))
    serving = Serving()
    world = build_world(folder / "hub", public_url=serving.url)
    serving.serve(create_hub_app(world.context))
    network = P256Key.generate()
    pinned = PinnedKey(
        network.signer(METHOD).public_multikey(), METHOD, world.clock() - timedelta(days=1)
    )
    world.context.registry.accredit(
        TrustEntry(
            did=NETWORK,
            name="Réseau d'essai",
            roles=frozenset((Role.OPERATOR,)),
            keys=(pinned,),
            credential_types=frozenset(("PassCredential",)),
            since=world.clock() - timedelta(days=1),
        )
    )
    with (
        make_home(folder / "home", world.clock, verifier_anchors=anchors) as home,  # type: ignore[arg-type]  # a clock
        NodeProcess(Path(__file__).with_name("openid4vc.mjs"), "@openid4vc/openid4vp") as theirs,
    ):
        home.use_trust(world.context.registry.current())
        home.use_hub(LocalHub(world.context))
        made = Place(world, home, Citizen(home), theirs, network)
        made.ask("clock", at=made.at)
        yield made
        theirs.ask("stop")
    serving.stop()
    world.context.close()


# --- their wallet, our hub ----------------------------------------------------------------------


def test_their_wallet_reads_a_request_of_our_hub_and_its_encrypted_answer_is_accepted(
    place: Place,
) -> None:
    world, citizen = place.world, place.world.citizen()
    pointer = LocalHub(world.context).request(world.aid, mint_iri(), period=PERIOD)
    snapshot = world.context.registry.current()
    funder = pointer.client_id.partition(":")[2]
    entry = snapshot.entry(Did(funder))
    assert entry is not None
    for key in entry.keys:
        place.ask("know", method=key.verification_method, jwk=key.public().jwk())
    link = invitation_link(
        "openid4vp://", Invitation(pointer.client_id, pointer.request_uri, "post")
    )
    read = place.ask("resolve", link=link, nonce="n-of-their-wallet")
    assert read["client"] == "decentralized_identifier"
    assert read["version"] == 100, "1.0 final, as they tell versions"
    asked = read["payload"]
    assert asked["wallet_nonce"] == "n-of-their-wallet"
    presentation = present(
        (citizen.usage(), citizen.affiliation()),
        holder=citizen.key.signer(),
        challenge=asked["nonce"],
        domain=asked["client_id"],
        at=world.clock(),
    )
    token = {query["id"]: [presentation] for query in read["query"]["credentials"]}
    sent = place.ask("answer", payload=asked, vpToken=token)
    assert (sent["status"], sent["body"]["state"]) == (200, "accepted")


def test_their_wallet_refuses_a_request_that_our_hub_did_not_sign(place: Place) -> None:
    world = place.world
    pointer = LocalHub(world.context).request(world.aid, mint_iri(), period=PERIOD)
    stranger = P256Key.generate().signer().public_multikey()
    method = f"{pointer.client_id.partition(':')[2]}#cle-1"
    place.ask("know", method=method, jwk=decode_multikey(stranger).jwk())
    link = invitation_link(
        "openid4vp://", Invitation(pointer.client_id, pointer.request_uri, "post")
    )
    assert "failure" in place.theirs.ask("resolve", link=link, nonce="n")


# --- their verifier, our home -------------------------------------------------------------------


def start_verifier(place: Place, prefix: str, **extra: Any) -> Invitation:
    """Their verifier asks for a pass, of which it wants the network and the end."""
    private = ec.derive_private_key(int.from_bytes(b"\x05" * 32), ec.SECP256R1())
    leaf = certificate("Vérifieur de Node", private, by=ROOT_AUTHORITY, names=("localhost",))
    query = DcqlQuery(
        (
            CredentialQuery(
                "pass",
                "PassCredential",
                (ClaimQuery(("network",)), ClaimQuery(("periodUntil",))),
                format="dc+sd-jwt",
            ),
        )
    )
    client = "x509_san_dns:localhost"
    if prefix == "x509_hash":
        client = "x509_hash:" + b64url(sha256(leaf.public_bytes(Encoding.DER)).digest())
    made = place.ask(
        "verifier",
        x5c=x5c(leaf),
        signing=jwk_of(LEAF_KEY),
        query=query.to_json(),
        clientId=client,
        at=place.at,
        extra=extra,
    )
    return read_invitation(made["link"])


def no_aid(_: object) -> Any:
    raise AssertionError("no aid is asked about")


@pytest.mark.parametrize("prefix", ["x509_san_dns", "x509_hash"])
def test_our_vault_answers_their_verifier_with_what_it_asked_and_no_more(
    place: Place, prefix: str
) -> None:
    vault, home = place.citizen.vault, place.home
    invitation = start_verifier(place, prefix, purpose="Tarif réduit")
    if prefix == "x509_san_dns":
        with pytest.raises(ShareRefusedError) as lacking:
            prepare_presentation(vault, invitation, aid_of=no_aid)
        assert lacking.value.reason == "missing:PassCredential"
        invitation = start_verifier(place, prefix, purpose="Tarif réduit")
    anchor = home.anchors.certificates[0].public_bytes(Encoding.DER)
    verifier = Did(f"did:x509:0:sha256:{b64url(sha256(anchor).digest())}::san:dns:localhost")
    holder = vault.holder_did(verifier)
    body = pass_credential(
        holder=holder,
        network="Tisséo",
        product="Annuel",
        holder_name=HOLDER_NAME,
        payer=HOLDER_NAME,
        period=(date(2026, 1, 1), date(2026, 12, 31)),
    )
    vault.accept_credential(
        issue_sd_jwt_vc(
            body,
            signer=place.network.signer(METHOD),
            holder=key_of_did_key(holder),
            at=place.world.clock(),
            valid_until=place.world.clock() + timedelta(days=30),
        )
    )
    disclosure = prepare_presentation(vault, invitation, aid_of=no_aid)
    assert disclosure.recipient == verifier
    assert disclosure.recipient_name == "Vérifieur de Node (localhost)"
    assert disclosure.accredited_by == "Autorité d'essai"
    assert disclosure.purpose == "Tarif réduit"
    assert {leaf.path for leaf in disclosure.leaves} == {
        "PassCredential.network",
        "PassCredential.periodUntil",
    }
    assert decline(vault, disclosure.id)
    assert not decline(vault, disclosure.id)
    home.runner().run_due()
    assert place.ask("refused") == {"error": "access_denied", "state": "etat-1"}
    with pytest.raises(ShareRefusedError, match="disclosure-unknown"):
        vault.share(disclosure, confirmed_at=home.clock())
    place.ask("stop")
    invitation = start_verifier(place, prefix, purpose="Tarif réduit")
    disclosure = prepare_presentation(vault, invitation, aid_of=no_aid)
    consent = vault.share(disclosure, confirmed_at=home.clock())
    home.runner().run_due()
    delivery = delivery_of(home, vault.vault_id, consent.id)
    assert delivery is not None
    assert delivery.state == "delivered"
    assert delivery.redirect_uri is not None
    assert delivery.redirect_uri.endswith("/merci")
    got = place.ask("received")
    assert (got["method"], got["encrypted"]) == ("POST", "Encrypted")
    assert got["wallet"]["authorization_endpoint"] == f"{home.origin}/presenter"
    assert got["bindings"] == [{"signature": True, "nonce": True, "audience": True, "hash": True}]
    (shown,) = got["token"]["pass"]
    assert HOLDER_NAME not in "".join(
        part for text in shown.split("~")[1:-1] for part in (_decoded(text),)
    )
    place.ask("stop")


def _decoded(disclosure: str) -> str:
    return b64url_decode(disclosure).decode()


def test_a_verifier_whose_authority_nobody_chose_gets_nothing(place: Place) -> None:
    invitation = start_verifier(place, "x509_san_dns")
    known = place.home.anchors
    place.home.__dict__["anchors"] = Anchors()
    try:
        with pytest.raises(RequestRefusedError) as refused:
            prepare_presentation(place.citizen.vault, invitation, aid_of=no_aid)
    finally:
        place.home.__dict__["anchors"] = known
        place.ask("stop")
    assert refused.value.reason == "client-certificate"


# --- issuing ------------------------------------------------------------------------------------


def test_their_wallet_takes_an_affiliation_from_our_issuer(place: Place) -> None:
    world = place.world
    town = enrolled(world)
    world.context.aids.publish(town, AidTemplate.FMD_PRIVATE, FMD)
    world.context.affiliations.import_list(town, "A7001", status="salarie")
    citizen = world.citizen()
    issuer = f"{world.context.settings.origin}/financeurs/mairie-de-trebes"
    code = code_of(world, town, "A7001")
    offer = CredentialOffer(issuer, ("AffiliationCredential",), code, needs_tx_code=True)
    taken = place.ask(
        "obtain",
        offer=offer.to_uri(),
        txCode="A7001",
        holder=jwk_of(citizen.key),
        method=citizen.key.signer().verification_method,
        configuration="AffiliationCredential",
        at=place.at,
    )
    ((given,),) = (taken["credentials"],)
    affiliation = given["credential"]
    assert affiliation["credentialSubject"]["id"] == citizen.did
    assert affiliation["credentialSubject"]["employeeNumber"] == "A7001"


def test_our_vault_takes_a_pass_from_their_issuer(place: Place) -> None:
    vault = place.citizen.vault
    verifier = Did("did:web:localhost%3A8401:financeurs:agglo")
    holder = vault.holder_key(verifier)
    method = holder.verification_method
    place.ask("know", method=method, jwk=decode_multikey(holder.public_multikey()).jwk())
    claims = {
        "vct": vct_of("PassCredential"),
        "nbf": int(place.world.clock().timestamp()),
        "exp": int((place.world.clock() + timedelta(days=30)).timestamp()),
        "network": "Le réseau de Node",
        "product": "Mensuel",
        "holderName": HOLDER_NAME,
        "payer": HOLDER_NAME,
        "periodFrom": "2026-11-01",
        "periodUntil": "2026-11-30",
    }
    made = place.ask(
        "issuer",
        signing=jwk_of(place.network),
        kid=METHOD,
        did=NETWORK,
        configuration="PassCredential",
        claims=claims,
        at=place.at,
    )
    (kept,) = vault.accept_offer(made["offer"], verifier=verifier)
    assert kept.type == "PassCredential"
    assert kept.issuer == NETWORK
    place.ask("stop")
