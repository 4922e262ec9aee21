"""An issuer at work: rows in, deposits and credentials out.

One pass (`step`): (1) read files that changed and ask databases; (2) keep each row as a record by
its own reference, so that reading twice changes nothing; what cannot be read is kept as it came,
with its line; (3) where the operator has an account at the State's register, ask it about journeys
whose status may be final (`registering.py`); (4) leave in each linked customer's vault what it does
not have yet, sealed and signed; a page is marked only once the home's receipt came, and sent again
it is the same observations. A customer whose home is away holds nobody up.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from connectors.depositing import DropBox, SealingDepositor
from connectors.disputing import read_dispute
from connectors.errors import ConnectorError, HostileInputError
from connectors.issuer.accreditation import accreditation_request
from connectors.issuer.api.held import Secrets
from connectors.issuer.api.issuance import Offering, offer_answer, sd_jwt_vc
from connectors.issuer.client import rows_of
from connectors.issuer.documents import TYPES, body_of, iri_of, observation_of
from connectors.issuer.intake import MAX_FILE, csv_rows, is_signed, json_rows
from connectors.issuer.keys import IssuerKeys
from connectors.issuer.registering import (
    LOOK_BACK,
    JourneyRegister,
    as_registered,
    due,
    place_of,
    stamp_of,
)
from connectors.issuer.rows import Row, read_row
from connectors.issuer.settings import IssuerSettings, Kind, Produces, Source
from connectors.issuer.store import Customer, Fault, Ledger, Taken
from connectors.parsing import UnusableError
from connectors.rpc.client import JourneyUnknownError
from connectors.rpc.wire import JourneyStatus
from connectors.store import ConnectorStore
from federation.credentials.sd_jwt_vc import issue_sd_jwt_vc, vct_of
from federation.credentials.token_status import TokenStatus, issue_token_status_list
from federation.did import Resolver, did_document, url_of
from federation.disputes import SERVICE, DisputeError
from federation.keys import PublicKey, did_key
from schemas.errors import InvalidInput, MobilityError, Refused, Retriable

__all__ = ["CustomerInvalidError", "IssuerService", "Pushed", "WebhookRefusedError"]

_log = structlog.get_logger(__name__)

PAGE: Final = 400
"""Records of one push."""
LOOKBACK: Final = timedelta(days=2)
"""A database is asked again for what it said lately: rows are committed late, clocks differ."""
SETTLED: Final = timedelta(seconds=2)
"""A file that changed since may still be written to."""
REGISTER: Final = "@register"
"""Where stamps of the register are kept: no source bears this name."""
ASKED: Final = 500
"""Journeys asked about in one pass; the register allows 2 000 a minute."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
STATUS_LIFE: Final = timedelta(hours=12)
MAX_PLACE: Final = 300


class WebhookRefusedError(ConnectorError, Refused):
    """No such webhook, or the signature is not that of its secret, now."""

    code = "webhook-refused"

    def __init__(self) -> None:
        super().__init__("no webhook of this name and signature")


class CustomerInvalidError(ConnectorError, InvalidInput):
    """The three lines that name a vault are not what a home gives."""

    code = "customer-invalid"


@dataclass(frozen=True, slots=True)
class Pushed:
    """What one pass left in vaults."""

    records: int = 0
    customers: int = 0
    held_up: int = 0


class IssuerService:
    """One issuer over one folder."""

    def __init__(
        self,
        settings: IssuerSettings,
        *,
        ledger: Ledger,
        deposits: ConnectorStore,
        keys: IssuerKeys,
        drop_box_of: Callable[[Customer], DropBox],
        resolver: Resolver,
        clock: Callable[[], datetime],
        register: JourneyRegister | None = None,
    ) -> None:
        self._register = register
        self.settings, self.ledger, self.keys, self.clock = settings, ledger, keys, clock
        self.signer = keys.signer(settings.did)
        self.secrets = Secrets.of(lambda kind, term: ledger.secrets(kind, term, clock))
        self._deposits, self._drop_box_of, self._resolver = deposits, drop_box_of, resolver

    # --- 1 and 2: reading -----------------------------------------------------------------------

    def step(self) -> tuple[Taken, Pushed]:
        """One pass over every source and every customer."""
        taken = Taken()
        for source in self.settings.sources:
            try:
                taken = taken.plus(self._read(source))
            except MobilityError as error:
                _log.warning("issuer.source_waits", source=source.name, code=error.code)
        self.ask_register()
        return taken, self.push()

    def ask_register(self) -> int:
        """Ask the register about journeys whose status may be final; how many it told.

        Where it is away or busy, the rest waits for the next pass.
        """
        if self._register is None:
            return 0
        now, told = self.clock(), 0
        stamps = self.ledger.stamps(REGISTER)
        answered: dict[str, list[Row]] = {}
        for row in due(self.ledger.journeys(since=now - LOOK_BACK), stamps, at=now)[:ASKED]:
            try:
                status = self._register.journey(row.reference).status
            except (JourneyUnknownError, UnusableError):
                status = JourneyStatus.UNKNOWN
            except MobilityError as error:
                _log.warning("issuer.register_waits", code=error.code)
                break
            stamps[place_of(row)] = stamp_of(status, now)
            answered.setdefault(row.source, []).append(row)
            told += 1
        for name, rows in answered.items():
            source = self.settings.source(name)
            if source is not None:
                self._keep(source, [(f"register:{row.reference}", row) for row in rows], [], stamps)
            # After the rows: whoever is stopped in between asks again and hears the same.
            places = [place_of(row) for row in rows]
            self.ledger.put_stamps(REGISTER, {place: stamps[place] for place in places})
        return told

    def _read(self, source: Source) -> Taken:
        match source.kind:
            case Kind.CSV:
                return self._read_files(source)
            case Kind.DATABASE:
                return self._ask(source)
        return Taken()

    def _read_files(self, source: Source) -> Taken:
        path, taken = source.path, Taken()
        assert path is not None  # noqa: S101  # a CSV source has one
        for file in sorted(path.glob("*.csv")) if path.is_dir() else [path]:
            taken = taken.plus(self._read_file(source, file))
        return taken

    def _read_file(self, source: Source, file: Path) -> Taken:
        try:
            facts = file.stat()
        except FileNotFoundError:
            return Taken()
        stamp = f"{facts.st_mtime_ns} {facts.st_size}"
        changed = datetime.fromtimestamp(facts.st_mtime, UTC)
        if self.ledger.stamp(source.name, file.name) == stamp or self.clock() - changed < SETTLED:
            return Taken()
        prefix = f"{file.name}:"
        if facts.st_size > MAX_FILE:
            fault = Fault(source.name, f"{prefix}1", "", "too-large", {})
            taken = self._keep(source, [], [fault])
        else:
            self.ledger.forget_faults(source.name, prefix)
            try:
                rows = [(f"{prefix}{line}", row) for line, row in csv_rows(file.read_bytes())]
                taken = self._take(source, rows)
            except HostileInputError as error:
                fault = Fault(source.name, f"{prefix}{error.where}", "", error.reason, {})
                taken = self._keep(source, [], [fault])
        self.ledger.put_stamp(source.name, file.name, stamp)
        return taken

    def _ask(self, source: Source) -> Taken:
        now, last = self.clock(), self.ledger.stamp(source.name, "query")
        since = _EPOCH if last is None else datetime.fromisoformat(last) - LOOKBACK
        rows = [(f"query:{n}", row) for n, row in enumerate(rows_of(source, since=since), start=1)]
        self.ledger.forget_faults(source.name, "query:")
        taken = self._take(source, rows)
        self.ledger.put_stamp(source.name, "query", now.isoformat())
        return taken

    def webhook(self, name: str, body: bytes, signature: str) -> Taken:
        """Take the rows of one call. What reads is kept, whatever stands beside it; the answer
        names the rest. The same call again changes nothing.

        Raises:
            WebhookRefusedError. HostileInputError: no rows.
        """
        source = self.settings.source(name)
        secret = self.keys.webhooks.get(name)
        if source is None or source.kind is not Kind.WEBHOOK or secret is None:
            raise WebhookRefusedError
        if not is_signed(signature, body, secret=secret, at=self.clock()):
            raise WebhookRefusedError
        rows = json_rows(body)
        column = source.column("reference")
        return self._take(
            source,
            [
                (f"call:{str(row.get(column) or number)[:MAX_PLACE]}", row)
                for number, row in enumerate(rows, start=1)
            ],
        )

    def _take(self, source: Source, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Taken:
        read: list[tuple[str, Row]] = []
        faults: list[Fault] = []
        for place, raw in rows:
            try:
                if "" in raw:
                    raise UnusableError("cells-and-header-differ", "")
                read.append((place, read_row(raw, source, at=self.clock())))
            except UnusableError as error:
                faults.append(Fault(source.name, place, error.where, error.code, _plain(raw)))
        return self._keep(source, read, faults)

    def _keep(
        self,
        source: Source,
        rows: Sequence[tuple[str, Row]],
        faults: Sequence[Fault],
        stamps: Mapping[str, str] | None = None,
    ) -> Taken:
        if self._register is not None and source.produces is Produces.JOURNEY:
            known = self.ledger.stamps(REGISTER) if stamps is None else stamps
            rows = [(place, as_registered(row, known.get(place_of(row)))) for place, row in rows]
        taken = self.ledger.take(
            rows,
            faults,
            iri=lambda row: iri_of(self.keys.family, row.source, row.reference),
            at=self.clock(),
        )
        _log.info(
            "issuer.read",
            source=source.name, new=taken.new, changed=taken.changed, same=taken.same,
            faults=len(taken.faults),
        )  # fmt: skip
        return taken

    # --- 4: pushing -----------------------------------------------------------------------------

    def link(self, customer: str, *, home: str, vault: str, account: str) -> Customer:
        """Keep where a customer's records go.

        Raises:
            CustomerInvalidError: not an https address, or an empty line.
        """
        parts = urlsplit(home.strip())
        local = parts.hostname == "localhost" and self.settings.allow_loopback
        if parts.scheme not in (("https", "http") if local else ("https",)) or not parts.netloc:
            raise CustomerInvalidError("the home's address is not an https address")
        if parts.path not in ("", "/") or parts.query or parts.username:
            raise CustomerInvalidError("the home's address has a path")
        lines = (customer.strip(), vault.strip(), account.strip())
        if not all(0 < len(line) <= 200 for line in lines):
            raise CustomerInvalidError("customer, vault and account are needed")
        found = Customer(lines[0], f"{parts.scheme}://{parts.netloc}", lines[1], lines[2])
        self.ledger.link(found, at=self.clock())
        return found

    def push(self) -> Pushed:
        """Leave in each linked vault what it does not have."""
        records = customers = held_up = 0
        for customer in self.ledger.customers():
            if customer.retry_at is not None and customer.retry_at > self.clock():
                held_up += 1
                continue
            try:
                sent = self._push_to(customer)
            except MobilityError as error:
                held_up += 1
                wait = getattr(error, "retry_after_s", None) or 60
                if not isinstance(error, Retriable):
                    wait = 86_400  # the citizen took the permission back, or never gave it
                until = self.clock() + timedelta(seconds=wait)
                self.ledger.held_up(customer.customer, error.code, until)
                _log.warning("issuer.push_waits", code=error.code)
                continue
            if sent:
                records, customers = records + sent, customers + 1
            if customer.problem is not None:
                self.ledger.held_up(customer.customer, None, None)
        if records:
            _log.info("issuer.pushed", records=records, customers=customers)
        return Pushed(records, customers, held_up)

    def _push_to(self, customer: Customer) -> int:
        depositor: SealingDepositor | None = None
        sent = 0
        while rows := self.ledger.to_push(customer, limit=PAGE):
            depositor = depositor or SealingDepositor(
                self._drop_box_of(customer),
                vault_id=customer.vault,
                account=customer.account,
                signer=self.signer,
                store=self._deposits,
                clock=self.clock,
            )
            depositor.deposit(
                [
                    observation_of(
                        row, self.settings, account=customer.account, key=self.keys.family
                    )
                    for row in rows
                    if not row.is_cancelled or "startedAt" in row.values
                ]
            )
            self.ledger.pushed(customer, rows)
            sent += len(rows)
        return sent

    # --- credentials ----------------------------------------------------------------------------

    def offerings(self) -> tuple[Offering, ...]:
        """What a customer's wallet can be given: one credential a record."""
        found = {}
        for source in self.settings.sources:
            name = TYPES[source.produces]

            def data_sets(customer: str, source: Source = source) -> Sequence[str]:
                return self.ledger.offered(customer, source.produces)

            found[name] = Offering(
                name, sd_jwt_vc(vct_of(name), "ES256"), self._sign, data_sets, self._is_settled
            )
        return tuple(found.values())

    def _is_settled(self, iri: str) -> bool:
        """Whether a record was left as it is for as long as its source wants."""
        row = self.ledger.record(iri)
        source = None if row is None else self.settings.source(row.source)
        if row is None or row.taken_at is None or source is None:
            return False
        return self.clock() >= row.taken_at + timedelta(hours=source.hold_hours)

    def _sign(self, iri: str, holder: PublicKey) -> str:
        row, now = self.ledger.record(iri), self.clock()
        assert row is not None  # noqa: S101  # it is among the customer's data sets
        body = body_of(row, self.settings, holder=did_key(holder), family_key=self.keys.family)
        return issue_sd_jwt_vc(
            body,
            signer=self.signer,
            holder=holder,
            at=now,
            valid_until=now + timedelta(days=self.settings.validity_days),
            status=TokenStatus(self.status_uri, self.ledger.new_credential(iri, at=now)),
        )

    def offer(self, customer: str, *, by_login: bool = False) -> dict[str, Any]:
        """A credential offer of everything signed for a customer: object, address, link.
        `by_login`: the customer agrees on the issuer's page before the wallet gets anything.

        Raises:
            CustomerInvalidError: there is nothing of this customer.
        """
        ids = [o.id for o in self.offerings() if o.data_sets(customer)]
        if not ids:
            raise CustomerInvalidError("nothing to offer to this customer")
        return offer_answer(self.settings.address, self.secrets, customer, ids, by_login=by_login)

    def revoke(self, source: str, reference: str) -> int:
        """Revoke every credential of one record; how many there are."""
        return self.ledger.revoke(iri_of(self.keys.family, source, reference))

    @property
    def status_uri(self) -> str:
        """Where the status of our credentials is published."""
        return f"{self.settings.address}/status/1"

    def status_list(self) -> str:
        """The Token Status List, signed now."""
        now = self.clock()
        return issue_token_status_list(
            self.ledger.statuses(),
            uri=self.status_uri,
            signer=self.signer,
            at=now,
            valid_until=now + STATUS_LIFE,
        )

    # --- what others ask of an issuer -----------------------------------------------------------

    @property
    def disputes_uri(self) -> str:
        """Where homes say that a holder disputes a record."""
        return f"{self.settings.address}/contestations"

    def document(self) -> dict[str, Any]:
        """The issuer's `did.json`."""
        return did_document(self.settings.did, [self.signer], {SERVICE: self.disputes_uri})

    def dispute(self, headers: Mapping[str, str], body: bytes) -> str:
        """Take a holder's dispute from their home; its id.

        Raises:
            SignatureRefusedError. DisputeError: another message, or nothing we left at this home.
        """
        now = self.clock()
        home, said = read_dispute(
            headers,
            url=self.disputes_uri,
            body=body,
            resolver=self._resolver,
            is_fresh=lambda keyid, nonce, until: self.ledger.is_fresh(
                f"{keyid} {nonce}", until, at=now
            ),
            at=now,
        )
        address = url_of(home, loopback_http=self.settings.allow_loopback)
        parts = urlsplit(address)
        if not self.ledger.dispute(home, f"{parts.scheme}://{parts.netloc}", said):
            raise DisputeError("nothing of ours at this home")
        return said.id

    def accreditation_request(self) -> str:
        """What a hub is asked to accredit, signed by the key to be pinned."""
        return accreditation_request(self.settings, signer=self.signer, at=self.clock())

    def report(self) -> dict[str, Any]:
        """Where everything stands, for the operator's engineer."""
        return {
            "issuer": self.settings.did,
            **self.ledger.counts(),
            "unreadable": [
                {"source": f.source, "place": f.place, "column": f.column, "code": f.code}
                for f in self.ledger.faults()
            ],
            "held_up": [
                {"customer": c.customer, "code": c.problem}
                for c in self.ledger.customers()
                if c.problem is not None
            ],
            "disputes": self.ledger.disputes(),
        }


def _plain(raw: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(dict(raw), default=str))
    return found
