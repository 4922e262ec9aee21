"""Opens the parts of each node from `Settings`: home, hub, sandbox; and what the command line needs of them.

Trust: the hub's registry is the root. A home pins the hub's key the first time it reads its `did:web` document
(or takes `MOBILITY_HUB_KEY`), keeps it in `trust-root.json`, and then only takes signed snapshots whose version rises.
In the sandbox the hub accredits the fictitious members it finds on loopback; elsewhere `mobility hub accredit` does.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from connectors.elsewhere.registered import read_registered
from connectors.http import HttpTransport, source_client
from connectors.identity.client import IdentityClient, Registration
from connectors.identity.entitlements import EntitlementApi
from connectors.identity.home_key import identity_key
from connectors.identity.logins import IdentityProvider
from connectors.issuer.accreditation import Accreditation, asks_for, read_accreditation
from connectors.jobs import plan_known, register_pulls
from connectors.service import ConnectorService
from connectors.store import ConnectorStore
from federation.client import HttpHub
from federation.credentials.types import COMPUTED
from federation.did import DidDocument
from federation.did.web import url_of
from federation.hub.access import Caller
from federation.hub.model import OfferState
from federation.keys import PublicKey, decode_multikey
from federation.profiles import ServiceRefusedError
from federation.trust import PinnedKey, Role, TrustedSnapshotSet, TrustEntry, TrustSnapshot
from federation.wire.dispatcher import ThreadDispatcher
from federation.wire.http import AddressPolicy, BoundedClient
from portal.clock import utcnow
from portal.errors import SettingsContradictionError
from portal.i18n import Translator
from portal.settings import Node, Settings
from schemas.errors import MobilityError
from schemas.evidence import Evidence
from schemas.ids import Did, mint_iri
from schemas.records import Application, Consent
from vault.backup import Beside
from vault.circles import keys_of
from vault.home import Home
from vault.model import Disclosure
from vault.open_vault import OpenVault
from vault.settings import HomeSettings

if TYPE_CHECKING:  # a command of a vault does not load the servers
    from fastapi import FastAPI

    from federation.hub.context import HubContext
    from federation.hub.settings import HubSettings

_log = structlog.get_logger(__name__)

CONNECTORS: Final = (
    "tracemob",
    "cozy",
    "covoiturage",
    "operator-account",
    "push",
    "fichier",
    "identite",
)
IDENTITY_NAME: Final = "Identité de démonstration"
LOGGED_OUT_PATH: Final = "/identite/deconnecte"
TRUST_EVERY_S: Final = 300.0
TRUST_EAGER_S: Final = 1.0
"""While this home is not accredited yet (a fresh sandbox), the registry is asked each second."""
SETTLE_S: Final = 20.0
"""How long the command line waits for a delivery and its answer; the outbox goes on without it."""


def bounded(settings: Settings, **limits: Any) -> BoundedClient:
    """An HTTP client within bounds; this machine only in the sandbox."""
    policy = AddressPolicy.WITH_LOOPBACK if _loopback(settings) else AddressPolicy.PUBLIC
    return BoundedClient(allow=policy, **limits)


def _loopback(settings: Settings) -> bool:
    return settings.sandbox or settings.url(Node.HUB).startswith("http://")


# --- home ------------------------------------------------------------------------------------


@dataclass
class HomeParts:
    """The home with its hub and connectors."""

    settings: Settings
    home: Home
    hub: HttpHub
    witness: HttpHub
    connectors: ConnectorService
    store: ConnectorStore
    trust: "TrustKeeper" = field(init=False)
    _dispatcher: ThreadDispatcher | None = None

    def __post_init__(self) -> None:
        self.trust = TrustKeeper(self.settings, self.home, self.hub)

    def start(self) -> None:
        """Run blind jobs in this process (unless a broker is set) and keep trust fresh."""
        for name in CONNECTORS:
            self.home.connector_signer(name)  # made now, so that their did:web can be read
        self.connectors.forget_destroyed(self.home.is_destroyed)
        if self.settings.broker_url is None:
            self._dispatcher = ThreadDispatcher(
                self.home.runner().run, due=self.home.runner().due, name="home-jobs"
            )
            self.home.use_dispatcher(self._dispatcher)
        else:
            from federation.wire.tasks import CeleryDispatcher, QueueSettings, create_celery_app

            queue = QueueSettings(broker_url=self.settings.broker_url)
            self.home.use_dispatcher(CeleryDispatcher(create_celery_app(queue), store="home"))
        plan_known(self.home, self.connectors)
        self.trust.start()

    def stop(self) -> None:
        """Stop background work, close the databases and what leads to the hub."""
        self.trust.stop()
        if self._dispatcher is not None:
            self._dispatcher.stop()
        self.connectors.close()
        self.home.close()
        self.hub.close()
        self.witness.close()

    def settle(self, vault: OpenVault, consent: Consent) -> dict[str, Any]:
        """Wait for the delivery of a share and give the application's state."""
        until = time.monotonic() + SETTLE_S
        while consent.application is not None and time.monotonic() < until:
            with suppress(MobilityError):
                record = vault.refresh_application(consent.application)
                if isinstance(record, Application) and record.state.value != "draft":
                    return {
                        "application": record.id,
                        "state": record.state.value,
                        "amount_cents": record.amount,
                        "reasons": list(record.reasons),
                        "consent": consent.id,
                    }
            time.sleep(0.2)
        return {"application": consent.application, "state": "sending", "consent": consent.id}


def home_settings(settings: Settings) -> HomeSettings:
    """The vault package's own settings."""
    if (settings.home_database_url is None) != (settings.session_database_url is None):
        raise SettingsContradictionError(
            "home_database_url", "set with session_database_url, or neither"
        )
    return HomeSettings(
        folder=settings.state,
        did=settings.did(Node.HOME),
        database_url=settings.home_database_url,
        sessions_url=settings.session_database_url,
        blobs_url=settings.blobs_url,
        verifier_anchors=settings.verifier_anchors,
        mail=settings.mail,
        public_url=settings.url(Node.HOME),
        allow_loopback=_loopback(settings),
    )


def open_home(settings: Settings) -> HomeParts:
    """Open the home's databases and connect it to its hub."""
    home = Home.open(home_settings(settings), clock=utcnow)
    _ = home.anchors  # a file that cannot be read is said at the start
    hub = HttpHub(settings.url(Node.HUB), bounded(settings, max_bytes=6_000_000))
    home.use_hub(hub)
    witness = HttpHub(
        settings.url(Node.HUB),
        bounded(settings, timeout_s=home.settings.witness_timeout_s, max_bytes=100_000),
    )
    home.use_witness(witness)
    url = settings.home_database_url or f"sqlite:///{settings.state / 'connectors.db'}"
    store = ConnectorStore.open(url, seal=home.seal)
    loopback = _loopback(settings)

    @contextmanager
    def transport(address: str) -> Iterator[HttpTransport]:
        with source_client(allow_loopback=loopback) as client:
            yield HttpTransport(client, address)

    connectors = ConnectorService(
        home,
        store,
        clock=utcnow,
        transport=transport,
        address=settings.url(Node.HOME),
        identity=identity_provider(settings, home),
        outbound=lambda: source_client(allow_loopback=loopback, timeout_s=10),
        service_clients=read_registered(settings.service_clients)
        if settings.service_clients is not None
        else None,
    )
    register_pulls(home, connectors)
    return HomeParts(
        settings=settings,
        home=home,
        hub=hub,
        witness=witness,
        connectors=connectors,
        store=store,
    )


def identity_provider(settings: Settings, home: Home) -> IdentityProvider | None:
    """The federation that this home is habilitated for; else the sandbox's fictitious provider;
    else none: a personal vault is no client of a national federation by itself."""
    own = settings.url(Node.HOME)
    if settings.identity_issuer is not None:
        issuer, name = settings.identity_issuer.rstrip("/"), settings.identity_name
        registration = Registration(
            settings.identity_client_id,
            settings.identity_client_secret.get_secret_value(),
            decryption=identity_key(home.key_store),
            logged_out=own + LOGGED_OUT_PATH,
            level=settings.identity_level,
            entitlements=EntitlementApi(
                settings.entitlements_url.rstrip("/"), settings.entitlements_siret
            )
            if settings.entitlements_url is not None
            else None,
        )
        loopback = settings.is_loopback(issuer)
    elif settings.sandbox:
        issuer, name = f"{settings.url(Node.SANDBOX)}/identite", IDENTITY_NAME
        registration, loopback = Registration(own), True
    else:
        return None

    @contextmanager
    def client() -> Iterator[IdentityClient]:
        with source_client(allow_loopback=loopback, timeout_s=10) as outbound:
            yield IdentityClient(outbound, issuer=issuer, registration=registration, clock=utcnow)

    return IdentityProvider(
        issuer, name, client, reads_rights=registration.entitlements is not None
    )


class TrustKeeper:
    """Keeps the home's trust snapshot fresh, from the registry of its hub."""

    def __init__(self, settings: Settings, home: Home, hub: HttpHub) -> None:
        self._settings, self._home, self._hub = settings, home, hub
        self._set: TrustedSnapshotSet | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Refresh now and then, in a thread."""
        self._thread = threading.Thread(target=self._run, name="trust", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def refresh(self) -> TrustSnapshot:
        """Take the newest snapshot.

        Raises:
            HubClientError: unreachable. TrustError: refused, the known one stays in use.
        """
        with self._lock:
            if self._set is None:
                known = self._home.trust
                self._set = TrustedSnapshotSet(
                    self._roots(), minimum_version=known.version if known else 0
                )
            snapshot = self._set.update(self._hub.trust(), utcnow())
            self._home.use_trust(snapshot)
        return snapshot

    def _roots(self) -> dict[str, PublicKey]:
        path = self._settings.state / "trust-root.json"
        if path.exists():
            kept = json.loads(path.read_text("utf-8"))
        else:
            did = self._settings.did(Node.HUB)
            document = read_did(did, self._settings)
            kept = {m["id"]: m["publicKeyMultibase"] for m in document["verificationMethod"]}
            given = self._settings.hub_key
            if given is not None:
                kept = {name: key for name, key in kept.items() if key == given}
                if not kept:
                    raise SettingsContradictionError("hub_key", f"{did} does not publish this key")
            path.write_text(json.dumps(kept), "utf-8")
            path.chmod(0o600)
        return {name: decode_multikey(key) for name, key in kept.items()}

    def is_accredited(self) -> bool:
        """Whether the registry knows this home."""
        snapshot = self._home.trust
        return snapshot is not None and snapshot.entry(self._home.did) is not None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.refresh()
            except MobilityError as error:
                _log.info("portal.trust_not_refreshed", code=error.code)
            except Exception:
                _log.exception("portal.trust_failed")
            eager = self._settings.sandbox and not self._complete()
            self._stop.wait(TRUST_EAGER_S if eager else TRUST_EVERY_S)

    def _complete(self) -> bool:
        snapshot = self._home.trust
        if snapshot is None:
            return False
        return all(snapshot.entry(m.did) is not None for m in founding_members(self._settings))


def read_did(did: str, settings: Settings) -> Mapping[str, Any]:
    """The `did:web` document of a member, over the network: when accrediting, never when verifying."""
    with bounded(settings, timeout_s=5.0, max_bytes=64_000) as client:
        document = client.get_json(url_of(did, loopback_http=_loopback(settings)))
    if not isinstance(document, dict) or document.get("id") != did:
        raise SettingsContradictionError(did, "its document names another party")
    return document


def beside_home(settings: Settings) -> Beside:
    """What a backup of the home takes along from its state folder: sources, the pinned registry,
    and a hub that is served from here too."""
    state, hub = settings.state, settings.state / "hub.db"
    local = (state / "connectors.db").exists() and settings.home_database_url is None
    with_hub = hub.exists() and settings.hub_database_url is None
    root = state / "trust-root.json"
    return Beside(
        before={"connectors.db": state / "connectors.db"} if local else {},
        after={"hub.db": hub} if with_hub else {},
        files={root.name: root} if root.exists() else {},
        keys={"hub-keys": state / "hub-keys"} if with_hub else {},
    )


def accreditation_asked(where: str, settings: Settings) -> Accreditation:
    """The accreditation request in a file or at an issuer's address, checked against the issuer's
    DID document as it is now.

    Raises:
        AccreditationInvalidError. Whatever reading an address raises.
    """
    if where.startswith(("https://", "http://")):
        address = where.rstrip("/")
        if not address.endswith("/mobility-accreditation"):
            address += "/.well-known/mobility-accreditation"
        with bounded(settings, timeout_s=5.0, max_bytes=64_000) as client:
            body = client.get(address, accept=("application/jwt",)).body
    else:
        body = Path(where).read_bytes()[:64_000]
    token = body.decode("ascii", "replace").strip()
    did = asks_for(token)
    document = DidDocument.from_json(read_did(did, settings), expected=did)
    return read_accreditation(token, document)


@contextmanager
def home_only(settings: Settings) -> Iterator[Home]:
    """A home without background work, for one command."""
    with Home.open(home_settings(settings), clock=utcnow) as home:
        yield home


@contextmanager
def home_parts(settings: Settings) -> Iterator[HomeParts]:
    """A home with hub and connectors, for one command."""
    parts = open_home(settings)
    try:
        with suppress(MobilityError):  # offline work goes on with the snapshot that is known
            parts.trust.refresh()
        yield parts
    finally:
        parts.stop()


@contextmanager
def opened_vault(
    settings: Settings, vault_id: str | None, passphrase: Callable[[], str]
) -> Iterator[tuple[HomeParts, OpenVault]]:
    """One vault, open for one command, and closed after it."""
    with home_parts(settings) as parts:
        chosen = only_vault(parts.home, vault_id)
        cookie, vault = parts.home.open_direct(chosen, passphrase=passphrase())
        parts.home.use_dispatcher(
            dispatcher := ThreadDispatcher(parts.home.runner().run, due=parts.home.runner().due)
        )
        try:
            yield parts, vault
        finally:
            dispatcher.stop()
            parts.home.lock(cookie)


def only_vault(home: Home, vault_id: str | None) -> str:
    """The vault named, or the only one of this home.

    Raises:
        SettingsContradictionError: none is named and there are several, or none.
    """
    if vault_id:
        return vault_id
    known = home.vaults()
    if len(known) != 1:
        raise SettingsContradictionError(
            "--vault", f"this home holds {len(known)} vaults: name one"
        )
    return known[0]


# --- sharing and attesting, for pages' sisters on the command line -------------------------------


def _catalogue(parts: HomeParts, vault: OpenVault) -> Any:
    return parts.home.catalogue.current(keys=keys_of(vault))


def period_of(since: date | None, until: date | None) -> tuple[date, date]:
    """The period given, or the civil year so far."""
    from portal.pages.vault import default_period
    from portal.views import local_today

    first, last = default_period(local_today(utcnow()))
    return since or first, until or last


def apply(
    parts: HomeParts, vault: OpenVault, slug: str, *, since: date | None, until: date | None
) -> Disclosure:
    """Prepare an application for the aid `slug`; nothing leaves."""
    aid = _catalogue(parts, vault).aid(slug)
    return vault.prepare_application(aid, mint_iri(), period=period_of(since, until))


def entitled(
    parts: HomeParts,
    vault: OpenVault,
    t: Translator,
    *,
    answers: Mapping[str, str],
    forget: Sequence[str],
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """What the citizen can get, and the question to answer next, after keeping `answers`.

    Raises:
        AnswerRefusedError: no such question, or not an answer to it; nothing was kept.
    """
    from portal.pages.entitled import listed

    return listed(vault, _catalogue(parts, vault), t, now=utcnow(), answers=answers, forget=forget)


def attest(
    parts: HomeParts,
    vault: OpenVault,
    *,
    since: date | None,
    until: date | None,
    name: str,
    employer: str,
    language: str,
) -> tuple[Mapping[str, Any], bytes]:
    """The signed usage proof and its PDF."""
    from portal.pages.aids import attestation_aid, attestation_pdf
    from vault.eligibility import known_names
    from vault.papers import publish

    at = utcnow()
    proof = vault.attest_usage(
        attestation_aid(_catalogue(parts, vault)), period=period_of(since, until), at=at
    )
    known_name, known_employer = known_names(vault)
    pdf = attestation_pdf(
        parts.settings,
        proof,
        link=publish(vault, proof),
        name=name or known_name or "",
        employer=employer or known_employer or "",
        at=at,
        language=language,
    )
    return proof, pdf


# --- hub -------------------------------------------------------------------------------------


@dataclass
class HubParts:
    """The hub: its context, its API, and the accreditation of the sandbox's members."""

    settings: Settings
    hub: "HubContext"
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Run blind jobs in this process; in the sandbox, host the funder and accredit members."""
        runner = self.hub.runner()
        self.hub.use_dispatcher(ThreadDispatcher(runner.run, due=runner.due, name="hub-jobs"))
        if self.settings.sandbox:
            self.found()

    def found(self) -> None:
        """The sandbox's funder, officer and members; idempotent."""
        seed_sandbox(self)
        thread = threading.Thread(target=self._accredit, name="accredit", daemon=True)
        thread.start()
        self._threads.append(thread)

    def stop(self) -> None:
        """Stop background work and close the database."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5)
        self.hub.close()

    def add_officer(self, funder: str, login: str, password: str, *, name: str) -> None:
        """An officer of a hosted funder."""
        self.hub.members.add(
            login, password, name=name, roles=frozenset((Caller.OFFICER,)), funder=funder
        )

    def accredit(self, member: "Member") -> TrustSnapshot:
        """Read a member's `did:web` document and write its keys into the registry."""
        document = read_did(member.did, self.settings)
        known = self.hub.registry.entry(member.did)
        at = utcnow()
        pinned = {key.multikey: key for key in known.keys} if known else {}
        for method in document["verificationMethod"]:
            multikey = str(method["publicKeyMultibase"])
            pinned.setdefault(multikey, PinnedKey(multikey, str(method["id"]), at))
        entry = TrustEntry(
            did=Did(member.did),
            name=member.name,
            roles=member.roles,
            keys=tuple(pinned.values()),
            credential_types=member.credential_types,
            evidence=member.evidence,
            nullifier_families=member.families,
            accredited_by=Did(self.settings.did(Node.HUB)),
            since=known.since if known else at,
        )
        if known is not None and replace(known, accredited_by=entry.accredited_by) == entry:
            return self.hub.registry.current()
        return self.hub.registry.accredit(entry)

    def _announce(self, member: "Member") -> None:
        """Take in the announcements that a fictitious service shows at its own address."""
        for address in member.announces:
            with bounded(self.settings, timeout_s=5.0, max_bytes=64_000) as client:
                token = client.get(address, accept=("application/jwt",)).body.decode("ascii")
            with suppress(ServiceRefusedError):  # this version is known already, signed elsewhere
                self.hub.services.announce(token)
        if member.offers:
            with bounded(self.settings, timeout_s=5.0, max_bytes=300_000) as client:
                cards = client.get_json(member.offers)["offers"]
            for card in cards:
                taken = self.hub.offers.publish(str(card))
                if taken.found.state is OfferState.DRAFT:
                    found = taken.found
                    key = (found.operator, found.offer, found.version)
                    self.hub.offers.decide(key, OfferState.PUBLISHED, "", actor="hub")

    def _accredit(self) -> None:
        left = list(founding_members(self.settings))
        while left and not self._stop.is_set():
            for member in tuple(left):
                try:
                    self.accredit(member)
                    self._announce(member)
                except MobilityError as error:
                    _log.debug("portal.member_not_ready", code=error.code)
                except Exception:
                    _log.exception("portal.accreditation_failed")
                else:
                    left.remove(member)
            self._stop.wait(0.3)


@dataclass(frozen=True, slots=True)
class Member:
    """Who is accredited for what."""

    did: str
    name: str
    roles: frozenset[Role]
    credential_types: frozenset[str] = frozenset()
    evidence: Evidence | None = None
    families: frozenset[str] = frozenset()
    announces: tuple[str, ...] = ()
    """Where a service of the sandbox shows what it asks."""
    offers: str = ""
    """Where an operator of the sandbox shows what it offers."""


SANDBOX_FUNDER: Final = "agglo-cabardes"
SANDBOX_OFFICER: Final = "guichet"


MAX_IMPORT: Final = 20_000_000
"""Bytes of a document of aids read at most; the largest we know has 0.3 MB."""


def _text_of(file: Path) -> str:
    from federation.aids.errors import RuleImportError

    if file.stat().st_size > MAX_IMPORT:
        raise RuleImportError(file.name, f"larger than {MAX_IMPORT} bytes")
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RuleImportError(file.name, "not UTF-8") from error


def _json_of(file: Path) -> Any:
    from federation.aids.errors import RuleImportError

    try:
        return json.loads(_text_of(file))
    except (ValueError, RecursionError) as error:
        raise RuleImportError(file.name, "not a JSON document") from error


def import_aids(
    parts: HubParts,
    file: Path,
    *,
    dry_run: bool,
    index: Path | None = None,
    source: str = "",
    licence: str = "",
) -> dict[str, Any]:
    """Import a file of aids and say what changed. A table (`.csv`) says no source or licence: they
    come with it. `index`: the territories of a bicycle model that comes without them.

    Raises:
        RuleImportError: unreadable, too large, or not a document we know; nothing changed.
    """
    from federation.aids.imports import inspect
    from federation.aids.interchange import read_table
    from federation.aids.velo import join_index

    if file.suffix == ".csv":
        document = read_table(_text_of(file), source=source, licence=licence)
    else:
        document = _json_of(file)
        if index is not None:
            document = join_index(document, _json_of(index))
    found, difference = parts.hub.publishing.import_document(document, dry_run=dry_run)
    return {
        "model": found.model,
        "aids": len(found.aids),
        "added": list(difference.added),
        "changed": {slug: list(names) for slug, names in difference.changed.items()},
        "removed": list(difference.removed),
        "unchanged": difference.unchanged,
        "skipped": [list(pair) for pair in found.skipped],
        "quality": Counter(f.code for f in inspect(found.aids, utcnow().date())),
        "kept": not dry_run,
    }


def founding_members(settings: Settings) -> tuple[Member, ...]:
    """The members of a sandbox: the home, its connectors, and the fictitious parties."""
    if not settings.sandbox:
        return ()
    from connectors.sandbox.story import EMPLOYMENT, OPERATOR_NAME
    from federation.aids.covoiturage import CARPOOL_FAMILY, CARPOOL_TRIPS
    from federation.aids.national import FMD_FAMILY, PASS_FAMILY

    home = settings.did(Node.HOME)
    return (
        Member(
            home,
            "Hébergeur de démonstration",
            frozenset((Role.HOME,)),
            frozenset(("UsageProof",)) | COMPUTED,
        ),
        Member(
            f"{home}:connecteurs:tracemob",
            "Tracemob, relevé par l'hébergeur",
            frozenset((Role.TRACE_APP,)),
            evidence=Evidence.SENSED,
        ),
        Member(
            f"{home}:connecteurs:push",
            "Applications appairées à l'hébergeur",
            frozenset((Role.TRACE_APP,)),
            evidence=Evidence.SENSED,
        ),
        Member(
            settings.did(Node.SANDBOX, "operateur"),
            OPERATOR_NAME,
            frozenset((Role.OPERATOR,)),
            frozenset(
                (
                    "CarpoolJourney",
                    "InvoiceCredential",
                    "PassCredential",
                    "TripCredential",
                    "UsageProof",
                )
            ),
            evidence=Evidence.OPERATOR,
            families=frozenset((CARPOOL_TRIPS,)),
            offers=f"{settings.url(Node.SANDBOX)}/operateur/offres",
        ),
        Member(
            settings.did(Node.SANDBOX, "employeur"),
            EMPLOYMENT.employer_name,
            frozenset((Role.EMPLOYER,)),
            frozenset(("AffiliationCredential",)),
            families=frozenset((FMD_FAMILY, PASS_FAMILY)),
        ),
        Member(
            settings.did(Node.SANDBOX, "identite"),
            IDENTITY_NAME,
            frozenset((Role.IDENTITY,)),
            frozenset(("IdentityCredential",)),
            families=frozenset((CARPOOL_FAMILY,)),
        ),
        *_sandbox_services(settings),
    )


def _sandbox_services(settings: Settings) -> Iterator[Member]:
    """The registers, and each relying party with what it announces."""
    from connectors.sandbox.registers import NETWORK, PASS, REGISTERED, REGISTERS, REGISTERS_NAME
    from connectors.sandbox.services import SERVICES

    base = settings.url(Node.SANDBOX)
    yield Member(
        settings.did(Node.SANDBOX, REGISTERS),
        REGISTERS_NAME,
        frozenset((Role.IDENTITY,)),
        frozenset(REGISTERED),
    )
    for path in dict.fromkeys(demo.path for demo in SERVICES):
        own = [demo for demo in SERVICES if demo.path == path]
        yield Member(
            settings.did(Node.SANDBOX, path),
            own[0].name,
            frozenset(),  # it asks; as a service it has no part in anything else
            frozenset((PASS,)) if path == NETWORK else frozenset(),
            announces=tuple(f"{base}/{path}/{demo.profile.id}/annonce" for demo in own),
        )


def seed_sandbox(parts: HubParts) -> None:
    """The fictitious public employer with the two national aids, and one officer at the desk."""
    from connectors.sandbox.story import EMPLOYMENT

    hub = parts.hub
    if hub.publishing.funder(SANDBOX_FUNDER) is None:
        hub.publishing.add_funder(
            SANDBOX_FUNDER,
            EMPLOYMENT.employer_name,
            siret=EMPLOYMENT.siret,
            service="Direction des ressources humaines",
            contact="drh@example.invalid",
        )
        hub.publishing.add_public_employer_aids(SANDBOX_FUNDER)
        hub.publishing.add_carpool_incentive(SANDBOX_FUNDER)
    path = desk_password_file(parts.settings)
    if not path.exists():
        password = secrets.token_urlsafe(12)
        parts.add_officer(SANDBOX_FUNDER, SANDBOX_OFFICER, password, name="Dominique Sabatier")
        path.touch(mode=0o600)
        path.write_text(password, "utf-8")


def desk_password_file(settings: Settings) -> Path:
    """Where a sandbox keeps the password of its fictitious officer."""
    return settings.state / "hub-keys" / "sandbox-officer.txt"


def hub_settings(settings: Settings) -> "HubSettings":
    """The hub package's own settings."""
    from federation.hub.settings import HubSettings

    given: dict[str, Any] = {}
    if settings.hub_database_url is not None:
        given["database_url"] = settings.hub_database_url
    if settings.sandbox:
        given["timestamp_url"] = f"{settings.url(Node.SANDBOX)}/horodatage"
        given["timestamp_roots"] = _sandbox_roots(settings)
    return HubSettings(
        folder=settings.state,
        public_url=settings.url(Node.HUB),
        did=Did(settings.did(Node.HUB)),
        allow_loopback=_loopback(settings),
        sandbox=settings.sandbox,
        **given,
    )


def _sandbox_roots(settings: Settings) -> Path:
    """Root of the sandbox's timestamp authority, which has no legal value."""
    from connectors.sandbox.parties import SandboxSettings
    from connectors.sandbox.timestamping import TimestampAuthority

    seed = SandboxSettings(state=settings.state / "sandbox.json").timestamp_seed
    path = settings.state / "horodatage.pem"
    if not path.exists():
        pem = TimestampAuthority.open(seed, utcnow).root_pem
        path.write_bytes(pem)  # the same bytes whoever writes them
    return path


def open_hub(settings: Settings) -> HubParts:
    """Open the hub's database and publish what is not published yet."""
    from federation.hub.context import HubContext
    from portal.register import account_of

    given = hub_settings(settings)
    register = account_of(given, clock=utcnow)
    return HubParts(settings, HubContext.build(given, clock=utcnow, register=register))


@contextmanager
def hub_parts(settings: Settings) -> Iterator[HubParts]:
    """A hub without background work, for one command."""
    parts = open_hub(settings)
    try:
        yield parts
    finally:
        parts.stop()


# --- sandbox, migrations, worker -----------------------------------------------------------------


def open_sandbox(settings: Settings) -> "FastAPI":
    """The fictitious sources and issuers.

    Raises:
        SettingsContradictionError: outside the sandbox.
    """
    if not settings.sandbox:
        raise SettingsContradictionError("sandbox", "the sandbox server runs only with --sandbox")
    from connectors.sandbox.app import create_sandbox_app
    from connectors.sandbox.parties import SandboxSettings

    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return create_sandbox_app(
        SandboxSettings(
            base_url=settings.url(Node.SANDBOX),
            state=settings.state / "sandbox.json",
            home_url=settings.url(Node.HOME),
            hub_url=settings.url(Node.HUB),
        )
    )


def migrate_hub(settings: Settings) -> dict[str, Any]:
    """Bring the hub's database to the newest version."""
    with hub_parts(settings):
        return {"hub": "up-to-date"}


def migrate_all(settings: Settings) -> dict[str, Any]:
    """Bring every database to the newest version, each under its lock."""
    with home_only(settings):
        pass
    url = settings.home_database_url or f"sqlite:///{settings.state / 'connectors.db'}"
    ConnectorStore.open(url, seal=None).close()
    return {
        "home": "up-to-date",
        "sessions": "up-to-date",
        "connectors": "up-to-date",
    } | migrate_hub(settings)


def run_worker(settings: Settings) -> None:
    """A Celery worker for the blind jobs of home and hub."""
    from federation.wire.tasks import QueueSettings
    from federation.wire.worker import run_worker as serve

    if settings.broker_url is None:
        raise SettingsContradictionError("broker_url", "needed by a worker")

    def home_runner() -> Any:
        return open_home(settings).home.runner()

    def hub_runner() -> Any:
        return open_hub(settings).hub.runner()

    stores: dict[str, Callable[[], Any]] = {"home": home_runner, "hub": hub_runner}
    serve(QueueSettings(broker_url=settings.broker_url), stores)


def ready(settings: Settings, home: Home, *, at: datetime) -> dict[str, Any]:
    """What `/readyz` answers: whether trust is known and the sandbox's members are accredited."""
    snapshot = home.trust
    missing = [
        m.did
        for m in founding_members(settings)
        if snapshot is None or snapshot.entry(m.did) is None
    ]
    known = snapshot is not None and snapshot.expires_at > at + timedelta(0)
    return {
        "ready": known and not missing,
        "trust": snapshot.version if snapshot else 0,
        "missing": missing,
    }
