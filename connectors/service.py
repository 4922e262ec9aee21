"""One door for pages and command line: accounts, pulls, pairing, previews, imports.

Works while the vault is locked; nothing here opens one. Tokens of sources go to the home's sealed
store of source tokens, everything else of an account to `connectors.db`.
"""

import hashlib
import io
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Final, Protocol

from connectors.accounts import Health, SourceAccount
from connectors.base import AccountView, ConnectorFactory, FileImporter, Rejected
from connectors.carpool.bookings import BOOKING, CarpoolBookings
from connectors.contract.connector import AccountConnector
from connectors.contract.documents import SOURCE as OPERATOR_ACCOUNT
from connectors.contract.linking import AccountLinks, AccountPreview
from connectors.contract.news import News
from connectors.contract.oauth import AccountTransport
from connectors.cozy.linking import COZY, CozyLinks
from connectors.cozy.oauth import CozyTransport
from connectors.depositing import SealingDepositor
from connectors.elsewhere.client import ClientIdentity
from connectors.elsewhere.linking import ELSEWHERE, AccountsElsewhere
from connectors.emission.client import Transport
from connectors.errors import (
    HostileInputError,
    SourceRefusedError,
    UnknownAccountError,
    UnknownConnectorError,
    UnknownFormatError,
)
from connectors.files.archive import opened
from connectors.home import ServiceHome, SourceTokens
from connectors.http import source_client
from connectors.identity.entitlements import Entitlement
from connectors.identity.login import Identity, attributes
from connectors.identity.logins import IdentityProvider, Logins
from connectors.mapping import MappedFile, MappingFile
from connectors.phones.form import App
from connectors.phones.service import KIND as PHONE_KIND
from connectors.phones.service import PhoneService
from connectors.phones.setup import Setup, gpslogger_profile, setup
from connectors.push.service import PairingCode, PushService
from connectors.registry import SHARED_ACCOUNT, factories, importers, kinds_of
from connectors.runner import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    RunReport,
    choose,
    import_file,
    next_run,
    sync,
)
from connectors.store.store import ConnectorStore
from federation.wire.http import BoundedClient
from schemas.errors import MobilityError
from schemas.observations import LabelObservation, TripObservation

TRACEMOB: Final = "tracemob"
FILES: Final = "fichier"
IDENTITY: Final = "identite"
"""Also the name of the home's depositor whose attributes count as relayed (`Home.may_relay`)."""
EVERY: Final = timedelta(hours=6)
MAX_HISTORY: Final = 20
"""Runs remembered of an account: five days at four a day."""
MAX_SAMPLES: Final = 5
LEAVING_S: Final = 20.0
"""Seconds that a vault which is destroyed waits for its sources to delete what it had there."""
_NOT_PULLED: Final = frozenset({FILES, ELSEWHERE})
"""A file is imported once; what an account says is shown before it is kept."""
TRIP_SCOPE: Final = ("Trip",)
ATTRIBUTE_SCOPE: Final = ("Attribute",)
ACCOUNT_BACK: Final = "/sources/comptes/retour"
"""Where a service sends the browser back to."""
INVOICE_KINDS: Final = ("Trip", "Invoice", "Subscription")


class SourceTransport(Transport, CozyTransport, AccountTransport, Protocol):
    """Requests of every pulled source (`connectors.http.HttpTransport`)."""


OutboundOf = Callable[[], AbstractContextManager[BoundedClient]]
"""A bounded client, closed after use."""
Planner = Callable[[str, str], object]
TransportOf = Callable[[str], AbstractContextManager[SourceTransport]]
"""A way to talk to a base address, closed after use."""


@dataclass(frozen=True, slots=True)
class Departure:
    """What became of a vault's clients at its sources."""

    removed: int
    left: tuple[str, ...]
    """Addresses of sources that still have one: they did not answer, or not in time."""


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """An account or a paired app, as the citizen reads it."""

    id: str
    name: str
    source: str
    account: str
    scope: tuple[str, ...]
    last_run_at: datetime | None
    health: str
    """`ok`, `never`, `failing` or `revoked`; of a file also `cut`: its import is not over."""
    error_code: str | None
    can_pull: bool
    revoked: bool
    next_run_at: datetime | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    """The last run: pages, records, rejections by place and rule; `failures` in a row; `history` of
    earlier runs; `running` while one is under way."""
    is_file: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file holds, before anything of it is kept."""

    format: str
    title: str
    trips: int
    labels: int
    since: datetime | None
    until: datetime | None
    rejected: tuple[Rejected, ...]
    rejected_count: int
    skipped: dict[str, int]
    samples: tuple[TripObservation, ...] = ()
    """The first trips, to see whether they are what the person knows."""


class ConnectorService:
    """Sources of the vaults of one home."""

    def __init__(
        self,
        home: ServiceHome,
        store: ConnectorStore,
        *,
        clock: Callable[[], datetime],
        transport: TransportOf,
        address: str,
        identity: IdentityProvider | None = None,
        outbound: OutboundOf = source_client,
        service_clients: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        self._home, self._store, self._clock, self._transport = home, store, clock, transport
        self.identity = identity
        self.logins = Logins(store, identity, clock=clock)
        self.push = PushService(home, store, clock=clock, address=address)
        self.phones = PhoneService(home, store, clock=clock)
        self.cozy = CozyLinks(
            store, lambda: home.tokens, clock=clock, transport=transport, address=address
        )
        self.carpool = CarpoolBookings(home, store, provider=lambda: home.passport, clock=clock)
        news = News(home, store, clock=clock, address=address, bring_forward=self._bring_forward)
        self.operators = AccountLinks(
            store, lambda: home.tokens, news, clock=clock, transport=transport, address=address
        )
        self.planner: Planner | None = None
        """Writes an account's next run to the outbox (`connectors.jobs`); None: nobody does."""
        self.elsewhere = AccountsElsewhere(
            store,
            lambda: home.tokens,
            clock=clock,
            http=outbound,
            identity=lambda: ClientIdentity(
                address + ACCOUNT_BACK,
                home.key_store.secret("mobility-account"),
                home.signer(),
                service_clients or {},
            ),
        )
        self._address = address
        home.register_feed(self.phones.take_in)

    def close(self) -> None:
        """Forget the keys of points under way and let the database go."""
        self.phones.close()
        self._store.close()

    # what is connected

    def accounts(self, vault_id: str) -> tuple[AccountStatus, ...]:
        """Source accounts, then paired apps."""
        pulled = [
            AccountStatus(
                id=account.account_id,
                name=account.address,
                source=account.connector,
                account=account.account_id,
                scope=ATTRIBUTE_SCOPE
                if account.connector == ELSEWHERE
                else kinds_of(account.connector),
                last_run_at=account.last_run_at,
                health=_health(account.health),
                error_code=account.last_report.get("error"),
                can_pull=account.health is not Health.RECONNECT and account.connector != ELSEWHERE,
                revoked=False,
                next_run_at=account.retry_at,
                report={} if account.connector == ELSEWHERE else account.last_report,
            )
            if account.connector != FILES
            else AccountStatus(
                id=account.account_id,
                name=account.address,
                source=str(account.last_report.get("source", FILES)),
                account=account.account_id,
                scope=TRIP_SCOPE,
                last_run_at=account.last_run_at,
                health="cut" if "running" in account.last_report else "ok",
                error_code=None,
                can_pull=False,
                revoked=False,
                report=account.last_report,
                is_file=True,
            )
            for account in self._store.accounts(vault_id)
        ]
        pushed = [
            AccountStatus(
                id=token.token_id,
                name=token.app,
                source=f"push:{token.app}",
                account=f"push:{token.token_id}",
                scope=token.kinds,
                last_run_at=token.last_used_at,
                health="revoked" if token.revoked_at else ("ok" if token.last_used_at else "never"),
                error_code=None,
                can_pull=False,
                revoked=token.revoked_at is not None,
            )
            for token in self._store.tokens(vault_id)
        ]
        return (*pulled, *pushed)

    def account(self, vault_id: str, account_id: str) -> SourceAccount:
        """One source account. Raises UnknownAccountError."""
        return self._store.account(vault_id, account_id)

    def add_tracemob(self, vault_id: str, url: str, token: str) -> AccountView:
        """As `add_source`, for e-mission / Tracemob."""
        return self.add_source(vault_id, TRACEMOB, url, token)

    def add_source(self, vault_id: str, connector: str, url: str, token: str) -> AccountView:
        """Connect an account of a pulled source, after trying it.

        Raises:
            UnknownConnectorError; the `Source…Error`s: nothing is kept.
        """
        factory = self._factory(connector)
        with self._transport(url) as transport:
            view = factory(transport, token=token, account="essai", clock=self._clock).check()
        account_id = f"{connector}:{secrets.token_hex(6)}"
        self._link(vault_id, connector, account_id, name=url, scope=kinds_of(connector))
        self._home.tokens.put(vault_id, connector, account_id, token.encode(), scope="read")
        self._store.put_account(SourceAccount(vault_id, account_id, connector, url))
        return view

    def finish_cozy(self, vault_id: str, query: Mapping[str, str], *, browser: str) -> None:
        """Connect the Cozy that came back (`CozyLinks.begin`); one that was connected before keeps
        its account, and its earlier client is deleted there.

        Raises:
            as `CozyLinks.finish`; the `Source…Error`s: nothing is kept.
        """
        linked = self.cozy.finish(vault_id, query, browser=browser)
        self._connect(vault_id, COZY, linked.address, linked.credentials.to_json())

    def finish_operator(
        self, vault_id: str, query: Mapping[str, str], *, browser: str
    ) -> SourceAccount:
        """Connect the operator that came back (`AccountLinks.begin`). Nothing is brought before
        the person has seen what there is (`preview_operator`) and keeps it (`keep_operator`).

        Raises:
            as `AccountLinks.finish`; the `Source…Error`s: nothing is kept.
        """
        linked = self.operators.finish(vault_id, query, browser=browser)
        return self._connect(
            vault_id, OPERATOR_ACCOUNT, linked.address, linked.credentials.to_json()
        )

    def preview_operator(self, vault_id: str, account_id: str) -> AccountPreview:
        """What an operator's account holds, read and not kept. Raises as `AccountLinks.preview`."""
        account = self._store.account(vault_id, account_id)
        if account.connector != OPERATOR_ACCOUNT:
            raise UnknownAccountError("no account at an operator")
        return self.operators.preview(vault_id, account_id, account.address)

    def keep_operator(self, vault_id: str, account_id: str) -> RunReport:
        """Bring what an operator's account holds, and ask to be told of news.

        Raises:
            UnknownAccountError; errors of the drop-box. Errors of the source are in the report; an
            operator that cannot be asked for news is asked every six hours all the same.
        """
        report = self.pull(vault_id, account_id)
        if report.health is Health.OK:
            self.operators.keep(
                vault_id, account_id, self._store.account(vault_id, account_id).address
            )
        return report

    def _connect(self, vault_id: str, connector: str, address: str, token: str) -> SourceAccount:
        """The account at `address` with a new access; one that was connected before keeps its
        name and cursors, and its earlier access is deleted there."""

        def known() -> SourceAccount | None:
            found = self._store.accounts(vault_id)
            wanted = (connector, address)
            return next((a for a in found if (a.connector, a.address) == wanted), None)

        earlier = known()
        if earlier is None:
            self.add_source(vault_id, connector, address, token)
            made = known()
            if made is None:
                raise UnknownAccountError("disconnected meanwhile")
            return made
        with self._transport(address) as transport:
            factory = self._factory(connector)
            factory(transport, token=token, account="essai", clock=self._clock).check()
        self._leave(earlier)
        self._home.tokens.put(vault_id, connector, earlier.account_id, token.encode(), scope="read")
        again = replace(earlier, health=Health.NEVER_RUN, retry_at=None)
        self._store.put_account(again)
        return again

    def _leave(self, account: SourceAccount) -> bool:
        """Delete at the source what the vault has there; whether nothing is left."""
        if account.connector == COZY:
            return self.cozy.disconnect(account.vault_id, account.account_id, account.address)
        if account.connector == OPERATOR_ACCOUNT:
            return self.operators.disconnect(account.vault_id, account.account_id, account.address)
        if account.connector == ELSEWHERE:
            return self.elsewhere.give_back(account.vault_id, account.account_id)
        return True

    def leave_all(self, vault_id: str, *, budget_s: float = LEAVING_S) -> Departure:
        """Before a vault is destroyed: delete at its sources what it has there, as far as they
        answer within `budget_s`. Nothing here is forgotten yet (`forget_vault`)."""
        until, removed, left = time.monotonic() + budget_s, 0, list[str]()
        for account in self._store.accounts(vault_id):
            if account.connector not in (COZY, OPERATOR_ACCOUNT, ELSEWHERE):
                continue
            if time.monotonic() < until and self._leave(account):
                removed += 1
            else:
                left.append(account.address)
        return Departure(removed, tuple(left))

    def _factory(self, connector: str) -> ConnectorFactory:
        known = factories()
        if connector not in known:
            raise UnknownConnectorError(connector, list(known))
        return known[connector]

    def pull(self, vault_id: str, account_id: str, *, again: bool = False) -> RunReport:
        """Run one account now.

        Raises:
            UnknownAccountError; errors of the drop-box. Errors of the source are in the report.
        """
        account = self._store.account(vault_id, account_id)
        if account.connector in _NOT_PULLED:
            raise UnknownAccountError("read on its page, not pulled")
        kept = self._home.tokens.get(vault_id, account.connector, account_id)
        now = self._clock()
        if kept is None:
            raise SourceRefusedError(where="token", status=401)

        def progress(pages: int, records: int) -> None:
            running = {"since": now.isoformat(), "pages": pages, "records": records}
            self._store.put_account(
                replace(account, last_report={**account.last_report, "running": running})
            )

        with self._transport(account.address) as transport:
            connector = self._factory(account.connector)(
                transport,
                token=bytes(kept.token).decode(),
                account=account_id,
                clock=self._clock,
            )
            try:
                report = sync(
                    connector,
                    self._store.state(vault_id, account_id),
                    self._depositor(vault_id, account.connector, account_id),
                    again=again,
                    progress=progress,
                )
            finally:
                if isinstance(connector, AccountConnector):
                    self.operators.remember(vault_id, account_id, connector.client)
        before = account.last_report
        failures = 0 if report.health is Health.OK else int(before.get("failures", 0)) + 1
        history = [_line(now, report), *before.get("history", [])][:MAX_HISTORY]
        due = next_run(report, at=now, every=EVERY, failures=failures)
        _, told_at = self.operators.news.last(vault_id, account_id)
        if told_at is not None and told_at >= now and report.health is Health.OK:
            due = self._clock()  # a word came while this run was under way
        self._store.put_account(
            replace(
                account,
                health=report.health,
                last_run_at=now,
                retry_at=due,
                last_report={**report.to_json(), "failures": failures, "history": history},
            )
        )
        if self.planner is not None:
            self.planner(vault_id, account_id)
        return report

    def _bring_forward(self, vault_id: str, account_id: str) -> None:
        """Have an account asked now, because its source said that there is something new."""
        try:
            account = self._store.account(vault_id, account_id)
        except UnknownAccountError:
            return
        if account.health is Health.RECONNECT or account.last_run_at is None:
            return
        self._store.put_account(replace(account, retry_at=self._clock()))
        if self.planner is not None:
            self.planner(vault_id, account_id)

    def put_off(self, vault_id: str, account_id: str, error: MobilityError) -> None:
        """A run that could not end, for a reason of ours (no room in the drop-box): later."""
        account = self._store.account(vault_id, account_id)
        if isinstance(error, SourceRefusedError):
            self._store.put_account(replace(account, health=Health.RECONNECT, retry_at=None))
            return
        asked = timedelta(seconds=getattr(error, "retry_after_s", None) or 0)
        due = self._clock() + max(FIRST_PAUSE, min(asked, LONGEST_PAUSE))
        self._store.put_account(replace(account, health=Health.WAITING, retry_at=due))
        if self.planner is not None:
            self.planner(vault_id, account_id)

    def planned(self) -> tuple[SourceAccount, ...]:
        """Accounts of every vault that have a next run."""
        return self._store.planned()

    def pull_all(self, vault_id: str, *, only_due: bool = False) -> dict[str, RunReport]:
        """Run every account of a vault that can be run; with `only_due`, those whose time has
        come."""
        now = self._clock()
        reports = {}
        for account in self._store.accounts(vault_id):
            late = account.retry_at is None or account.retry_at <= now
            if account.connector in _NOT_PULLED or account.health is Health.RECONNECT:
                continue
            if account.connector == OPERATOR_ACCOUNT and account.last_run_at is None:
                continue  # its person has not yet seen what there is
            if only_due and not late:
                continue
            reports[account.account_id] = self.pull(vault_id, account.account_id)
        return reports

    def pair(self, vault_id: str, app_name: str, *, invoices: bool = False) -> PairingCode:
        """A code with which an app gets its push token: for trips, and where asked for invoices and
        passes."""
        kinds = INVOICE_KINDS if invoices else TRIP_SCOPE
        return self.push.offer(vault_id, app_name, kinds=kinds)

    # phones

    def add_phone(self, vault_id: str, app: App) -> Setup:
        """Set a phone up: its token lies in what this gives, and nowhere else."""
        if app == App.GPSLOGGER:
            offered = self.push.offer(vault_id, app.value, kinds=(PHONE_KIND,))
            made = setup(app, address=self._address, token="", profile=offered.code)
            return Setup(app, made.link, ((made.values[0][0], made.link),))
        device = self.phones.add(vault_id, app)
        return setup(app, address=self._address, token=device.token)

    def phone_profile(self, code: str, client: str) -> str:
        """GPSLogger's profile for a one-time code.

        Raises:
            PairingError: wrong, used or expired. PushBusyError: too many tries.
        """
        paired = self.push.pair(code, app=App.GPSLOGGER.value, client=client)
        return gpslogger_profile(address=self._address, token=paired.token)

    # identity

    def begin_identity(
        self,
        vault_id: str,
        *,
        browser: str,
        redirect_uri: str,
        also: tuple[Entitlement, ...] = (),
    ) -> str:
        """See `Logins.begin`."""
        return self.logins.begin(vault_id, browser=browser, redirect_uri=redirect_uri, also=also)

    def finish_identity(
        self,
        vault_id: str,
        query: Mapping[str, str],
        *,
        browser: str,
        redirect_uri: str | None = None,
    ) -> Identity:
        """Read who came back (`Logins.finish`), and leave its attributes, relayed, in the
        drop-box."""
        identity = self.logins.finish(vault_id, query, browser=browser, redirect_uri=redirect_uri)
        provider = self.logins.provider
        account = f"{IDENTITY}:{_hash(provider.issuer).hex()[:12]}"
        found = attributes(identity, account=account)
        self._link(vault_id, IDENTITY, account, name=provider.name, scope=ATTRIBUTE_SCOPE)
        self._depositor(vault_id, IDENTITY, account).deposit(found)
        return identity

    def revoke(self, vault_id: str, account_id: str) -> None:
        """Disconnect a source account or an app. What it brought stays.

        Raises:
            UnknownAccountError, PushTokenError: there is no such one.
        """
        token = self._store.token_of(vault_id, account_id)
        if token is not None:
            if PHONE_KIND in token.kinds:
                self.phones.revoke(vault_id, account_id)
            elif BOOKING in token.kinds:
                self.carpool.revoke(vault_id, account_id)
            else:
                self.push.revoke(vault_id, account_id)
            return
        account = self._store.account(vault_id, account_id)
        if account.connector == ELSEWHERE:
            self.elsewhere.disconnect(vault_id, account_id)
            return
        self._leave(account)
        self._home.tokens.remove(vault_id, account.connector, account_id)
        did, _ = self._home.connector_signer(account.connector)
        self._home.revoke_link(vault_id, did, account_id)
        self._store.forget_account(vault_id, account_id)

    # files

    def preview(self, data: bytes, *, mapping: MappingFile | None = None) -> Preview:
        """Read a file, or the files in a ZIP, without keeping anything.

        Raises:
            UnknownFormatError, HostileInputError.
        """
        trips, labels, count = 0, 0, 0
        samples: list[TripObservation] = []
        names: dict[str, str] = {}
        since: datetime | None = None
        until: datetime | None = None
        rejected: list[Rejected] = []
        skipped: dict[str, int] = {}
        for importer, stream in self._readers(io.BytesIO(data), mapping):
            names[importer.name] = importer.title
            for page in importer.read(stream, account=FILES, at=self._clock()):
                for record in page.records:
                    if isinstance(record, TripObservation):
                        trips += 1
                        since = min(since or record.started_at, record.started_at)
                        until = max(until or record.ended_at, record.ended_at)
                        samples += [record] if len(samples) < MAX_SAMPLES else []
                    elif isinstance(record, LabelObservation):
                        labels += 1
                count += len(page.rejected)
                rejected.extend(page.rejected[: 50 - len(rejected)])
                for name, number in page.skipped.items():
                    skipped[name] = skipped.get(name, 0) + number
        return Preview(
            format=", ".join(names),
            title=", ".join(names.values()),
            trips=trips,
            labels=labels,
            since=since,
            until=until,
            rejected=tuple(rejected),
            rejected_count=count,
            skipped=skipped,
            samples=tuple(samples),
        )

    def import_file(
        self,
        vault_id: str,
        data: bytes | BinaryIO,
        name: str = "",
        *,
        mapping: MappingFile | None = None,
    ) -> RunReport:
        """Import a file, or the files in a ZIP: declared evidence, since anybody can edit one.
        `name` is not kept. A stream is read as it goes.

        Each import has an account of its own, by which it is undone; but for formats whose trips
        and labels come in two files (`SHARED_ACCOUNT`). One that was cut short goes on when the
        same bytes come again, in its account: what was deposited is known, so nothing is doubled
        and the whole is undone in one act.

        Raises:
            UnknownFormatError, HostileInputError; errors of the drop-box.
        """
        del name
        stream = io.BytesIO(data) if isinstance(data, bytes) else data
        digest = _digest(vault_id, stream)
        accounts: dict[str, str] = {}
        total = RunReport()
        for importer, member in self._readers(stream, mapping):
            source = getattr(importer, "source", importer.name)
            account = accounts.get(importer.name)
            if account is None:
                account = self._unfinished(vault_id, importer.name, digest)
                accounts[importer.name] = account
                self._link(vault_id, FILES, account, name=importer.title)
                begun = {"since": self._clock().isoformat(), "pages": 0, "records": 0}
                begun_report = {"source": source, "running": {**begun, "file": digest}}
                self._store.put_account(
                    SourceAccount(
                        vault_id, account, FILES, importer.title, last_report=begun_report
                    )
                )
            state = self._store.state(vault_id, account)
            try:
                report = import_file(
                    member,
                    [importer],
                    self._depositor(vault_id, FILES, account),
                    account=account,
                    at=self._clock(),
                    state=state,
                )
            except HostileInputError:
                if not state.load(importer.name).seen:  # nothing of it to go on with, or to undo
                    self._store.forget_account(vault_id, account)
                raise
            total = total.plus(report)
            known = self._store.account(vault_id, account)
            self._store.put_account(
                replace(
                    known,
                    health=Health.OK,
                    last_run_at=self._clock(),
                    last_report={**known.last_report, **total.to_json()},
                )
            )
        for account in accounts.values():
            known = self._store.account(vault_id, account)
            told = {name: value for name, value in known.last_report.items() if name != "running"}
            self._store.put_account(replace(known, last_report=told))
        return total

    def _unfinished(self, vault_id: str, format_: str, digest: str) -> str:
        """The account of this file's import that was cut short, else a new one."""
        account = f"{FILES}:{format_}"
        if format_ in SHARED_ACCOUNT:
            return account
        for known in self._store.accounts(vault_id):
            if (
                known.connector == FILES
                and known.account_id.startswith(f"{account}:")
                and known.last_report.get("running", {}).get("file") == digest
            ):
                return known.account_id
        return f"{account}:{secrets.token_hex(4)}"

    def _readers(
        self, stream: BinaryIO, mapping: MappingFile | None
    ) -> Iterator[tuple[FileImporter, BinaryIO]]:
        """What reads the file, or each file of a ZIP; inside one, what nobody knows is passed."""
        known = [MappedFile(mapping)] if mapping is not None else list(importers())
        unknown: UnknownFormatError | None = None
        any_read = False
        for inside, member in opened(stream):
            if mapping is not None and not inside:
                yield known[0], member
                return
            try:
                importer = choose(member, known)
            except UnknownFormatError as error:
                unknown = error
                continue
            any_read = True
            yield importer, member
        if not any_read:
            raise unknown or UnknownFormatError([importer.name for importer in known])

    def forget_vault(self, vault_id: str) -> None:
        """Remove all that concerns a shredded vault."""
        self._store.forget_vault(vault_id)

    def forget_destroyed(self, is_destroyed: Callable[[str], bool]) -> int:
        """Remove what concerns vaults that were destroyed: a process may have died between that and
        forgetting one here. Returns how many. A vault that the home merely does not know stays: its
        database may be another one by mistake."""
        gone = [vault_id for vault_id in self._store.vaults() if is_destroyed(vault_id)]
        for vault_id in gone:
            self._store.forget_vault(vault_id)
        return len(gone)

    # inside

    def _link(
        self,
        vault_id: str,
        connector: str,
        account: str,
        *,
        name: str,
        scope: tuple[str, ...] = TRIP_SCOPE,
    ) -> None:
        did, _ = self._home.connector_signer(connector)
        self._home.link_depositor(vault_id, did, account, name=name, scope=scope)

    def _depositor(self, vault_id: str, connector: str, account: str) -> SealingDepositor:
        return SealingDepositor(
            self._home.drop_box(vault_id),
            vault_id=vault_id,
            account=account,
            signer=self._home.connector_signer(connector)[1],
            store=self._store,
            clock=self._clock,
        )


def _line(at: datetime, report: RunReport) -> dict[str, Any]:
    """A run in one line of an account's history."""
    return {
        "at": at.isoformat(timespec="seconds"),
        "health": report.health.value,
        "records": report.records,
        "rejected": report.rejected_count,
        "error": report.error,
    }


def _digest(vault_id: str, stream: BinaryIO) -> str:
    """Which file of which vault: says nothing of it to who has not the file. Leaves the stream at
    its beginning."""
    found = hashlib.sha256(f"import {vault_id}\n".encode())
    while chunk := stream.read(1 << 20):
        found.update(chunk)
    stream.seek(0)
    return found.hexdigest()


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()


def _health(health: Health) -> str:
    match health:
        case Health.OK:
            return "ok"
        case Health.NEVER_RUN:
            return "never"
        case Health.RECONNECT:
            return "revoked"
        case _:
            return "failing"


__all__ = [
    "AccountStatus",
    "ConnectorService",
    "IdentityProvider",
    "Preview",
    "ServiceHome",
    "SourceTokens",
]
