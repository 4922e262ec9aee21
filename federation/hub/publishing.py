"""Publishing: hosted funders, their aids, and the signed catalogue that vaults fetch."""

import dataclasses
import hashlib
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from federation.aids.catalogue import Catalogue, RuleModel
from federation.aids.covoiturage import CARPOOL_MODEL, carpool_incentive, carpool_rules
from federation.aids.errors import UnknownAidError
from federation.aids.imports import Difference, Finding, compare, import_document, inspect
from federation.aids.lifecycle import AidRevision, ended, moved, verified
from federation.aids.model import Aid, AidStatus, FunderLevel, aid_from_json, aid_to_json
from federation.aids.national import (
    NATIONAL_MODEL,
    mobility_allowance,
    national_rules,
    pass_refund,
)
from federation.aids.schemes import national_schemes
from federation.aids.sheet import Import
from federation.aids.velo import VELO_MODEL, import_velo, read_velo_asset
from federation.hub.errors import EntryRefusedError
from federation.hub.keys import HubKeys
from federation.hub.model import Funder
from federation.hub.registry import RegistryService
from federation.hub.settings import HubSettings
from federation.hub.siret import is_siret
from federation.hub.store import HubStore, Reader, Transactor
from federation.ports import SignedCatalogue
from federation.trust import PinnedKey, Role, TrustEntry

__all__ = ["PublishingService"]

SIGNED_BY_ANY: Final = frozenset(("AwardCredential",))
SIGNED_BY_PUBLIC: Final = SIGNED_BY_ANY | {"ZoneAccessCredential"}
"""What a hosted funder signs: a private employer decides on no zone."""

_COMPILED: OrderedDict[str, RuleModel] = OrderedDict()
_COMPILING = threading.Lock()
_KEPT_MODELS = 32
"""Compiled models a process keeps, by digest of their rules: an engine never changes."""


def _compile(name: str, version: str, rules: Mapping[str, Any]) -> RuleModel:
    """A model compiled once a process as long as its rules do not change.

    Raises:
        RuleImportError: see `RuleModel.compile`.
    """
    text = json.dumps([name, version, rules], ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    with _COMPILING:
        if digest in _COMPILED:
            _COMPILED.move_to_end(digest)
            return _COMPILED[digest]
    compiled = RuleModel.compile(name, version, rules)
    with _COMPILING:
        _COMPILED[digest] = compiled
        while len(_COMPILED) > _KEPT_MODELS:
            _COMPILED.popitem(last=False)
    return compiled


class PublishingService:
    """Adds funders and aids, and serves the newest catalogue."""

    def __init__(
        self,
        settings: HubSettings,
        store: HubStore,
        keys: HubKeys,
        registry: RegistryService,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._keys = keys
        self._registry = registry
        self._clock = clock
        self._cached: tuple[int, Catalogue, Catalogue] | None = None
        self._day: date | None = None
        self._lock = threading.Lock()

    def ensure(self) -> None:
        """Import the bicycle model and publish a first catalogue, if that was not done."""
        with self._store.read() as reader:
            current = reader.catalogue()
            models = {name: version for name, version, _ in reader.models()}
        version, _ = national_rules()
        source = str(read_velo_asset()["_meta"]["source"]).rsplit(" ", 1)[-1]
        if models.get(NATIONAL_MODEL) != version or _is_older(models.get(VELO_MODEL), source):
            self.import_models()
        elif current is None:
            self._publish({}, {})

    def import_models(self) -> None:
        """(Re)import the national rules and schemes and the bicycle model, and publish."""
        version, rules = national_rules()
        report = import_velo(
            read_velo_asset(), publisher=self._settings.did, at=self._clock().date()
        )
        schemes = national_schemes(self._settings.did, at=self._clock().date())
        aids: tuple[Aid, ...] = schemes
        models: dict[str, tuple[str, Mapping[str, Any]]] = {NATIONAL_MODEL: (version, rules)}
        with self._store.read() as reader:
            known = {name: version for name, version, _ in reader.models()}
        if not _is_older(report.version, known.get(VELO_MODEL, "")):
            aids = (*schemes, *report.aids)
            models[VELO_MODEL] = (report.version, report.rules)
        self._publish(
            {aid.slug: aid_to_json(aid) for aid in aids},
            models,
            actor="import",
            note=report.version,
        )

    def import_document(
        self, document: Mapping[str, Any], *, dry_run: bool = False
    ) -> tuple[Import, Difference]:
        """Import a document of others, and what that changes; nothing is kept when `dry_run`.

        An aid of the same model that is no longer in the document becomes expired. One that the
        document brings unchanged keeps the verification a person gave it.

        Raises:
            RuleImportError: the document, or an aid or rule in it; nothing changed.
        """
        at = self._clock().date()
        found = import_document(document, publisher=self._settings.did, at=at)
        RuleModel.compile(found.model, found.version, found.rules)
        with self._store.read() as reader:
            before = [d for d in reader.aids() if d["rule"]["model"] == found.model]
        difference = compare(before, found.aids)
        if dry_run:
            return found, difference
        same = {d["slug"]: d for d in before if d["slug"] not in difference.changed}
        documents = {aid.slug: same.get(aid.slug, aid_to_json(aid)) for aid in found.aids}
        rules = dict(found.rules)
        for gone in before:
            if gone["slug"] in documents:
                continue
            documents[gone["slug"]] = {**gone, "status": AidStatus.EXPIRED.value}
            # its rule stays readable: an application may still point at it
            rules.setdefault(gone["rule"]["rule"], "non")
        self._publish(
            documents,
            {found.model: (found.version, rules)},
            actor="import",
            note=found.version,
        )
        return found, difference

    def quality(self) -> tuple[Finding, ...]:
        """The quality report of the open catalogue, and what its rules misspell."""
        catalogue = self.public()
        slugs = {(aid.rule.model, aid.rule.rule): aid.slug for aid in catalogue.aids}
        misspelt = tuple(
            Finding(slugs[model.name, rule], "misspelt-key", key)
            for model in catalogue.models.values()
            for rule, key in model.engine.defects
            if (model.name, rule) in slugs
        )
        return (*inspect(catalogue.aids, self._clock().date()), *misspelt)

    def add_funder(
        self,
        slug: str,
        name: str,
        *,
        siret: str = "",
        level: FunderLevel = FunderLevel.EMPLOYER,
        service: str = "",
        contact: str = "",
        accredit: bool = True,
    ) -> Funder:
        """Host a funder: its key, its DID under the hub's, and (unless told to wait) its
        accreditation.

        Raises:
            EntryRefusedError: a SIRET whose key digit is wrong.
        """
        if siret and not is_siret(siret):
            raise EntryRefusedError("not a SIRET", where="siret")
        did = self._settings.funder_did(slug)
        funder = Funder(slug, did, name, siret, level.value, service or name, contact)
        at = self._clock()
        with self._store.transact() as tx:
            tx.put_funder(funder, at=at)
        if accredit:
            self.accredit_funder(funder)
        return funder

    def accredit_funder(self, funder: Funder) -> None:
        """Write a hosted funder into the trust registry; twice changes nothing. A public one may
        grant access to a zone beside its awards, whenever it was first written."""
        signs = SIGNED_BY_PUBLIC if funder.level != FunderLevel.EMPLOYER.value else SIGNED_BY_ANY
        found = self._registry.entry(funder.did)
        if found is not None:
            if not signs <= found.credential_types:
                types = found.credential_types | signs
                self._registry.accredit(dataclasses.replace(found, credential_types=types))
            return
        at, signer = self._clock(), self._keys.signer(funder.slug, funder.did)
        self._registry.accredit(
            TrustEntry(
                did=funder.did,
                name=funder.name,
                roles=frozenset((Role.FUNDER,)),
                keys=(PinnedKey(signer.public_multikey(), signer.verification_method, at),),
                credential_types=signs,
                accredited_by=self._settings.did,
                since=at,
            )
        )

    def add_public_employer_aids(self, slug: str) -> tuple[Aid, Aid]:
        """Give a hosted public employer the two national aids of public agents.

        Raises:
            UnknownAidError: no such funder here.
        """
        with self._store.read() as reader:
            funder = reader.funder(slug)
        if funder is None:
            raise UnknownAidError(slug)
        allowance = mobility_allowance(funder.did, funder.name, slug=f"fmd-agents-publics-{slug}")
        refund = pass_refund(funder.did, funder.name, slug=f"abonnement-agents-publics-{slug}")
        self.add_aids(allowance, refund)
        return allowance, refund

    def add_carpool_incentive(self, slug: str) -> Aid:
        """Give a hosted funder the carpool incentive, with its rule model.

        Raises:
            UnknownAidError: no such funder here.
        """
        with self._store.read() as reader:
            funder = reader.funder(slug)
        if funder is None:
            raise UnknownAidError(slug)
        aid = carpool_incentive(funder.did, funder.name, slug=f"prime-covoiturage-{slug}")
        self.add_aids(aid, models={CARPOOL_MODEL: carpool_rules()})
        return aid

    def add_aids(
        self,
        *aids: Aid,
        models: Mapping[str, tuple[str, Mapping[str, Any]]] | None = None,
        actor: str = "hub",
        note: str = "",
        within: Callable[[Transactor], None] | None = None,
    ) -> None:
        """Publish aids in their version, with rule models of their own by name: every example must
        pass. `within` does what belongs to the same commit; when it raises, nothing changed.

        Raises:
            RuleImportError: an aid that does not hold; nothing changed.
        """
        self._publish(
            {aid.slug: aid_to_json(aid) for aid in aids},
            models or {},
            actor=actor,
            note=note,
            within=within,
        )

    def rules(self, model: str) -> Mapping[str, Any]:
        """The rules of one model as they are written.

        Raises:
            UnknownAidError: no such model.
        """
        found = self.catalogue().models.get(model)
        if found is None:
            raise UnknownAidError(model)
        return found.rules

    def move(self, slug: str, to: AidStatus, *, actor: str, note: str = "") -> Aid:
        """Take one aid to its next state; its history says who and why.

        Raises:
            UnknownAidError, TransitionRefusedError; RuleImportError: an example that does not come
                out, when it would be published.
        """
        changed = moved(self.aid(slug), to, at=self._clock().date())
        self.add_aids(changed, actor=actor, note=note)
        return changed

    def verify(self, slug: str, *, on: date, next_review: date, actor: str) -> Aid:
        """Keep that a person read an aid against its source, and when it is to be read again.

        Raises:
            UnknownAidError, TransitionRefusedError: the days do not follow each other.
        """
        changed = verified(self.aid(slug), on=on, next_review=next_review)
        self.add_aids(changed, actor=actor)
        return changed

    def revisions(self, slug: str) -> tuple[AidRevision, ...]:
        """Every public state of one aid, the oldest first.

        Raises:
            UnknownAidError: none by that name that anybody may read.
        """
        with self._store.read() as reader:
            every = reader.revisions(slug)
        if not every or not every[-1].aid.is_public:
            raise UnknownAidError(slug)
        return tuple(revision for revision in every if revision.was_public)

    def changed(
        self, *, after: int, limit: int
    ) -> tuple[tuple[tuple[AidRevision, bool], ...], int]:
        """What the open catalogue gained and lost since revision `after`: (revision, whether it is
        in force now); and where to go on. What was never public is in no line."""
        self.catalogue()
        day = self._clock().date()
        with self._store.read() as reader:
            found, last = reader.newest_revisions(after=after, limit=limit)
        return (
            tuple(
                (revision, is_open)
                for revision, first in found
                if (is_open := revision.aid.is_public and revision.aid.is_open(day))
                or first is not None
            ),
            last,
        )

    def newest(self) -> int:
        """Number of the newest revision; 0 before the first."""
        with self._store.read() as reader:
            return reader.newest_revision()

    def numbers(self) -> Mapping[str, int]:
        """Slug → number of an aid's first revision: an integer that names it for good."""
        with self._store.read() as reader:
            return reader.first_revisions()

    def _end_due(self) -> None:
        """Once a day: what ended is expired, in the catalogue and in the feed."""
        day = self._clock().date()
        if self._day == day:
            return
        with self._store.read() as reader:
            due = ended((aid_from_json(document) for document in reader.aids()), day)
        if due:
            self.add_aids(*due, actor="calendar")
        self._day = day

    def _publish(
        self,
        aids: Mapping[str, Mapping[str, Any]],
        models: Mapping[str, tuple[str, Mapping[str, Any]]],
        *,
        actor: str = "hub",
        note: str = "",
        within: Callable[[Transactor], None] | None = None,
    ) -> None:
        at = self._clock()
        signer = self._keys.signer("hub", self._settings.did)
        with self._store.transact() as tx:
            head = tx.lock_hub()
            if within is not None:
                within(tx)
            for name, (version, rules) in models.items():
                tx.put_model(name, version, rules, at=at)
            for document in aids.values():
                tx.put_aid(document, at=at, actor=actor, note=note)
            catalogue = Catalogue.build(
                (aid_from_json(document) for document in tx.aids()),
                (_compile(n, v, r) for n, v, r in tx.models()),
                issuer=self._settings.did,
                version=head.catalogue_version + 1,
                at=at,
            )
            current = tx.catalogue()
            shown = catalogue.public()
            digest = catalogue.digest()
            if current is not None and current[1] == digest:
                return
            head.catalogue_version += 1
            tx.put_catalogue(catalogue.version, digest, shown.sign(signer), at=at)

    def catalogue(self) -> Catalogue:
        """The newest catalogue, compiled once per version; what is reserved or being written is in
        it, so whoever serves it to anybody takes `public`."""
        return self._both()[1]

    def public(self) -> Catalogue:
        """The newest catalogue as anybody may read it."""
        return self._both()[2]

    def _both(self) -> tuple[int, Catalogue, Catalogue]:
        self._end_due()
        with self._store.read() as reader:
            return self._newest(reader)

    def _newest(self, reader: Reader) -> tuple[int, Catalogue, Catalogue]:
        return self._of_version(reader.versions()[1], reader)

    def _of_version(self, version: int, reader: Reader) -> tuple[int, Catalogue, Catalogue]:
        with self._lock:
            if self._cached is not None and self._cached[0] == version:
                return self._cached
        aids = tuple(aid_from_json(document) for document in reader.aids())
        models = {n: _compile(n, v, r) for n, v, r in reader.models()}
        catalogue = Catalogue(self._settings.did, version, self._clock(), aids, models)
        found = (version, catalogue, catalogue.public())
        with self._lock:
            self._cached = found
        return found

    def signed(self, *, if_version: str | None = None) -> SignedCatalogue | None:
        """The newest signed catalogue, or None when `if_version` is its version."""
        with self._store.read() as reader:
            found = reader.catalogue()
        if found is None:
            raise UnknownAidError("catalogue")
        version = f"{found[0]}-{found[1][:16]}"
        return None if if_version == version else SignedCatalogue(found[2], version)

    def aid(
        self, id_or_slug: str, reader: Reader | None = None, *, version: int | None = None
    ) -> Aid:
        """One aid; read in the caller's own transaction where it has one, which may have read the
        catalogue's version already.

        Raises:
            UnknownAidError: none by that name.
        """
        if reader is not None and version is not None:
            return self._of_version(version, reader)[1].aid(id_or_slug)
        if reader is not None:
            return self._newest(reader)[1].aid(id_or_slug)
        return self.catalogue().aid(id_or_slug)

    def funder(self, slug_or_did: str) -> Funder | None:
        """A hosted funder."""
        with self._store.read() as reader:
            return reader.funder(slug_or_did)

    def funders(self) -> tuple[Funder, ...]:
        """Hosted funders by name."""
        with self._store.read() as reader:
            return reader.funders()


def _is_older(version: str | None, than: str) -> bool:
    """Whether a dotted version is lower; an unknown one is the oldest."""
    return _numbers(version or "") < _numbers(than)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version))
