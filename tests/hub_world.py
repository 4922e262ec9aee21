"""A hub with an accredited home and employer, and a citizen who can present; for tests only."""

import atexit
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi.testclient import TestClient
from pydantic import SecretStr

from federation.aids.national import FMD_FAMILY, FMD_RULE, FMD_RULE_VERSION, PASS_FAMILY
from federation.credentials import Nullifier, StatusUnreachableError, issue, present
from federation.credentials import types as bodies
from federation.hub.app import create_hub_app
from federation.hub.context import HubContext
from federation.hub.model import Application, Transition
from federation.hub.register import AccountAtRegister
from federation.hub.settings import HubSettings
from federation.keys import Ed25519Key, P256Key, Signer
from federation.openid4vci import (
    PRE_AUTHORIZED,
    CredentialRequest,
    proof_jwt,
    read_credential_response,
)
from federation.openid4vp import Encryption, build_response
from federation.ports import Hub, RequestPointer, ResponseReceipt
from federation.profiles import PROFILES, Service, sign_service
from federation.trust import PinnedKey, Role, TrustEntry
from schemas.evidence import AssuranceMethod, Evidence
from schemas.ids import Did, Iri, mint_iri
from schemas.modes import Mode

HOME = Did("did:web:localhost%3A8400")
EMPLOYER = Did("did:web:localhost%3A8402:employeur")
SIRET = "20003529100018"
PERIOD = (date(2026, 1, 1), date(2026, 11, 20))
START = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **by: float) -> None:
        self.at += timedelta(**by)


class Lists:
    """Status lists of other issuers, reachable or not."""

    def __init__(self) -> None:
        self.lists: dict[str, Mapping[str, Any]] = {}

    def status_list(self, url: str) -> Mapping[str, Any] | bytes:
        if url not in self.lists:
            raise StatusUnreachableError("out of reach")
        return self.lists[url]


@dataclass
class Citizen:
    """A holder key of one verifier, and what sources issued to it."""

    world: "World"
    number: str = "A-1042"
    key: P256Key = field(default_factory=P256Key.generate)
    pseudonym: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def did(self) -> Did:
        return Did(self.key.signer().verification_method.partition("#")[0])

    def usage(self, days: int = 41, **changes: Any) -> dict[str, Any]:
        body = bodies.usage_proof(
            **{
                "holder": self.did,
                "period": PERIOD,
                "rule": FMD_RULE,
                "rule_version": FMD_RULE_VERSION,
                "days": days,
                "days_by_mode": {Mode.BICYCLE: days},
                "weakest_evidence": Evidence.SENSED,
                "days_by_evidence": {Evidence.SENSED: days},
                "assurance": AssuranceMethod.VAULT_ATTESTED,
                "evidence_root": b"\x07" * 32,
                "tree_size": days,
                "attester_software": "test",
                **changes,
            }
        )
        return issue(body, signer=self.world.home.signer(f"{HOME}#cle-1"), at=self.world.clock())

    def affiliation(self, **changes: Any) -> dict[str, Any]:
        status = changes.pop("status_entry", None)
        body = bodies.affiliation(
            **{
                "holder": self.did,
                "employer_name": "Agglomération de l'Aude",
                "employer_id": SIRET,
                "employee_number": self.number,
                "status": "agent-contractuel-public",
                "nullifiers": (
                    Nullifier(FMD_FAMILY, "1", f"f{self.pseudonym}"),
                    Nullifier(PASS_FAMILY, "1", f"p{self.pseudonym}"),
                ),
                **changes,
            }
        )
        return issue(
            body,
            signer=self.world.employer.signer(f"{EMPLOYER}#cle-1"),
            at=self.world.clock(),
            status=status,
        )

    def answer(
        self, pointer: RequestPointer, *credentials: Mapping[str, Any], hub: Hub | None = None
    ) -> dict[str, Any]:
        """What `send` posts for one request."""
        claims = self.world.claims(pointer, hub)
        held = credentials or (self.usage(), self.affiliation())
        presentation = present(
            held,
            holder=self.key.signer(),
            challenge=claims["nonce"],
            domain=claims["client_id"],
            at=self.world.clock(),
        )
        names = [query["id"] for query in claims["dcql_query"]["credentials"]]
        return {
            "response_uri": claims["response_uri"],
            "vp_token": {name: [presentation] for name in names},
            "state": claims["state"],
            "consent_receipt": {"type": "ConsentRecord", "id": mint_iri()},
            "jwk": claims["client_metadata"]["jwks"]["keys"][0],
        }

    def apply(
        self, hub: Hub, *credentials: Mapping[str, Any], application: Iri | None = None
    ) -> tuple[Iri, ResponseReceipt]:
        """Ask and answer."""
        identifier = application or mint_iri()
        pointer = hub.request(self.world.aid, identifier, period=PERIOD)
        return identifier, send(hub, self.answer(pointer, *credentials, hub=hub))


def send(hub: Hub, package: Mapping[str, Any]) -> ResponseReceipt:
    """Post a package as a wallet does: encrypted to the key of the request (`jwk`), with what else
    is in it (`consent_receipt`, `documents`)."""
    given = dict(package)
    address, vp_token = given.pop("response_uri"), given.pop("vp_token")
    encryption = Encryption(given.pop("jwk"), "A256GCM")
    state = given.pop("state")
    return hub.respond(
        address, build_response(vp_token, state=state, encryption=encryption, extra=given)
    )


@dataclass
class World:
    """One hub, one funder, one home, one employer."""

    context: HubContext
    clock: Clock
    lists: Lists
    home: Ed25519Key
    employer: Ed25519Key
    aid: Iri
    refund: Iri

    def claims(self, pointer: RequestPointer, hub: Hub | None = None) -> dict[str, Any]:
        from federation.hub.local import LocalHub
        from federation.jose import verify_jws
        from federation.keys import PublicKey

        token = (hub or LocalHub(self.context)).request_object(pointer.request_uri)
        snapshot = self.context.registry.current()

        def key_of(header: Mapping[str, Any]) -> PublicKey:
            return snapshot.key(str(header["kid"]), self.clock())

        return dict(verify_jws(token, key_of, typ="oauth-authz-req+jwt").claims)

    def citizen(self) -> Citizen:
        return Citizen(self)


@dataclass
class Wallet:
    """The home's side of a hosted employer's OpenID4VCI, step by step, over HTTP."""

    world: World
    citizen: Citizen
    slug: str = "mairie-de-trebes"
    client: TestClient = None  # type: ignore[assignment]
    """Of the hub's API alone, unless the test has an application of its own."""

    def __post_init__(self) -> None:
        origin = self.world.context.settings.origin
        self.client = self.client or TestClient(create_hub_app(self.world.context), base_url=origin)
        self.issuer = f"{origin}/financeurs/{self.slug}"

    def token(self, number: str, code: str) -> Any:
        form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": code, "tx_code": number}
        return self.client.post(f"/financeurs/{self.slug}/token", data=form)

    def credential(self, access: str, nonce: str = "", **changes: Any) -> Any:
        nonce = nonce or self.client.post(f"/financeurs/{self.slug}/nonce").json()["c_nonce"]
        proof = proof_jwt(
            self.citizen.key.signer(),
            **{"audience": self.issuer, "nonce": nonce, "at": self.world.clock(), **changes},
        )
        return self.client.post(
            f"/financeurs/{self.slug}/credential",
            json=CredentialRequest("AffiliationCredential", (proof,)).to_json(),
            headers={"Authorization": f"Bearer {access}"},
        )

    def take(self, number: str, code: str) -> dict[str, Any]:
        access = self.token(number, code).json()["access_token"]
        (found,) = read_credential_response(self.credential(access).content)
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True)
class Template:
    """A hub made once a process: its files are copied, its keys are shared."""

    folder: Path
    home: Ed25519Key
    employer: Ed25519Key
    aid: Iri
    refund: Iri


_TEMPLATES: dict[str, Template] = {}
"""By public address. The catalogue's import and compilation are the same for all of them."""


def hub_settings(
    folder: Path,
    public_url: str = "http://localhost:8401",
    database_url: str | None = None,
    *,
    cheapest_kdf: bool = True,
) -> HubSettings:
    """Settings of the hub of `build_world` in this folder."""
    host = public_url.removeprefix("http://").replace(":", "%3A")
    return HubSettings(
        folder=folder,
        database_url=None if database_url is None else SecretStr(database_url),
        public_url=public_url,
        did=Did(f"did:web:{host}"),
        allow_loopback=True,
        cheapest_kdf_for_tests=cheapest_kdf,
    )


def _furnish(context: HubContext, home: Ed25519Key, employer: Ed25519Key) -> tuple[Iri, Iri]:
    """Who is trusted, one public employer, and its two aids."""

    def pinned(key: Ed25519Key, did: Did) -> tuple[PinnedKey, ...]:
        method = f"{did}#cle-1"
        return (PinnedKey(key.signer(method).public_multikey(), method, START),)

    since = START - timedelta(days=1)
    context.registry.accredit(
        TrustEntry(
            did=HOME,
            name="Coffres de l'Aude",
            roles=frozenset((Role.HOME,)),
            keys=pinned(home, HOME),
            credential_types=frozenset(("UsageProof",)),
            since=since,
        ),
        TrustEntry(
            did=EMPLOYER,
            name="Agglomération de l'Aude (paie)",
            roles=frozenset((Role.EMPLOYER,)),
            keys=pinned(employer, EMPLOYER),
            credential_types=frozenset(("AffiliationCredential", "PassCredential")),
            nullifier_families=frozenset((FMD_FAMILY, PASS_FAMILY)),
            since=since,
        ),
    )
    context.publishing.add_funder("agglo", "Agglomération de l'Aude", siret=SIRET)
    allowance, refund = context.publishing.add_public_employer_aids("agglo")
    return allowance.id, refund.id


def _template(public_url: str) -> Template:
    if public_url not in _TEMPLATES:
        kept = TemporaryDirectory(prefix="hub-template-")
        atexit.register(kept.cleanup)
        folder = Path(kept.name)
        home, employer = Ed25519Key.generate(), Ed25519Key.generate()
        context = HubContext.build(hub_settings(folder, public_url, None), clock=Clock())
        aid, refund = _furnish(context, home, employer)
        context.publishing.catalogue()  # what had ended by then is expired, once
        context.close()
        _TEMPLATES[public_url] = Template(folder, home, employer, aid, refund)
    return _TEMPLATES[public_url]


def build_world(
    folder: Path,
    *,
    database_url: str | None = None,
    public_url: str = "http://localhost:8401",
    cheapest_kdf: bool = True,
    configure: Callable[[HubContext], None] | None = None,
    settings: Mapping[str, Any] | None = None,
    register: Callable[[Clock], AccountAtRegister | None] | None = None,
) -> World:
    """A hub with one public employer, its two aids, and who they trust."""
    clock, lists = Clock(), Lists()
    given = hub_settings(folder, public_url, database_url, cheapest_kdf=cheapest_kdf)
    given = given.model_copy(update=settings or {})
    if database_url is None:
        made = _template(public_url)
        shutil.copytree(made.folder, folder, dirs_exist_ok=True)
        account = None if register is None else register(clock)
        context = HubContext.build(given, clock=clock, status=lists, register=account)
        home, employer, aid, refund = made.home, made.employer, made.aid, made.refund
    else:
        context = HubContext.build(given, clock=clock, status=lists)
        home, employer = Ed25519Key.generate(), Ed25519Key.generate()
        aid, refund = _furnish(context, home, employer)
    if configure is not None:
        configure(context)
    return World(context, clock, lists, home, employer, aid, refund)


DELIVERY = Did("did:web:localhost%3A8402:livreur")


def announce_delivery(
    world: World,
    *,
    signer: Signer | None = None,
    version: int = 1,
    ended: bool = False,
) -> str:
    """A delivery service, accredited, and what it announces to this hub."""
    own = Ed25519Key.from_seed(b"s" * 32).signer(f"{DELIVERY}#1")
    at = world.clock()
    if world.context.registry.entry(DELIVERY) is None:
        key = PinnedKey(own.public_multikey(), own.verification_method, at - timedelta(days=1))
        world.context.registry.accredit(
            TrustEntry(
                did=DELIVERY,
                name="Livreur",
                roles=frozenset(),
                keys=(key,),
                since=at - timedelta(days=1),
            )
        )
    service = Service(
        did=DELIVERY,
        profile=PROFILES["livraison"],
        parameters={},
        version=version,
        name="Livreur à vélo",
        start="http://localhost:8402/livreur/livraison/commencer",
        ended=ended,
    )
    token = sign_service(service, signer or own, at=at)
    world.context.services.announce(token)
    return token


def copies(world: World, model: Application, count: int, *, at_once: int = 2_000) -> list[str]:
    """Applications like one that is there, each of a holder of its own, an hour apart; the package
    is shared, the ledger knows nothing of them."""
    identifiers = [mint_iri() for _ in range(count)]
    for start in range(0, count, at_once):
        with world.context.store.transact() as tx:
            for number, identifier in enumerate(identifiers[start : start + at_once], start=start):
                at = model.submitted_at + timedelta(hours=number)
                tx.put_application(
                    replace(
                        model,
                        id=identifier,
                        holder=Did(f"did:key:z{number:08d}"),
                        employee=f"A-{number:06d}",
                        submitted_at=at,
                        history=(Transition(model.state, at, "holder", ""),),
                    )
                )
    return [str(identifier) for identifier in identifiers]
