"""Publishing: hosted funders, their aids, and the signed catalogue that vaults fetch."""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from federation.aids.catalogue import Catalogue, RuleModel
from federation.aids.errors import UnknownAidError
from federation.aids.model import Aid, FunderLevel, aid_from_json, aid_to_json
from federation.aids.national import (
    NATIONAL_MODEL,
    mobility_allowance,
    national_rules,
    pass_refund,
)
from federation.aids.velo import VELO_MODEL, import_velo, read_velo_asset
from federation.hub.errors import EntryRefusedError
from federation.hub.keys import HubKeys
from federation.hub.model import Funder
from federation.hub.registry import RegistryService
from federation.hub.settings import HubSettings
from federation.hub.store import HubStore
from federation.ports import SignedCatalogue
from federation.trust import PinnedKey, Role, TrustEntry

__all__ = ["PublishingService"]


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
        self._cached: tuple[int, Catalogue] | None = None
        self._lock = threading.Lock()
        self._models: dict[str, RuleModel] = {}

    def _compile(self, name: str, version: str, rules: Mapping[str, Any]) -> RuleModel:
        """A model compiled once as long as its rules do not change."""
        text = json.dumps([name, version, rules], ensure_ascii=False, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        with self._lock:
            known = self._models.get(name)
            kept = self._models.get(digest)
        if kept is not None:
            return kept
        compiled = RuleModel.compile(name, version, rules)
        with self._lock:
            if known is not None:
                self._models = {k: m for k, m in self._models.items() if m.name != name}
            self._models[digest] = self._models[name] = compiled
        return compiled

    def ensure(self) -> None:
        """Import the bicycle model and publish a first catalogue, if that was not done."""
        with self._store.read() as reader:
            current = reader.catalogue()
            models = {name: version for name, version, _ in reader.models()}
        version, _ = national_rules()
        source = str(read_velo_asset()["_meta"]["source"]).rsplit(" ", 1)[-1]
        if models.get(NATIONAL_MODEL) != version or models.get(VELO_MODEL) != source:
            self.import_models()
        elif current is None:
            self._publish({}, {})

    def import_models(self) -> None:
        """(Re)import the national rules and the bicycle model, and publish."""
        version, rules = national_rules()
        report = import_velo(
            read_velo_asset(), publisher=self._settings.did, at=self._clock().date()
        )
        self._publish(
            {aid.slug: aid_to_json(aid) for aid in report.aids},
            {NATIONAL_MODEL: (version, rules), VELO_MODEL: (report.version, report.rules)},
        )

    def add_funder(
        self,
        slug: str,
        name: str,
        *,
        siret: str = "",
        level: FunderLevel = FunderLevel.EMPLOYER,
        service: str = "",
        contact: str = "",
    ) -> Funder:
        """Host a funder: its key, its DID under the hub's, its accreditation.

        Raises:
            EntryRefusedError: a SIRET whose key digit is wrong.
        """
        if siret and not _is_siret(siret):
            raise EntryRefusedError("not a SIRET", where="siret")
        did = self._settings.funder_did(slug)
        funder = Funder(slug, did, name, siret, level.value, service or name, contact)
        at = self._clock()
        signer = self._keys.signer(slug, did)
        with self._store.transact() as tx:
            tx.put_funder(funder, at=at)
        known = self._registry.entry(did)
        if known is None:
            self._registry.accredit(
                TrustEntry(
                    did=did,
                    name=name,
                    roles=frozenset((Role.FUNDER,)),
                    keys=(PinnedKey(signer.public_multikey(), signer.verification_method, at),),
                    credential_types=frozenset(("AwardCredential",)),
                    accredited_by=self._settings.did,
                    since=at,
                )
            )
        return funder

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

    def add_aids(self, *aids: Aid) -> None:
        """Publish aids in their version: every example must pass.

        Raises:
            RuleImportError: an aid that does not hold; nothing changed.
        """
        self._publish({aid.slug: aid_to_json(aid) for aid in aids}, {})

    def _publish(
        self,
        aids: Mapping[str, Mapping[str, Any]],
        models: Mapping[str, tuple[str, Mapping[str, Any]]],
    ) -> None:
        at = self._clock()
        signer = self._keys.signer("hub", self._settings.did)
        with self._store.transact() as tx:
            head = tx.lock_hub()
            for name, (version, rules) in models.items():
                tx.put_model(name, version, rules, at=at)
            for document in aids.values():
                tx.put_aid(document, at=at)
            catalogue = Catalogue.build(
                (aid_from_json(document) for document in tx.aids()),
                (self._compile(n, v, r) for n, v, r in tx.models()),
                issuer=self._settings.did,
                version=head.catalogue_version + 1,
                at=at,
            )
            current = tx.catalogue()
            digest = catalogue.digest()
            if current is not None and current[1] == digest:
                return
            head.catalogue_version += 1
            tx.put_catalogue(catalogue.version, digest, catalogue.sign(signer), at=at)

    def catalogue(self) -> Catalogue:
        """The newest catalogue, compiled once per version."""
        with self._store.read() as reader:
            _, version = reader.versions()
            with self._lock:
                if self._cached is not None and self._cached[0] == version:
                    return self._cached[1]
            aids = tuple(aid_from_json(document) for document in reader.aids())
            models = {n: self._compile(n, v, r) for n, v, r in reader.models()}
        catalogue = Catalogue(self._settings.did, version, self._clock(), aids, models)
        with self._lock:
            self._cached = (version, catalogue)
        return catalogue

    def signed(self, *, if_version: str | None = None) -> SignedCatalogue | None:
        """The newest signed catalogue, or None when `if_version` is its version."""
        with self._store.read() as reader:
            found = reader.catalogue()
        if found is None:
            raise UnknownAidError("catalogue")
        version = f"{found[0]}-{found[1][:16]}"
        return None if if_version == version else SignedCatalogue(found[2], version)

    def aid(self, id_or_slug: str) -> Aid:
        """One aid.

        Raises:
            UnknownAidError: none by that name.
        """
        return self.catalogue().aid(id_or_slug)

    def funder(self, slug_or_did: str) -> Funder | None:
        """A hosted funder."""
        with self._store.read() as reader:
            return reader.funder(slug_or_did)

    def funders(self) -> tuple[Funder, ...]:
        """Hosted funders by name."""
        with self._store.read() as reader:
            return reader.funders()


def _is_siret(text: str) -> bool:
    """14 digits whose Luhn sum is a multiple of 10 (La Poste's own rule: a sum of digits of 5)."""
    if len(text) != 14 or not text.isascii() or not text.isdigit():
        return False
    total = 0
    for index, char in enumerate(reversed(text)):
        digit = int(char) * (2 if index % 2 else 1)
        total += digit - 9 if digit > 9 else digit
    if total % 10 == 0:
        return True
    return text.startswith("356000000") and sum(map(int, text)) % 5 == 0
