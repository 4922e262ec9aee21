"""The one object a hub is made of: settings, clock, store, keys, and the services on them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from federation.credentials import StatusSource, StatusUnreachableError
from federation.did import DidResolver, DidWebResolver, Resolver
from federation.hub.affiliation_links import LINK, AffiliationLinks
from federation.hub.affiliations import AffiliationService
from federation.hub.audits import AuditService
from federation.hub.desk import DeskService
from federation.hub.document_keys import DocumentKeys
from federation.hub.drafting import DraftService
from federation.hub.enrolment import EnrolmentService
from federation.hub.evidence import CHECKPOINT, TIMESTAMP, DecisionLog
from federation.hub.funder_aids import FunderAids
from federation.hub.infrastructure import InfrastructureService
from federation.hub.keys import HubKeys
from federation.hub.members import MemberService
from federation.hub.no_prior_aid import NoPriorAidService
from federation.hub.notices import DIGEST, MAIL, NoticeService
from federation.hub.offers import OfferService
from federation.hub.open_data import OpenDataService
from federation.hub.payments import PaymentService
from federation.hub.publishing import PublishingService
from federation.hub.register import JOB as JOURNEYS
from federation.hub.register import AccountAtRegister, RegisterChecks
from federation.hub.registry import RegistryService
from federation.hub.reports import ReportService
from federation.hub.reserved import ReservedAids
from federation.hub.service import ApplicationService
from federation.hub.services import ServiceDirectory
from federation.hub.settings import HubSettings
from federation.hub.standing import StandingService
from federation.hub.status_lists import StatusLists
from federation.hub.store import HubStore
from federation.hub.verifying import VerifyService
from federation.hub.witness import WitnessService
from federation.wire.http import AddressPolicy, BoundedClient
from federation.wire.jobs import Dispatcher, Runner
from federation.wire.mail import Mailer, SmtpMailer
from federation.wire.paging import CursorSigner
from schemas.errors import MobilityError

if TYPE_CHECKING:
    from federation.hub.passkeys import MemberPasskeys

__all__ = ["HubContext", "utc_now"]

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of a real server."""
    return datetime.now(UTC)


class NetworkStatus:
    """Status lists of other issuers, over the network within bounds."""

    def __init__(self, client: BoundedClient) -> None:
        self._client = client

    def status_list(self, url: str) -> Mapping[str, Any] | bytes:
        """Fetch one list.

        Raises:
            StatusUnreachableError: no usable answer now.
        """
        try:
            return self._client.get(
                url,
                accept=(
                    "application/vc",
                    "application/ld+json",
                    "application/json",
                    "application/statuslist+jwt",
                ),
            ).body
        except MobilityError as error:
            raise StatusUnreachableError(f"the status list cannot be read: {error.code}") from error


class HubContext:
    """Every collaborator of one hub. Build it once; close it at the end."""

    def __init__(
        self,
        settings: HubSettings,
        *,
        store: HubStore,
        keys: HubKeys,
        clock: Clock,
        status: StatusSource | None = None,
        client: BoundedClient | None = None,
        register: AccountAtRegister | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.keys = keys
        self.clock = clock
        self.client = client
        self.signer = keys.signer("hub", settings.did)
        self.cursors = CursorSigner(keys.secret("cursors"))
        self._dispatcher: Dispatcher | None = None
        self.registry = RegistryService(settings, store, self.signer, clock)
        self.publishing = PublishingService(settings, store, keys, self.registry, clock)
        self.reserved = ReservedAids(settings, keys, self.publishing)
        self.open_data = OpenDataService(settings, self.publishing, clock)
        self.reports = ReportService(store, self.publishing, clock)
        self.outbound = client or BoundedClient(
            allow=AddressPolicy.WITH_LOOPBACK if settings.allow_loopback else AddressPolicy.PUBLIC
        )
        """For what others publish: status lists, DID documents, timestamps."""
        outside = status or NetworkStatus(self.outbound)
        self.status_lists = StatusLists(settings, store, keys, clock=clock, outside=outside)
        self.verifying = VerifyService(self.registry, DidResolver(), self.status_lists, clock)
        self.audits = AuditService(settings, store, self.publishing, self.registry, clock)
        self.log = DecisionLog(
            settings,
            store,
            self.publishing,
            signer=self.signer,
            clock=clock,
            client=self.outbound,
            wake=self._wake,
        )
        server = settings.mail_server
        self.mailer: Mailer | None = None if server is None else SmtpMailer(server)
        self.notices = NoticeService(
            settings, store, self.publishing, mailer=self.mailer, clock=clock
        )
        self.register = RegisterChecks(store, self.publishing, register, clock)
        self.applications = ApplicationService(
            settings,
            store,
            keys=keys,
            publishing=self.publishing,
            registry=self.registry,
            verifying=self.verifying,
            status_lists=self.status_lists,
            clock=clock,
            wake=self._wake,
            audits=self.audits,
            log=self.log,
            notices=self.notices,
            register=self.register,
        )
        self.infrastructure = InfrastructureService(store, clock)
        self.offers = OfferService(settings, store, self.registry, clock)
        self.services = ServiceDirectory(settings, store, self.registry, self.signer, clock)
        self.witness = WitnessService(store, clock)
        self.members = MemberService(settings, store, clock)
        self.enrolment = EnrolmentService(settings, store, self.members, clock)
        self.affiliations = AffiliationService(
            settings,
            store,
            keys=keys,
            publishing=self.publishing,
            registry=self.registry,
            status_lists=self.status_lists,
            clock=clock,
        )
        self.no_prior_aid = NoPriorAidService(
            settings,
            store,
            signer=self.signer,
            publishing=self.publishing,
            verifying=self.verifying,
            affiliations=self.affiliations,
            clock=clock,
        )
        self.standing = StandingService(store, self.publishing, clock)
        self.links = AffiliationLinks(
            settings,
            store,
            self.affiliations,
            self.publishing,
            mailer=self.mailer,
            clock=clock,
            wake=self._wake,
        )
        self.document_keys = DocumentKeys(store, keys, clock)
        self.aids = FunderAids(self.publishing, self.enrolment, self.affiliations, clock)
        self.drafts = DraftService(store, self.publishing, self.aids, clock)
        self.payments = PaymentService(store, self.publishing, clock)
        self.desk = DeskService(store, self.applications, self.publishing, self.cursors, clock)

    @cached_property
    def conformance_resolver(self) -> Resolver:
        """DIDs of strangers, for VC-API alone: one for the process, so that what it read is kept a
        short while. Product verification resolves `did:key` and nothing else."""
        loopback = self.settings.allow_loopback
        return DidResolver(web=DidWebResolver(self.outbound.get_json, loopback_http=loopback))

    @cached_property
    def passkeys(self) -> "MemberPasskeys":
        """Passkeys of the members; loaded when first asked for."""
        from federation.hub.passkeys import MemberPasskeys

        return MemberPasskeys(self.settings, self.store, self.members, self.clock)

    @classmethod
    def build(
        cls,
        settings: HubSettings,
        *,
        clock: Clock = utc_now,
        status: StatusSource | None = None,
        migrate: bool = True,
        register: AccountAtRegister | None = None,
    ) -> Self:
        """Open the store and the keys of `settings`, and publish what is not published yet."""
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = HubStore(settings.url, migrate=migrate)
        context = cls(
            settings,
            store=store,
            keys=HubKeys(settings.keys_folder),
            clock=clock,
            status=status,
            register=register,
        )
        context.registry.ensure()
        context.publishing.ensure()
        context.log.ensure()
        context.notices.ensure()
        return context

    def runner(self) -> Runner:
        """Runs this hub's blind jobs: in a thread, or in a Celery worker."""
        return Runner(
            self.store.outbox,
            {
                "hub.verify": self.applications.run_verification,
                "hub.acknowledge": self.applications.run_acknowledgement,
                CHECKPOINT: self.log.run_checkpoint,
                TIMESTAMP: self.log.run_timestamp,
                MAIL: self.notices.run_mail,
                DIGEST: self.notices.run_digest,
                LINK: self.links.run,
                JOURNEYS: self.register.run,
            },
            clock=self.clock,
        )

    def use_dispatcher(self, dispatcher: Dispatcher) -> None:
        """Who to wake after a commit that wrote a job."""
        self._dispatcher = dispatcher

    def _wake(self, job_id: str) -> None:
        if self._dispatcher is not None:
            self._dispatcher.wake(job_id)

    def close(self) -> None:
        """Stop the dispatcher, close the connections to the register and the database."""
        if self._dispatcher is not None:
            self._dispatcher.stop()
        self.register.close()
        self.store.close()
