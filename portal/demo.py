"""`mobility demo`: the whole story in seven acts, over HTTP between three real servers.

The driver is a browser (`portal.browser`) for the citizen and plain HTTP for the other parties. What the report
counts is read from the same state folder with the citizen's own session, as a second worker of the home would.
"""

# ruff: noqa: E501 - a sentence of the catalogue, or its reason, stands whole on one line

import copy
import html
import json
import re
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib import resources
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

import httpx

from federation.aids.catalogue import Catalogue, open_catalogue
from federation.aids.eligibility import Outcome
from federation.aids.model import Aid, CheckMode
from federation.client import HttpHub
from federation.errors import HubRefusedError
from federation.openid4vp import Encryption, build_response, build_token
from federation.wire.http import tls_context
from portal.browser import Browser, PageError
from portal.clock import utcnow
from portal.compose import (
    SANDBOX_FUNDER,
    SANDBOX_OFFICER,
    bounded,
    desk_password_file,
    home_settings,
)
from portal.errors import SettingsContradictionError
from portal.i18n import Translator
from portal.pages.aids import aid_for_me, claim_rows, estimates, kept_rows
from portal.pages.checks import text_of
from portal.pages.deps import VAULT_COOKIE
from portal.pages.identity import level_word, relayed
from portal.pages.vault import default_period
from portal.serve import Supervisor, free_port
from portal.settings import Node, Settings
from portal.views import grams_of, local_today
from schemas.ids import Iri, mint_iri
from schemas.observations import TripObservation
from schemas.records import Application, Kind, Trip
from vault.home import Home
from vault.model import Disclosure
from vault.open_vault import OpenVault

READY_S: Final = 30.0
DEFAULT_STATE: Final = Path("demo-home")
_FILLED: Final = r'name="{}"[^>]* value="([^"]+)"'
COMMUNE: Final = "11397"
"""Trèbes, where the fictitious agent lives."""


@dataclass
class Told:
    """What the story says, and when."""

    t: Translator
    quiet: bool
    timings_ms: dict[str, int] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """One sentence; on stderr, so that the report alone is on stdout."""
        if not self.quiet:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    @contextmanager
    def act(self, number: int, name: str, title: str) -> Iterator[None]:
        """An act: its title, its time."""
        self.say(f"\n{number}. {title}")
        begun = time.monotonic()
        yield
        self.timings_ms[name] = round((time.monotonic() - begun) * 1000)


@dataclass
class Memory:
    """`demo.json`: what a second start needs to go on. Everyone in it is fictitious."""

    path: Path
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Memory":
        return cls(path, json.loads(path.read_text("utf-8")) if path.exists() else {})

    def keep(self, **values: Any) -> None:
        """Write at once, so that a killed demo resumes."""
        self.values.update(values)
        fresh = self.path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(self.values, ensure_ascii=False, indent=1), "utf-8")
        fresh.replace(self.path)


def run(
    *,
    state: Path | None,
    headless: bool,
    as_json: bool,
    files: Sequence[Path],
    home_port: int | None,
    t: Translator,
) -> int:
    """Tell the story; 0 when it went through. Without `headless` the servers stay up until Ctrl-C."""
    settings = demo_settings(state or DEFAULT_STATE, headless=headless, home_port=home_port)
    told = Told(t, quiet=headless and as_json)
    begun = time.monotonic()
    told.say(t("Bac à sable : personnes, opérateurs et financeurs fictifs"))
    with Supervisor(settings) as tree:
        story = Story(settings, told, files)
        try:
            report = story.play()
        finally:
            story.close()
        told.timings_ms["total"] = round((time.monotonic() - begun) * 1000)
        report["timings_ms"] = told.timings_ms
        if as_json:
            sys.stdout.write(json.dumps(report, ensure_ascii=False, indent=1) + "\n")
            sys.stdout.flush()
        if not headless:
            story.addresses()
            tree.wait()
    return 0


def demo_settings(state: Path, *, headless: bool, home_port: int | None) -> Settings:
    """Ports 8400 to 8402, those given, or free ones when headless. A state folder keeps its ports:
    they are part of the names under which its keys are known."""
    state = state.expanduser().resolve()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = state / "ports.json"
    if path.exists():
        ports = json.loads(path.read_text("utf-8"))
        if home_port not in (None, ports[0]):
            raise SettingsContradictionError(
                "--home-port", f"this folder's nodes are known by port {ports[0]}"
            )
    elif headless and home_port is None:
        ports = [free_port(), free_port(), free_port()]
    else:
        first = home_port or 8400
        ports = [first, first + 1, first + 2]
    path.write_text(json.dumps(ports), "utf-8")
    return Settings(
        state=state, sandbox=True, home_port=ports[0], hub_port=ports[1], sandbox_port=ports[2],
        operator_name="Hébergeur de démonstration", operator_address="Trèbes (Aude)",
    )  # fmt: skip


class Story:
    """The seven acts."""

    def __init__(self, settings: Settings, told: Told, files: Sequence[Path]) -> None:
        self.settings, self.told, self.files = settings, told, tuple(files)
        self.t = told.t
        self.memory = Memory.load(settings.state / "demo.json")
        self.browser = Browser(settings.url(Node.HOME), language=self.t.language)
        self._client = bounded(settings, max_bytes=6_000_000)
        self.hub = HttpHub(settings.url(Node.HUB), self._client)
        self._home: Home | None = None
        self._sent: Disclosure | None = None

    def close(self) -> None:
        """Let go of connections and of the second worker."""
        if self._home is not None:
            self._home.close()
        self.browser.__exit__()
        self._client.close()

    def play(self) -> dict[str, Any]:
        """All acts; gives the report."""
        t, told = self.t, self.told
        with told.act(
            1,
            "start",
            t("Un agent contractuel d'une agglomération fictive de l'Aude ouvre son coffre."),
        ):
            self.wait_ready()
            self.enter()
        with told.act(
            2,
            "import",
            t("Ses trajets arrivent, scellés, dans sa boîte de dépôt ; la relève les réunit."),
        ):
            imported = self.bring()
        with told.act(
            3,
            "see",
            t("Il voit ses trajets, une journée sur la carte, ses kilomètres et ses émissions."),
        ):
            self.see()
        with told.act(
            4, "eligibility", t("Le coffre ouvert calcule ce qu'il peut obtenir ; rien ne sort.")
        ):
            aid, outcome = self.can_get()
        if not outcome.is_eligible:
            with told.act(
                5, "application", t("Les conditions ne sont pas réunies : voici ce qui manque.")
            ):
                application = self.not_eligible(aid, outcome)
            second = None
            with told.act(
                7,
                "fraud",
                t("Une preuve altérée, puis rejouée : refusées, avec la vérification qui échoue."),
            ):
                tampered, replayed = self.cheat_self_declared(aid)
        else:
            with told.act(5, "share", t("Ce qui part, ce qui reste : il accepte.")):
                self.share(aid)
            with told.act(
                6,
                "decision",
                t("La décision arrive, vérifiée point par point ; l'attestation est prête."),
            ):
                application = self.decision()
            with told.act(
                7,
                "fraud",
                t(
                    "Deuxième demande, dossier altéré, dossier rejoué : refusés, avec la vérification qui échoue."
                ),
            ):
                second, tampered, replayed = self.cheat(aid)
        return {
            "imported": imported,
            "application": application,
            "second": second,
            "tampered": tampered,
            "replayed": replayed,
        }

    # --- act 1 -------------------------------------------------------------------------------

    def wait_ready(self) -> None:
        """Wait until the registry of the hub knows every member of the sandbox."""
        until = time.monotonic() + READY_S
        url = f"{self.settings.url(Node.HOME)}/readyz"
        while time.monotonic() < until:
            if httpx.get(url, timeout=5, verify=tls_context()).status_code == httpx.codes.OK:
                return
            time.sleep(0.15)
        raise TimeoutError(f"{url} is not ready after {READY_S:.0f} s")

    def enter(self) -> None:
        """Create the vault, or open the one of an earlier start."""
        if "vault" not in self.memory.values:
            phrase = " ".join(secrets.choice(WORDS) for _ in range(6))
            values = {"phrase": phrase, "encore": phrase, "nom": "Démonstration", "compris": "1"}
            page = self.browser.submit("/creer", "/creer", values)
            codes = (
                page.find(r'<p class="code">(.*?)</p>'),
                page.find(r'<p class="code">.*?<p class="code">(.*?)</p>'),
            )
            self.memory.keep(vault=codes[1], passphrase=phrase, recovery_code=codes[0])
        else:
            kept = self.memory.values
            values = {"coffre": kept["vault"], "phrase": kept["passphrase"], "retour": "/"}
            self.browser.submit("/ouvrir", "/ouvrir", values)
        self.told.say(self.t("Coffre {id}, ouvert.", id=self.memory.values["vault"]))

    @property
    def vault(self) -> OpenVault:
        """The open vault of the browser's session, in this process."""
        if self._home is None:
            self._home = Home.open(home_settings(self.settings), clock=utcnow)
            self._home.use_hub(self.hub)
        return self._home.session(self.browser.cookies[VAULT_COOKIE])

    # --- act 2 -------------------------------------------------------------------------------

    def bring(self) -> dict[str, Any]:
        """Traces, pushed trips, journeys, pass, affiliation — or the files given."""
        if self.files:
            for file in self.files:
                self.bring_file(file)
        else:
            if not self.memory.values.get("identity"):
                self.identity()
                self.memory.keep(identity=True)
            if not self.memory.values.get("brought"):
                self.bring_story()
                self.memory.keep(brought=True)
        self.browser.submit("/sources", "/releve")
        trips = self.all_trips()
        by_evidence = Counter(trip.evidence.value for trip in trips)
        imported = {
            "trips": len(trips),
            "legs": sum(len(trip.legs) for trip in trips),
            "by_evidence": dict(sorted(by_evidence.items())),
        }
        self.told.say(self.totals(trips))
        return imported

    def totals(self, trips: Sequence[Trip]) -> str:
        """What the sources left and what became of it: received, joined, kept, set apart."""
        vault = self.vault
        received = sum(
            isinstance(r.observation, TripObservation)
            for trip in trips
            for r in vault.observations_of(trip.id)
        )
        return self.t(
            "Reçus : {received} trajets ; doublons réunis : {joined} ; trajets dans le coffre : {kept} ;"
            " en quarantaine : {apart}. Rien n'est perdu.",
            received=self.t.number(received),
            joined=self.t.number(received - len(trips)),
            kept=self.t.number(len(trips)),
            apart=self.t.number(len(vault.quarantine())),
        )

    def bring_file(self, file: Path) -> None:
        """A real export, by the page's upload and its preview."""
        upload = {"fichier": (file.name, file.read_bytes())}
        preview = self.browser.submit("/sources", "/sources/importer", files=upload)
        if "/sources/importer/confirmer" in preview.text:
            self.browser.submit(preview, "/sources/importer/confirmer")

    def bring_story(self) -> None:
        """Each source of the sandbox, by its own way in."""
        t, browser = self.t, self.browser
        story = self.told_by_sandbox()
        traces = story["traces"]
        browser.submit(
            "/sources",
            "/sources/tracemob",
            {"adresse": traces["url"], "jeton_source": traces["token"]},
        )
        self.told.say(t("Tracemob : relevé avec son jeton."))
        self.push(story)
        self.told.say(t("Une deuxième application a poussé ses trajets avec le client du README."))
        self.operator(story)
        self.told.say(
            t(
                "L'opérateur de covoiturage a déposé ses trajets signés et la facture de l'abonnement."
            )
        )
        for role, name in (("home", "Domicile"), ("work", "Travail")):
            place = story["places"][role]
            values = {
                "role": role,
                "nom": name,
                "lat": str(place["lat"]),
                "lon": str(place["lon"]),
                "rayon": "300",
            }
            browser.submit("/coffre/lieux", "/coffre/lieux", values)
        browser.submit(f"/coffre/commune?q={COMMUNE_NAME}", "/coffre/commune", {"code": COMMUNE})
        for aid in self.public_aids():
            browser.submit(
                f"/documents/recevoir?aide={aid.slug}",
                "/documents/recevoir",
                {"aide": aid.slug, "simulee": "employeur"},
            )
            break  # one funder, one holder key: one affiliation serves its aids
        self.told.say(t("L'employeur a signé l'affiliation."))
        _drained(self)

    def identity(self) -> None:
        """Log in at the fictitious provider, as a person does: its page, its link, and back."""
        left = self.browser.get("/identite/connexion", expect=303)
        login = httpx.get(left.location, timeout=30, verify=tls_context()).raise_for_status()
        link = re.search(r'<a href="([^"]+)"', login.text)
        if link is None:
            raise PageError("no link", address=left.location, status=login.status_code)
        back = self.browser.get(html.unescape(link[1]))
        name = relayed(self.vault).get("family_name")
        if name is None:
            raise PageError("no identity", address=back.address, status=back.status)
        level = level_word(self.t, name.level)
        self.told.say(
            self.t(
                "Son identité est arrivée, relayée par son hébergeur (niveau {level}).",
                level=level,
            )
        )

    def told_by_sandbox(self) -> dict[str, Any]:
        """Names, addresses and tokens of the fictitious parties."""
        answer = httpx.get(
            f"{self.settings.url(Node.SANDBOX)}/_story", timeout=30, verify=tls_context()
        )
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def push(self, story: Mapping[str, Any]) -> None:
        """The second app pairs with the citizen's code and pushes, with the README's client."""
        page = self.browser.submit(
            "/sources", "/sources/appairer", {"nom": story["secondApp"]["name"]}
        )
        code = page.find(r'<p class="code">(.*?)</p>')
        home = self.settings.url(Node.HOME)
        trips = self.settings.state / "second-app.json"
        trips.write_text(json.dumps(story["secondApp"]["trips"]), "utf-8")
        client = Path(str(resources.files("connectors.push"))) / "clients" / "push.py"
        subprocess.run([sys.executable, client, home, code, trips], check=True, capture_output=True)
        trips.unlink()

    def operator(self, story: Mapping[str, Any]) -> None:
        """The operator is allowed by the citizen, then leaves sealed batches on its own."""
        page = self.browser.submit(
            "/sources", "/sources/operateur", {"operateur": story["operator"]["id"]}
        )
        account = page.find(r"(operateur:[0-9a-f]+)")
        asked = {
            "home_url": self.settings.url(Node.HOME),
            "vault_id": self.memory.values["vault"],
            "account": account,
        }
        httpx.post(story["operator"]["deposit"], json=asked, timeout=60).raise_for_status()

    def all_trips(self) -> list[Trip]:
        """Every trip of the vault."""
        return [record for record in self.vault.all(Kind.TRIP) if isinstance(record, Trip)]

    # --- act 3 -------------------------------------------------------------------------------

    def see(self) -> None:
        """The pages of the timeline, of one day, and of the totals."""
        t, trips = self.t, self.all_trips()
        self.browser.get("/")
        self.browser.get("/trajets")
        if trips:
            days = Counter(trip.local_date for trip in trips)
            self.browser.get(f"/trajets/jour/{max(days, key=lambda d: (days[d], d)).isoformat()}")
        self.browser.get("/bilan")
        distance, grams = sum(trip.distance for trip in trips), grams_of(trips)
        self.told.say(f"{t.distance(distance)}, {t.co2(grams)}")

    # --- act 4 -------------------------------------------------------------------------------

    def catalogue(self) -> Catalogue:
        """The hub's signed catalogue, verified."""
        signed, trust = self.hub.catalogue(), self.vault.home.trust
        if signed is None or trust is None:
            raise TimeoutError("no catalogue, or no trust registry")
        return open_catalogue(signed.content, lambda method: trust.key(method, utcnow()))

    def public_aids(self) -> list[Aid]:
        """The aids of the fictitious public employer."""
        funder = f"{self.settings.did(Node.HUB)}:financeurs:{SANDBOX_FUNDER}"
        return [aid for aid in self.catalogue().aids if aid.funder == funder]

    def period(self) -> tuple[date, date]:
        """The civil year so far."""
        return default_period(local_today(utcnow()))

    def can_get(self) -> tuple[Aid, Outcome]:
        """What the page says; the forfait is what the story goes on with."""
        from vault.eligibility import estimate

        self.browser.get("/aides")
        catalogue, at = self.catalogue(), local_today(utcnow())
        forfait = None
        for aid in self.public_aids():
            outcome = estimate(self.vault, catalogue, aid, at=at, period=self.period())
            title = aid.titles.get(self.t.language) or aid.titles["fr"]
            amount = self.t.amount(outcome.amount) if outcome.amount else "–"
            step = outcome.next_step
            following = f" {text_of(self.t, step.words)}" if step is not None else ""
            self.told.say(f"{title} : {amount}.{following} ({self.provenance(aid)})")
            if aid.proof is not None and forfait is None:
                forfait = aid, outcome
        if forfait is None:
            raise TimeoutError("the catalogue has no aid that counts days")
        for aid, outcome in estimates(self.vault, catalogue, utcnow()):
            if aid.check_mode is CheckMode.LINK_OUT and outcome.amount:
                shown = aid_for_me(self.t, aid, outcome, {}, at)
                line = f"{shown['title']} : {shown['amount']} – {shown['verdict']}."
                self.told.say(f"{line} ({self.provenance(aid)})")
                break
        return forfait

    def provenance(self, aid: Aid) -> str:
        """Rule version, source and date of the last check."""
        checked = self.t.day(aid.last_verified, "short") if aid.last_verified else "–"
        return f"{aid.version}, {aid.source}, {checked}"

    # --- acts 5 and 6 ------------------------------------------------------------------------

    def share(self, aid: Aid) -> None:
        """Prepare, read the two columns, agree; once: a second start finds the application."""
        if self.memory.values.get("application"):
            return
        since, until = self.period()
        consent = self.browser.submit(
            f"/aides/{aid.slug}",
            f"/aides/{aid.slug}/demander",
            {"du": since.isoformat(), "au": until.isoformat()},
        )
        disclosure = self.vault.disclosure(consent.form("/partager")["partage"])
        self.columns(disclosure)
        after = self.browser.submit(consent, "/partager", {"accord": "1"})
        uuid_text = after.address.rsplit("/", 1)[-1]
        self.memory.keep(application=uuid_text, presentation=disclosure.presentation,
                         query_ids=disclosure.request["query_ids"])  # fmt: skip

    def columns(self, disclosure: Disclosure) -> None:
        """What leaves beside what stays, as the consent page shows them."""
        left = [self.t("Ce qui part"), *(r["title"] for r in claim_rows(self.t, disclosure.leaves))]
        right = [self.t("Ce qui reste dans votre coffre")]
        right += [r["title"] for r in kept_rows(self.t, disclosure.stays)]
        for one, other in zip_longest(left, right, fillvalue=""):
            lines = wrap(one, 50) or [""]
            self.told.say(f"   {lines[0]:<52}| {other}")
            for line in lines[1:]:
                self.told.say(f"   {line:<52}|")

    def decision(self) -> dict[str, Any]:
        """The application as the vault knows it, and the attestation on paper."""
        uuid_text = self.memory.values["application"]
        self.browser.get(f"/demandes/{uuid_text}")
        record = self.vault.get(Iri(f"urn:uuid:{uuid_text}"))
        if not isinstance(record, Application):
            raise TimeoutError("the application is not in the vault")
        view = record.extra.get("hubView")
        answer: Mapping[str, Any] = view if isinstance(view, Mapping) else {}
        if record.amount:
            self.told.say(self.t("Acceptée : {amount}.", amount=self.t.amount(record.amount)))
        since, until = self.period()
        values = {"du": since.isoformat(), "au": until.isoformat()}
        page = self.browser.get("/attestation")  # names are filled in from the vault
        values |= {name: page.find(_FILLED.format(name)) for name in ("nom", "employeur")}
        pdf = self.browser.submit(page, "/attestation", values)
        path = self.settings.state / "attestation.pdf"
        path.write_bytes(pdf.content)
        self.told.say(self.t("Attestation : {path}", path=path))
        return {
            "state": record.state.value,
            "amount_cents": record.amount,
            "reasons": [_text(r, self.t) for r in answer.get("reasons", ())]
            or list(record.reasons),
            "checks": [_check(c) for c in answer.get("checks", ())],
        }

    def not_eligible(self, aid: Aid, outcome: Outcome) -> dict[str, Any]:
        """The rule is not met: counts and what is missing, nothing is sent."""
        reasons = [_text(reason.words, self.t) for reason in outcome.reasons]
        for line in reasons:
            self.told.say(line)
        step = outcome.next_step
        return {
            "state": "not-eligible",
            "amount_cents": None,
            "reasons": reasons,
            "checks": [],
            "aid": aid.slug,
            "missing": [q.variable for q in outcome.missing]
            + ([f"{step.missing} {step.variable}"] if step is not None else []),
            "counts": self._counts(aid),
        }

    def _counts(self, aid: Aid) -> dict[str, Any]:
        from vault.usage_proof import count_usage

        if aid.proof is None:
            return {}
        count = count_usage(self.vault, aid.proof, period=self.period())
        return {"days": count.days}

    # --- act 7 -------------------------------------------------------------------------------

    def cheat(self, aid: Aid) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """A second request of the family, a tampered package, a replayed one."""
        accepted: Mapping[str, Any] = self.memory.values["presentation"]
        query_ids: list[str] = self.memory.values["query_ids"]
        other = self.vault.prepare_application(aid, mint_iri(), period=self.period())
        second = self._deliver(other.request, other.presentation, other.request["query_ids"])
        fresh = self.vault.prepare_application(aid, mint_iri(), period=self.period())
        altered = copy.deepcopy(dict(fresh.presentation))
        for credential in _credentials(altered):
            subject = credential["credentialSubject"]
            if "days" in subject:
                subject["days"] = int(subject["days"]) + 100
        tampered = self._deliver(fresh.request, altered, fresh.request["query_ids"])
        again = self.vault.prepare_application(aid, mint_iri(), period=self.period())
        replayed = self._deliver(again.request, accepted, query_ids)
        reason = second["failed"][0] if second["failed"] else None
        state = "refused" if not second["verified"] else "accepted"
        for name, result in (("2", second), ("3", tampered), ("4", replayed)):
            self.told.say(f"   {name}. {', '.join(result['failed'])}")
        return {"state": state, "reason": reason}, tampered, replayed

    def cheat_self_declared(self, aid: Aid) -> tuple[dict[str, Any], dict[str, Any]]:
        """The same with a proof the holder signs alone; it would not be enough anyway."""
        from federation.credentials.present import present
        from federation.openid4vp import verify_request
        from schemas.evidence import AssuranceMethod
        from vault.usage_proof import usage_proof

        vault, at = self.vault, utcnow()
        trust = vault.home.trust
        if trust is None or aid.proof is None:
            raise TimeoutError("no trust registry")
        holder = vault.holder_key(aid.funder)
        proof = usage_proof(
            vault,
            aid.proof,
            period=self.period(),
            holder=vault.holder_did(aid.funder),
            attester=holder,
            at=at,
            assurance=AssuranceMethod.SELF_DECLARED,
        ).credential
        results: list[dict[str, Any]] = []
        query_ids: list[str] = []
        first: Mapping[str, Any] | None = None
        for number in range(2):
            pointer = self.hub.request(
                aid.id, mint_iri(), period=self.period(), holder=vault.holder_did(aid.funder)
            )
            request = verify_request(
                self.hub.request_object(pointer.request_uri),
                lambda method: trust.key(method, at),
                at=at,
                request_uri=pointer.request_uri,
                client_id=pointer.client_id,
                allow_loopback_http=True,
            )
            made = present(
                [proof], holder=holder, challenge=request.nonce, domain=request.client_id, at=at
            )
            query_ids = [query.id for query in request.query.credentials]
            where = {
                "response_uri": request.response_uri,
                "state": request.state,
                "encryption": request.encryption and request.encryption.to_json(),
            }
            if number == 0:
                first = made
                altered = copy.deepcopy(dict(made))
                for credential in _credentials(altered):
                    credential["credentialSubject"]["days"] = 365
                results.append(self._deliver(where, altered, query_ids))
            else:
                results.append(self._deliver(where, first or made, query_ids))
        for name, result in zip("12", results, strict=True):
            self.told.say(f"   {name}. {', '.join(result['failed'])}")
        return results[0], results[1]

    def _deliver(
        self, request: Mapping[str, Any], presentation: Mapping[str, Any], query_ids: Sequence[str]
    ) -> dict[str, Any]:
        """Send a package to the hub as the vault's outbox would; give what became of it."""
        form = build_response(
            build_token(presentation, query_ids),
            state=str(request["state"]),
            encryption=Encryption.from_json(request["encryption"]),
        )
        try:
            receipt = self.hub.respond(str(request["response_uri"]), form)
        except HubRefusedError as error:
            checks = error.extensions.get("checks", ())
            failed = [str(c["code"]) for c in checks if c.get("outcome") == "fail"]
            return {"verified": False, "failed": failed or [error.hub_code]}
        unknown = [c.code for c in receipt.checks if c.outcome == "cannot-tell"]
        failed = [c.code for c in receipt.checks if c.outcome == "fail"]
        return {"verified": not failed and not unknown, "failed": failed, "unknown": unknown}

    # --- the end -----------------------------------------------------------------------------

    def addresses(self) -> None:
        """Where to look, and one login per role."""
        t, settings, kept = self.t, self.settings, self.memory.values
        out = sys.stdout
        password = desk_password_file(settings).read_text("utf-8").strip()
        rows = [
            (t("Vous (bénéficiaire)"), settings.url(Node.HOME)),
            (t("  numéro de coffre"), kept["vault"]),
            (t("  phrase secrète"), kept["passphrase"]),
            (t("Financeur (guichet)"), f"{settings.url(Node.HUB)}/guichet"),
            (t("  identifiant"), SANDBOX_OFFICER),
            (t("  mot de passe"), password),
            (t("Public : aides, membres, vérification"), settings.url(Node.HUB)),
            (t("Bac à sable : sources et émetteurs fictifs"), settings.url(Node.SANDBOX)),
        ]
        out.write("\n")
        for label, value in rows:
            out.write(f"{label:<46} {value}\n")
        out.write(
            "\n"
            + t("Ctrl-C pour arrêter. L'état est gardé dans {path}.", path=settings.state)
            + "\n"
        )
        out.flush()


COMMUNE_NAME: Final = "11800"
"""Its postcode, typed in the search box."""

WORDS: Final = (
    "velo", "rivage", "tuilerie", "canal", "platane", "vignoble", "lavande", "galet", "passerelle",
    "marche", "balise", "sentier", "chemin", "tramway", "covoiturage", "clocher", "garrigue", "ecluse",
    "mistral", "olivier", "pavillon", "boussole", "lanterne", "horizon",
)  # fmt: skip
"""Six words of 24: enough for fictitious data, easy to type."""


def _drained(story: Story) -> Any:
    from portal.pages.draining import drain_all

    return drain_all(story.vault)


def _credentials(presentation: Mapping[str, Any]) -> list[Any]:
    found = presentation.get("verifiableCredential", [])
    return found if isinstance(found, list) else [found]


def _text(words: Mapping[str, str] | str, t: Translator) -> str:
    if isinstance(words, str):
        return words
    return words.get(t.language) or words.get("fr") or ""


def _check(check: Mapping[str, Any]) -> dict[str, Any]:
    return {name: check.get(name) for name in ("step", "code", "outcome")}
