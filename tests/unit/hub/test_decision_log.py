"""The register of decisions: what it commits to, what it proves, what it notices."""

import json
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, update
from typer.testing import CliRunner

from connectors.sandbox.timestamping import TimestampAuthority
from federation.decision_log import (
    Checkpoint,
    CheckpointError,
    Entry,
    Evidence,
    EvidenceMalformedError,
    award_digest,
    read_checkpoint,
    sign_checkpoint,
    verify_evidence,
)
from federation.errors import HubRefusedError
from federation.hub.app import create_hub_app
from federation.hub.context import HubContext
from federation.hub.errors import (
    ApplicationUnknownError,
    EvidencePendingError,
    LogUnknownError,
)
from federation.hub.local import LocalHub
from federation.hub.tables import (
    LogCheckpointRow,
    LogEntryRow,
    LogNodeRow,
    LogTimestampRow,
    TransitionRow,
)
from federation.keys import Ed25519Key, P256Key, decode_multikey
from federation.merkle import tree_root, verify_consistency, verify_inclusion
from federation.ports import CheckView
from federation.timestamps import timestamp_query
from federation.wire.database import transact
from portal import cli
from schemas.ids import Iri
from tests.hub_world import Citizen, World, build_world
from tests.unit.hub.test_decisions import apply, officer, proof


class Authority:
    """The sandbox's timestamp authority behind a real port, with what may go wrong there."""

    def __init__(self) -> None:
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.is_away = False
        self.lie = ""
        self.issuer = TimestampAuthority(b"a" * 32, lambda: self.clock())
        self.other = TimestampAuthority(b"b" * 32, lambda: self.clock())
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                status, kind, body = outer.reply(query)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reply(self, query: bytes) -> tuple[int, str, bytes]:
        kind = "application/timestamp-reply"
        if self.is_away:
            return 503, "text/plain", b""
        match self.lie:
            case "another-nonce":
                return 200, kind, self.issuer.answer(timestamp_query(bytes(32), nonce=1))
            case "another-authority":
                return 200, kind, self.other.answer(query)
            case "html":
                return 200, "text/html", b"<p>sign in first</p>"
            case "refuses":
                return 200, kind, self.issuer.answer(b"")
        return 200, kind, self.issuer.answer(query)

    def settings(self, folder: Path) -> dict[str, Any]:
        roots = folder / "roots.pem"
        roots.write_bytes(self.issuer.root_pem)
        url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        return {"timestamp_url": url, "timestamp_roots": roots}


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    running = Authority()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def world(tmp_path: Path, authority: Authority) -> Iterator[World]:
    authority.is_away, authority.lie = False, ""
    made = build_world(tmp_path, settings=authority.settings(tmp_path))
    authority.clock = made.clock
    yield made
    made.context.close()


@pytest.fixture
def on_both(tmp_path: Path, database_url: str) -> Iterator[World]:
    made = build_world(tmp_path, database_url=database_url)
    yield made
    made.context.close()


def awarded(world: World) -> tuple[Citizen, Iri]:
    """Accepted by the rule, sealed and stamped."""
    citizen, application = apply(world, 41)
    world.context.log.advance()
    world.context.runner().run_due()
    return citizen, application


def evidence_of(world: World, citizen: Citizen, application: Iri) -> bytes:
    return LocalHub(world.context).evidence(
        application, proof_jwt=proof(world, citizen, application)
    )


def checked(world: World, evidence: Evidence, **changes: Any) -> dict[str, str]:
    """Outcome by code."""
    found: tuple[CheckView, ...] = verify_evidence(
        evidence, **{"trust": world.context.registry.current(), "at": world.clock(), **changes}
    )
    return {check.code: check.outcome for check in found}


ALL_GOOD = {
    "records": "pass",
    "timestamp": "pass",
    "checkpoint": "pass",
    "inclusion": "pass",
    "award": "pass",
}


def test_a_third_party_verifies_a_decision_from_files_alone(
    world: World, authority: Authority, tmp_path: Path
) -> None:
    citizen, application = awarded(world)
    data = evidence_of(world, citizen, application)
    assert checked(world, Evidence.from_zip(data)) == ALL_GOOD
    believed = {"roots": [authority.issuer.root]}
    assert checked(world, Evidence.from_zip(data), **believed) == ALL_GOOD
    folder = tmp_path / "files"
    with zipfile.ZipFile(BytesIO(data)) as archive:
        archive.extractall(folder)
    done = subprocess.run(
        [
            "openssl", "ts", "-verify", "-data", "point-de-controle.txt",
            "-in", "point-de-controle.tsr", "-CAfile", "autorite.pem",
        ],
        cwd=folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    manifest = json.loads((folder / "preuve.json").read_text())
    step = manifest["steps"][0]
    leaf = (folder / step["feuille"]).read_bytes()
    assert sha256(leaf).hexdigest() == step["leaf"]
    record = json.loads((folder / "etapes" / "01.json").read_text())
    assert leaf[33:] == (folder / "etapes" / "01.json").read_bytes()
    assert (record["application"], record["seq"]) == (application, 0)
    award = json.loads((folder / "attribution.jsonld").read_text())
    assert award_digest(award) in (folder / "etapes" / "01.json").read_text()


def test_the_command_says_it_in_words_and_by_its_exit_code(
    world: World, authority: Authority, tmp_path: Path
) -> None:
    citizen, application = awarded(world)
    file, trust, other = (tmp_path / name for name in ("preuve.zip", "trust.json", "other.pem"))
    data = evidence_of(world, citizen, application)
    file.write_bytes(data)
    trust.write_text(json.dumps(world.context.registry.current().to_claims()))
    other.write_bytes(TimestampAuthority(b"o" * 32, world.clock).root_pem)

    def run(*more: str) -> tuple[int, dict[str, Any]]:
        arguments = ["verify", str(file), "--trust", str(trust), "--state", str(tmp_path)]
        result = CliRunner().invoke(cli.app, [*arguments, "--json", *more])
        return result.exit_code, json.loads(result.stdout)

    code, said = run()
    assert (code, said["outcome"], said["kind"]) == (0, "verified", "decision")
    text = " ".join(row["text"] for row in said["checks"])
    assert "Horodatage de démonstration — sans valeur juridique" in text
    assert "comparez-la" in text
    code, said = run("--authority", str(other))
    assert (code, said["outcome"]) == (1, "refused")
    pending = replace(Evidence.from_zip(data), timestamp=None)
    file.write_bytes(pending.to_zip())
    code, said = run()
    assert (code, said["outcome"]) == (3, "cannot-tell")


def test_anything_changed_in_the_files_is_seen(world: World) -> None:
    citizen, application = awarded(world)
    good = Evidence.from_zip(evidence_of(world, citizen, application))
    stranger, another = awarded(world)
    other = Evidence.from_zip(evidence_of(world, stranger, another))
    last = good.steps[-1]
    record = json.loads(last.entry.record)
    altered = Entry.of({**record, "amountCents": 1}, salt=last.entry.salt)
    foreign = Ed25519Key.generate().signer(good.method)
    text = good.checkpoint.split(b"\n\n")[0].decode().split("\n")
    head = Checkpoint(text[0], int(text[1]), bytes(32))
    cases: dict[str, tuple[Evidence, str]] = {
        "amount": (
            replace(good, steps=(*good.steps[:-1], replace(last, entry=altered))),
            "not-included",
        ),
        "place": (
            replace(good, steps=(*good.steps[:-1], replace(last, position=last.position + 1))),
            "not-included",
        ),
        "another's step": (replace(good, steps=other.steps), "record-mismatch"),
        "another's award": (replace(good, award=other.award), "award-mismatch"),
        "no award": (replace(good, award=None), "award-missing"),
        "another's stamp": (replace(good, timestamp=other.timestamp), "timestamp-invalid"),
        "another key": (
            replace(good, checkpoint=sign_checkpoint(head, foreign)),
            "checkpoint-invalid",
        ),
        "no step": (replace(good, steps=()), "record-mismatch"),
    }
    for name, (evidence, code) in cases.items():
        assert checked(world, evidence).get(code) == "fail", name
    forged = {**dict(good.award or {}), "proof": {**(good.award or {})["proof"], "created": "2020"}}
    lying = Entry.of({**record, "award": award_digest(forged)}, salt=last.entry.salt)
    both = replace(good, award=forged, steps=(*good.steps[:-1], replace(last, entry=lying)))
    assert checked(world, both)["award-unsigned"] == "fail"


def test_a_file_that_is_not_evidence_is_refused(world: World) -> None:
    citizen, application = awarded(world)
    data = evidence_of(world, citizen, application)
    good = Evidence.from_zip(data)
    assert Evidence.from_zip(good.to_zip()) == good
    assert good.to_zip() == data

    def without(name: str) -> bytes:
        out = BytesIO()
        with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            for member in old.namelist():
                if member != name:
                    new.writestr(member, old.read(member))
        return out.getvalue()

    def with_manifest(**changes: Any) -> bytes:
        out = BytesIO()
        with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            for member in old.namelist():
                content = old.read(member)
                if member == "preuve.json":
                    content = json.dumps({**json.loads(content), **changes}).encode()
                new.writestr(member, content)
        return out.getvalue()

    step = {"feuille": "etapes/01.feuille", "leaf": "00", "position": 0, "path": []}
    for bad in (
        b"",
        b"PK\x03\x04 not a zip",
        data[:-40],
        without("preuve.json"),
        without("etapes/01.feuille"),
        without("etapes/01.json"),
        without("point-de-controle.txt"),
        with_manifest(steps=[step]),
        with_manifest(steps=[{**step, "feuille": "LISEZMOI.txt"}]),
        with_manifest(steps=None),
        with_manifest(steps=[{**step, "path": ["zz"]}]),
    ):
        with pytest.raises(EvidenceMalformedError):
            Evidence.from_zip(bad)


def test_an_outage_of_the_authority_delays_nobody(world: World, authority: Authority) -> None:
    authority.is_away = True
    citizen, application = apply(world, 41)
    context = world.context
    assert context.log.advance()
    context.runner().run_due()
    view = LocalHub(context).application(application, proof_jwt=proof(world, citizen, application))
    assert (view.state, view.register) == ("accepted", "timestamp-pending")
    evidence = Evidence.from_zip(evidence_of(world, citizen, application))
    assert checked(world, evidence)["timestamp-pending"] == "cannot-tell"
    size = read_checkpoint(evidence.checkpoint, context.log.key).size
    with pytest.raises(EvidencePendingError):
        context.log.timestamp(size)
    for _ in range(14):  # over any number of attempts the job is not given up
        world.clock.advance(hours=2)
        context.runner().run_due()
    assert context.log.verify().pending == 1
    authority.is_away = False
    world.clock.advance(hours=2)
    context.runner().run_due()
    found = LocalHub(context).application(application, proof_jwt=proof(world, citizen, application))
    assert found.register == "complete"
    assert checked(world, Evidence.from_zip(evidence_of(world, citizen, application))) == ALL_GOOD


@pytest.mark.parametrize("lie", ["another-nonce", "another-authority", "html", "refuses"])
def test_an_answer_that_does_not_verify_is_not_kept(
    world: World, authority: Authority, lie: str
) -> None:
    authority.lie = lie
    citizen, application = awarded(world)
    evidence = Evidence.from_zip(evidence_of(world, citizen, application))
    assert evidence.timestamp is None
    authority.lie = ""
    world.clock.advance(hours=2)
    world.context.runner().run_due()
    assert Evidence.from_zip(evidence_of(world, citizen, application)).timestamp is not None


def test_an_aid_that_asks_for_it_has_each_step_stamped(world: World) -> None:
    aid = world.context.publishing.aid(world.aid)
    world.context.publishing.add_aids(replace(aid, extra={**aid.extra, "timestampEach": True}))
    citizen, application = awarded(world)
    evidence = Evidence.from_zip(evidence_of(world, citizen, application))
    assert all(step.timestamp is not None for step in evidence.steps)
    assert checked(world, evidence) == ALL_GOOD
    swapped = (replace(evidence.steps[0], timestamp=evidence.timestamp), *evidence.steps[1:])
    assert checked(world, replace(evidence, steps=swapped))["timestamp-invalid"] == "fail"


def test_every_step_is_in_the_register_with_its_actor_reason_and_time(on_both: World) -> None:
    world, member = on_both, officer(on_both)
    citizen, application = apply(world, 3)
    context = world.context
    context.runner().run_due()
    context.desk.request_information(member, application, message="Quel mois ?")
    world.clock.advance(days=1)
    context.applications.answer(
        application, proof_jwt=proof(world, citizen, application), text="Janvier."
    )
    context.desk.decide(member, application, accept=False, reason="Trop peu de jours.")
    evidence = Evidence.from_zip(context.desk.evidence(member, application))
    records = [json.loads(step.entry.record) for step in evidence.steps]
    history = context.desk.open(member, application).application.history
    assert [(r["state"], r["actor"], r["reason"]) for r in records] == [
        (step.state.value, step.actor, step.reason) for step in history
    ]
    assert [r["at"] for r in records] == [
        step.at.isoformat(timespec="microseconds") for step in history
    ]
    assert records[-1]["reason"] == "Trop peu de jours."
    assert len({step.entry.salt for step in evidence.steps}) == len(records)
    report = context.log.verify()
    assert (report.faults, report.waiting, report.size) == ((), 0, len(records))


def test_a_leaf_says_nothing_without_its_salt(world: World) -> None:
    citizen, application = awarded(world)
    (first, *_rest) = Evidence.from_zip(evidence_of(world, citizen, application)).steps
    record = json.loads(first.entry.record)
    guesses = [Entry.of(record, salt=bytes([n]) * 32).leaf for n in range(256)]
    assert first.entry.leaf not in guesses
    assert Entry.of(record, salt=first.entry.salt).leaf == first.entry.leaf


def test_the_register_only_grows_and_proves_it(world: World) -> None:
    log = world.context.log
    heads: list[Checkpoint] = []
    for _ in range(4):
        apply(world, 41)
        assert log.advance()
        heads.append(read_checkpoint(log.checkpoint(), log.key))
    assert not log.advance()
    for old, new in pairwise(heads):
        path = log.consistency(old.size, new.size)
        assert verify_consistency(
            old.size, new.size, path=path, first_root=old.root, second_root=new.root
        )
    leaves = log.leaves(0, 1_000)
    assert len(leaves) == heads[-1].size
    for position, leaf in enumerate(leaves):
        found, path = log.inclusion(leaf, heads[-1].size)
        assert found == position
        assert verify_inclusion(
            leaf, index=position, size=heads[-1].size, path=path, root=heads[-1].root
        )
    for size in (0, heads[-1].size + 1):
        with pytest.raises(LogUnknownError):
            log.inclusion(leaves[0], size)
    with pytest.raises(LogUnknownError):
        log.inclusion(bytes(32), heads[-1].size)
    with pytest.raises(LogUnknownError):
        log.consistency(1, heads[-1].size + 1)
    with pytest.raises(LogUnknownError):
        log.checkpoint(10_000)


def test_the_minute_job_takes_in_what_waits_and_comes_back(world: World) -> None:
    context = world.context
    context.runner().run_due()
    apply(world, 41)
    context.runner().run_due()
    assert context.log.verify().waiting > 0  # not before its minute
    world.clock.advance(minutes=1)
    context.runner().run_due()
    assert context.log.verify().waiting == 0
    context.log.ensure()  # a restart adds no second one
    apply(world, 41)
    world.clock.advance(minutes=1)
    context.runner().run_due()
    report = context.log.verify()
    assert (report.waiting, report.checkpoints, report.timestamps) == (0, 2, 2)


def test_what_is_changed_in_the_database_is_noticed(world: World) -> None:
    member = officer(world)
    awarded(world)
    _, refused = apply(world, 3)
    world.context.desk.decide(member, refused, accept=False, reason="Trop peu de jours.")
    world.context.log.advance()
    world.context.runner().run_due()
    kept = world.context.log.checkpoint()
    assert world.context.log.verify([kept]).faults == ()
    node, entry, step, numbers = LogNodeRow, LogEntryRow, TransitionRow, count()

    def faults(statement: Any) -> set[str]:
        """What a check finds after a change in a copy."""
        copy = copy_of(world, f"copy-{next(numbers)}")
        with transact(copy.store.engine) as session:
            session.execute(statement)
        found = {fault.code for fault in copy.log.verify([kept]).faults}
        copy.close()
        return found

    first = {"level": 0, "position": 0}
    assert faults(update(step).where(step.application == refused).values(reason="autre")) == {
        "record-changed"
    }
    assert faults(delete(step).where(step.application == refused, step.state == "refused")) == {
        "record-missing"
    }
    assert faults(update(entry).where(entry.position == 0).values(record=b"{}")) == {"leaf-changed"}
    assert faults(delete(entry).where(entry.application == refused, entry.seq > 0)) == {
        "step-outside"
    }
    assert {"tree-broken", "history-rewritten", "leaf-changed"} <= faults(
        update(node).filter_by(**first).values(digest=bytes(32))
    )
    assert {"history-rewritten", "leaf-changed"} <= faults(
        delete(node).where(node.level == 0, node.position >= 1)
    )
    assert faults(update(LogCheckpointRow).values(note=b"x\n1\n\n")) == {"checkpoint-invalid"}
    assert faults(update(LogTimestampRow).values(reply=b"x")) == {"timestamp-invalid"}


def copy_of(world: World, name: str) -> HubContext:
    """The same hub on a copy of its files."""
    folder = world.context.settings.folder / name
    folder.mkdir()
    shutil.copytree(world.context.settings.keys_folder, folder / "hub-keys")
    for file in world.context.settings.folder.glob("hub.db*"):
        shutil.copy(file, folder)
    settings = world.context.settings.model_copy(update={"folder": folder})
    return HubContext.build(settings, clock=world.clock)


def test_a_rewritten_register_is_seen_by_who_kept_a_head(world: World) -> None:
    """The hub itself starts over, with its own key: only a head kept elsewhere tells."""
    awarded(world)
    kept = world.context.log.checkpoint()
    with transact(world.context.store.engine) as session:
        for table in (LogNodeRow, LogCheckpointRow, LogTimestampRow):
            session.execute(delete(table))
        session.execute(
            update(LogEntryRow).values(position=None, salt=bytes(32))  # other leaves
        )
    world.context.log.advance()
    world.context.runner().run_due()
    assert world.context.log.verify().faults == ()
    assert {f.code for f in world.context.log.verify([kept]).faults} == {"history-rewritten"}


def test_the_public_routes_tell_nothing_of_anyone(world: World) -> None:
    citizen, application = awarded(world)
    client = TestClient(create_hub_app(world.context), base_url=world.context.settings.origin)
    note = client.get("/v1/log/checkpoint")
    head = read_checkpoint(note.content, world.context.log.key)
    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    assert client.get(f"/v1/log/checkpoint/{head.size}").content == note.content
    stamp = client.get(f"/v1/log/checkpoint/{head.size}/timestamp")
    assert stamp.headers["content-type"] == "application/timestamp-reply"
    leaves = client.get("/v1/log/leaves").json()["leaves"]
    shown = client.get("/v1/log/inclusion", params={"leaf": leaves[0], "size": head.size}).json()
    assert verify_inclusion(
        bytes.fromhex(leaves[0]),
        index=shown["position"],
        size=head.size,
        path=[bytes.fromhex(node) for node in shown["path"]],
        root=head.root,
    )
    first = {"first": 1, "second": head.size}
    assert client.get("/v1/log/consistency", params=first).status_code == 200
    everything = note.text + json.dumps(leaves) + json.dumps(shown)
    for private in (application, citizen.did, "agglo", "accepted"):
        assert private not in everything
    assert client.get("/v1/log/checkpoint/999").json()["code"] == "log-unknown"
    assert client.get("/v1/log/inclusion?leaf=zz&size=1").status_code == 422
    far = client.get("/v1/log/leaves", params={"start": 2**53, "limit": 1})
    assert far.json()["leaves"] == []
    assert client.get("/v1/log/leaves", params={"limit": 5000}).status_code == 422


def test_only_the_holder_and_the_funder_get_the_file(world: World) -> None:
    citizen, application = awarded(world)
    stranger, another = awarded(world)
    hub = LocalHub(world.context)
    with pytest.raises(HubRefusedError) as refused:
        hub.evidence(application, proof_jwt=proof(world, stranger, application))
    assert refused.value.hub_code == "application-unknown"
    with pytest.raises(HubRefusedError) as refused:
        hub.evidence(application, proof_jwt=proof(world, citizen, another))
    assert refused.value.hub_code == "holder-proof-invalid"
    world.context.publishing.add_funder("autre", "Autre commune")
    member = world.context.members.add(
        "x@autre.example", "un mot de passe long", name="Autre", funder="autre"
    )
    with pytest.raises(ApplicationUnknownError):
        world.context.desk.evidence(member, application)


def test_a_checkpoint_is_the_signed_note_of_the_standard() -> None:
    """C2SP signed-note: text, blank line, em dash, key name, base64(key id ‖ signature)."""
    key = Ed25519Key.from_seed(b"k" * 32)
    head = Checkpoint("hub.example/registre", 3, sha256(b"root").digest())
    note = sign_checkpoint(head, key.signer("did:example:hub#cle-1"))
    text, line = note.decode().split("\n\n")
    assert text.split("\n")[:2] == ["hub.example/registre", "3"]
    assert line.startswith("— hub.example/registre ")
    reader = decode_multikey(key.signer("did:example:hub#cle-1").public_multikey())
    assert read_checkpoint(note, reader) == head
    stranger = decode_multikey(Ed25519Key.generate().signer("did:x:y#z").public_multikey())
    bad = {
        "other key": (note, stranger),
        "size": (note.replace(b"\n3\n", b"\n4\n"), reader),
        "leading zero": (note.replace(b"\n3\n", b"\n03\n"), reader),
        "four lines": (note.replace(b"\n3\n", b"\n3\n3\n"), reader),
        "no signature": (text.encode() + b"\n\n", reader),
        "binary": (b"\xff" + note, reader),
        "cut": (note[:-10], reader),
    }
    for name, (data, by) in bad.items():
        with pytest.raises(CheckpointError):
            read_checkpoint(data, by)
        assert name
    with pytest.raises(ValueError, match="Ed25519"):
        sign_checkpoint(head, P256Key.generate().signer("did:x:y#z"))
    assert tree_root(0, lambda _l, _i: b"") == sha256().digest()
