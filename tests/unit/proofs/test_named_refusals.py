"""What a verifier must refuse: the names of the federation's list, each for every format it applies
to, through the entries of the product, with the exact code.

`TABLE` gives name → format → how it is made and what it is refused with; or the reason why the
format has no such case. A name or a format without a line fails. Each line runs through the
`Verifier` (a presentation with its challenge and audience, or a bare credential) and, where nobody
is asked, through `mobility verify`'s door (`verify_offline`).
"""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from federation.credentials import (
    AllOf,
    HasCredential,
    Outcome,
    StatusEntry,
    TokenStatus,
    TokenStatusList,
    UnverifiableError,
    VerificationError,
    disclose,
    issue,
    issue_sd_jwt_vc,
    issue_token_status_list,
    verify_offline,
)
from federation.credentials import types as build
from federation.jose import sign_jws
from federation.keys import Ed25519Key, P256Key, Signer
from federation.multibase import b64url, b64url_decode
from federation.proofs import present_sd_jwt
from federation.trust import PinnedKey, SnapshotRolledBackError, TrustedSnapshotSet
from schemas.errors import MobilityError
from tests.unit.proofs.test_verify import present_raw
from tests.unit.proofs.world import AUDIENCE, CHALLENGE, DAY, EMPLOYER, LIST_URL, NOW, World

POLICY: Final = AllOf([HasCredential("AffiliationCredential")])
TOKENS: Final = "https://employer.example/status/9"
HOLDER = P256Key.from_private_bytes(b"\x01" * 32)
OTHER_HOLDER = P256Key.from_private_bytes(b"\x02" * 32)
THIEF = Ed25519Key.from_seed(b"t" * 32).signer(f"{EMPLOYER}#key-1")
SELECTIVE = P256Key.from_private_bytes(b"\x0a" * 32).signer(f"{EMPLOYER}#key-2")
SELECTIVE_THIEF = P256Key.from_private_bytes(b"\x0b" * 32).signer(f"{EMPLOYER}#key-2")
HOUR: Final = timedelta(hours=1)
Json = dict[str, Any]

LDP, SD, TOKEN, JWT = "ldp_vc", "ldp_vc, ecdsa-sd-2023", "dc+sd-jwt", "vc+jwt"
FORMATS: Final = (LDP, SD, TOKEN, JWT)

NAMES: Final = (
    "expired",
    "not yet valid",
    "wrong issuer key",
    "issuer not accredited for this type",
    "issuer not accredited at that date",
    "revoked",
    "suspended",
    "status unreachable",
    "replayed challenge",
    "wrong audience",
    "holder key mismatch",
    "dropped or undefined term",
    "changed context",
    "removed mandatory statement",
    "foreign disclosure",
    "extra member",
    "reordered context",
    "duplicate JSON key",
    "@id alias",
    "algorithm confusion",
    "none",
    "key compromised before receipt",
    "snapshot older than the last seen",
)
"""The list, as the issue on proofs gives it."""


@dataclass
class Given:
    """What is shown, and to whom; `tamper` changes it after the issuer signed, `before` the claims
    an issuer signs without care."""

    world: World
    kind: str
    signing: Json = field(default_factory=dict)
    before: Callable[[Json], object] | None = None
    tamper: Callable[[Json], object] | None = None
    rewrite: Callable[[str], str] | None = None
    challenge: str = CHALLENGE
    audience: str = AUDIENCE
    received_at: datetime | None = None

    # --- issuing ------------------------------------------------------------------------

    def issued(self) -> Any:
        """The credential as its holder has it."""
        o, world = self.signing, self.world
        body = build.affiliation(
            holder=o.get("holder", world.holder_did),
            employer_name="Agglomération de la Clamoux",
            employer_id="20003588700013",
            employee_number="A-1042",
            status="agent-contractuel-public",
            valid_until=o.get("until", NOW + DAY),
        )
        since = o.get("since", NOW - 2 * DAY)
        entry = StatusEntry(LIST_URL, o["index"], o["purpose"]) if "index" in o else None
        signer = o.get("signer", SELECTIVE if self.kind == SD else world.employer)
        if self.kind in (LDP, SD):
            document = issue(
                body,
                signer=signer,
                at=NOW - 2 * DAY,
                valid_from=since,
                status=entry,
                selective=self.kind == SD,
            )
            if self.kind == SD:
                shown = tuple(body["credentialSubject"]) if o.get("whole") else ("employerId",)
                document = disclose(document, [("credentialSubject", name) for name in shown])
            if self.tamper is not None:
                self.tamper(document)
            return document
        if self.kind == TOKEN:
            if self.before is not None:
                claims = self.claims(body, since)
                self.before(claims)
                return sign_jws(claims, signer, typ="dc+sd-jwt") + "~"
            return issue_sd_jwt_vc(
                body,
                signer=signer,
                holder=o.get("key", HOLDER).public,
                at=since,
                valid_until=o.get("until", NOW + DAY),
                status=TokenStatus(TOKENS, o["index"]) if "index" in o else None,
            )
        document = issue(
            body, signer=world.employer, at=NOW - 2 * DAY, valid_from=since, status=entry
        )
        claims = {name: value for name, value in document.items() if name != "proof"}
        if "signer" in o:
            claims["issuer"] = signer.verification_method.partition("#")[0]
        if self.before is not None:
            self.before(claims)
        return sign_jws(claims, signer, typ="vc+jwt")

    @staticmethod
    def claims(body: Json, since: datetime) -> Json:
        """What a careless issuer would sign as an SD-JWT, every claim in clear."""
        subject = {n: v for n, v in body["credentialSubject"].items() if n not in ("id", "status")}
        return {
            "iss": EMPLOYER,
            "vct": "https://w3id.org/mobility-vault/vocab#AffiliationCredential",
            "nbf": int(since.timestamp()),
            "exp": int((NOW + DAY).timestamp()),
            "cnf": {"jwk": HOLDER.public.jwk()},
            **subject,
            "employmentStatus": body["credentialSubject"]["status"],
        }

    # --- showing ------------------------------------------------------------------------

    def shown(self) -> Any:
        """What a verifier is given."""
        held = self.issued()
        if self.kind in (LDP, SD):
            # A holder who tampers signs what was tampered with: only the issuer's word is wrong.
            options = {"challenge": self.challenge, "domain": self.audience}
            try:
                package = present_raw(self.world, [held], **options)
            except MobilityError:  # no linked data: read no further than its shape
                options["cryptosuite"] = "ecdsa-jcs-2019"
                package = present_raw(self.world, [held], **options)
            if self.rewrite is None:
                return package
            return self.rewritten(json.dumps(package)).encode()
        if self.kind == TOKEN:
            stolen = self.signing.get("key", HOLDER) is not HOLDER
            held = self.presented(held, self.world.other_holder if stolen else self.world.holder)
            if stolen:  # somebody else's token, with a binding by the key one has
                own = self.presented(Given(self.world, TOKEN).issued(), self.world.holder)
                held = f"{held.rpartition('~')[0]}~{own.rpartition('~')[2]}"
        return held if self.rewrite is None else self.rewritten(held)

    def presented(self, token: str, holder: Signer) -> str:
        return present_sd_jwt(
            token,
            disclose=[] if self.before else [("employerId",)],
            holder=holder,
            nonce=self.challenge,
            audience=self.audience,
            at=NOW,
        )

    def rewritten(self, text: str) -> str:
        assert self.rewrite is not None
        found = self.rewrite(text)
        assert found != text, "a case that changes nothing"
        return found

    # --- the entries ------------------------------------------------------------------------

    def verify(self) -> object:
        """The verifier's steps on what is shown."""
        verifier, shown = self.world.verifier(), self.shown()
        if self.kind in (LDP, SD):
            held = self.signing.get("received", {})
            if self.received_at is not None and not isinstance(shown, bytes):
                held = {c["id"]: self.received_at for c in shown["verifiableCredential"]}
            return self.world.verify(shown, POLICY, received=held)
        if self.kind == TOKEN:
            return verifier.verify_sd_jwt(
                shown,
                POLICY,
                nonce=CHALLENGE,
                audience=AUDIENCE,
                at=NOW,
                received_at=self.received_at,
            )
        return verifier.verify_vc_jwt(shown, POLICY, at=NOW, received_at=self.received_at)

    def offline(self) -> tuple[str, ...]:
        """The file's door: outcome `refused` and its codes, or `cannot-tell`."""
        shown = self.shown()
        if isinstance(shown, str):
            shown = shown.encode()
        data = shown if isinstance(shown, bytes) else json.dumps(shown).encode()
        result = verify_offline(
            data,
            trust=self.world.trust(),
            at=NOW,
            status_lists=self.world.lists,
            received_at=self.received_at,
            policy=POLICY,
        )
        if result.outcome == "cannot-tell":
            return tuple(c.code for c in result.checks if c.outcome is Outcome.CANNOT_TELL)
        return (result.outcome, *result.failed)


Make = Callable[[World, str], Given]


@dataclass(frozen=True)
class Line:
    """How a case is made, and the code it is refused with; `asked`: it is about the question a
    presentation answers, which a file is not asked."""

    make: Make
    code: str
    asked: bool = False


def signed(code: str, **signing: Any) -> Line:
    """Signed otherwise."""

    def make(world: World, kind: str) -> Given:
        own = dict(signing)
        if own.get("signer") is THIEF and kind == SD:
            own["signer"] = SELECTIVE_THIEF
        return Given(world, kind, own)

    return Line(make, code)


def tampered(code: str, change: Callable[[Json], object]) -> Line:
    """A linked document changed after it was signed."""
    return Line(lambda world, kind: Given(world, kind, tamper=change), code)


def careless(code: str, change: Callable[[Json], object]) -> Line:
    """Claims that an issuer signed without care."""
    return Line(lambda world, kind: Given(world, kind, before=change), code)


def rewritten(code: str, change: Callable[[str], str], *, asked: bool = False) -> Line:
    """The text that is shown, changed."""
    return Line(lambda world, kind: Given(world, kind, rewrite=change), code, asked)


# --- the cases that need more than a line ---------------------------------------------------------


def unaccredited(world: World, kind: str) -> Given:
    world.change(EMPLOYER, credential_types=frozenset({"UsageProof"}))
    return Given(world, kind)


def no_longer_accredited(world: World, kind: str) -> Given:
    world.change(EMPLOYER, until=NOW - HOUR)
    return Given(world, kind)


def listed(kind_of_status: str) -> Make:
    """With a place in a list whose bit is set."""

    def make(world: World, kind: str) -> Given:
        purpose = "suspension" if kind_of_status == "suspended" else "revocation"
        world.publish(5, purpose=purpose)
        entries = TokenStatusList.empty()
        entries[5] = 2 if kind_of_status == "suspended" else 1
        world.lists[TOKENS] = issue_token_status_list(
            entries, uri=TOKENS, signer=world.employer, at=NOW - HOUR, valid_until=NOW + DAY
        ).encode()
        return Given(world, kind, {"index": 5, "purpose": purpose})

    return make


def unlisted(world: World, kind: str) -> Given:
    return Given(world, kind, {"index": 5, "purpose": "revocation"})


def compromised(world: World, kind: str) -> Given:
    keys = [replace(key, compromised_since=NOW - 2 * HOUR) for key in world.entries[EMPLOYER].keys]
    world.change(EMPLOYER, keys=tuple(keys))
    return Given(world, kind, received_at=NOW - HOUR)


def mismatched(world: World, kind: str) -> Given:
    if kind == TOKEN:
        return Given(world, kind, {"key": OTHER_HOLDER})
    stranger = world.other_holder.verification_method.partition("#")[0]
    return Given(world, kind, {"holder": stranger})


def replayed(world: World, kind: str) -> Given:
    return Given(world, kind, challenge="n-of-yesterdays-request")


def misdirected(world: World, kind: str) -> Given:
    return Given(world, kind, audience="https://other.example")


def with_alg(name: object) -> Callable[[str], str]:
    """The token with another algorithm in its header, and its signature as it was."""

    def change(text: str) -> str:
        jwt, mark, rest = text.partition("~")
        head, claims, signature = jwt.split(".")
        header = {**json.loads(b64url_decode(head)), "alg": name}
        tail = "" if name == "none" else signature
        return f"{b64url(json.dumps(header).encode())}.{claims}.{tail}{mark}{rest}"

    return change


def twice(member: str) -> Callable[[str], str]:
    """The payload with a member twice, signed by the issuer itself."""

    def change(text: str) -> str:
        jwt, mark, rest = text.partition("~")
        head, claims, _ = jwt.split(".")
        payload = b64url_decode(claims).decode()
        doubled = b64url(("{" + f'"{member}":"did:web:other.example",' + payload[1:]).encode())
        own = Ed25519Key.from_seed(b"e" * 32)
        signature = b64url(own.sign(f"{head}.{doubled}".encode()))
        return f"{head}.{doubled}.{signature}{mark}{rest}"

    return change


def without_claim(member: str) -> Callable[[str], str]:
    """The payload without a member, the signature as it was."""

    def change(text: str) -> str:
        jwt, mark, rest = text.partition("~")
        head, claims, signature = jwt.split(".")
        payload = json.loads(b64url_decode(claims))
        del payload[member]
        return f"{head}.{b64url(json.dumps(payload).encode())}.{signature}{mark}{rest}"

    return change


def foreign_disclosure(text: str) -> str:
    jwt, _, rest = text.partition("~")
    foreign = b64url(json.dumps(["salt", "employeeNumber", "B-1"]).encode())
    return f"{jwt}~{foreign}~{rest}"


def own_statement(document: Json) -> None:
    """A statement that the holder writes beside those the issuer signed."""
    document["credentialSubject"]["employeeNumber"] = "B-1"


def without(member: str) -> Callable[[Json], object]:
    return lambda found: found.pop(member)


def subject_without(member: str) -> Callable[[Json], object]:
    return lambda found: found["credentialSubject"].pop(member)


def with_member(**members: Any) -> Callable[[Json], object]:
    return lambda found: found.update(members)


def in_subject(**members: Any) -> Callable[[Json], object]:
    return lambda found: found["credentialSubject"].update(members)


def aliased(found: Json) -> None:
    found["@id"] = found.pop("id")


def other_context(found: Json) -> None:
    found["@context"][1] = "https://example.org/v1"


def reordered(found: Json) -> None:
    found["@context"].reverse()


def suite(name: object) -> Callable[[Json], object]:
    return lambda found: found["proof"].update(cryptosuite=name)


def named_key(method: str) -> Callable[[Json], object]:
    """A key of the same issuer, of another algorithm than the suite's."""
    return lambda found: found["proof"].update(verificationMethod=method)


def whole_without_suite(world: World, kind: str) -> Given:
    """Every member shown: a part is read under `ecdsa-sd-2023` alone (`missing-member`)."""
    return Given(world, kind, {"whole": True}, tamper=suite("none"))


NOBODY_ASKS: Final = (
    "nobody presents a VC-JWT: the hub's intake takes none, steps 6 and 7 are not its"
)
NO_CONTEXT: Final = "an SD-JWT has no context and no keyword: what it says is its claims by name"
BOTH: Final = (LDP, SD)


def alike(line: Line, *formats: str) -> dict[str, Line]:
    return dict.fromkeys(formats or FORMATS, line)


TABLE: Final[Mapping[str, Mapping[str, Line | str]]] = {
    "expired": alike(signed("expired", until=NOW - timedelta(seconds=1))),
    "not yet valid": alike(signed("not-yet-valid", since=NOW + DAY / 2)),
    "wrong issuer key": alike(signed("proof-invalid", signer=THIEF)),
    "issuer not accredited for this type": alike(Line(unaccredited, "issuer-not-accredited")),
    "issuer not accredited at that date": alike(
        Line(no_longer_accredited, "issuer-not-accredited")
    ),
    "revoked": alike(Line(listed("revoked"), "status-revoked")),
    "suspended": alike(Line(listed("suspended"), "status-suspended")),
    "status unreachable": alike(Line(unlisted, "status-unreachable")),
    "replayed challenge": {
        **alike(Line(replayed, "challenge-mismatch", asked=True), LDP, SD, TOKEN),
        JWT: NOBODY_ASKS,
    },
    "wrong audience": {
        **alike(Line(misdirected, "wrong-audience", asked=True), LDP, SD, TOKEN),
        JWT: NOBODY_ASKS,
    },
    "holder key mismatch": {
        **alike(Line(mismatched, "holder-mismatch"), *BOTH),
        TOKEN: Line(mismatched, "holder-mismatch"),
        JWT: NOBODY_ASKS,
    },
    "dropped or undefined term": {
        **alike(tampered("dropped-term", in_subject(unheardOf=5)), *BOTH),
        TOKEN: careless("extra-member", with_member(unheardOf=5)),  # a token drops nothing
        JWT: careless("dropped-term", in_subject(unheardOf=5)),
    },
    "changed context": {
        **alike(tampered("context-changed", other_context), *BOTH),
        TOKEN: NO_CONTEXT,
        JWT: careless("context-changed", other_context),
    },
    "removed mandatory statement": {
        LDP: tampered("missing-member", subject_without("employerId")),
        SD: tampered("proof-invalid", without("validUntil")),
        TOKEN: rewritten("proof-invalid", without_claim("exp")),
        JWT: rewritten("proof-invalid", without_claim("validUntil")),
    },
    "foreign disclosure": {
        LDP: "the whole credential is shown: a statement of another is a changed one",
        SD: tampered("foreign-disclosure", own_statement),
        TOKEN: rewritten("foreign-disclosure", foreign_disclosure),
        JWT: "the whole credential is shown: a statement of another is a changed one",
    },
    "extra member": {
        **alike(tampered("extra-member", in_subject(amount=5)), *BOTH),
        TOKEN: careless("extra-member", with_member(amount=5)),
        JWT: careless("extra-member", in_subject(amount=5)),
    },
    "reordered context": {
        **alike(tampered("context-reordered", reordered), *BOTH),
        TOKEN: NO_CONTEXT,
        JWT: careless("context-reordered", reordered),
    },
    "duplicate JSON key": {
        **alike(
            rewritten(
                "json-refused",
                lambda text: text.replace('"holder":', '"holder": "did:key:zOther", "holder":', 1),
            ),
            *BOTH,
        ),
        TOKEN: rewritten("sd-jwt-malformed", twice("iss")),
        JWT: rewritten("json-refused", twice("issuer")),
    },
    "@id alias": {
        **alike(tampered("keyword-alias", aliased), *BOTH),
        TOKEN: careless("extra-member", with_member(**{"@id": "urn:x:1"})),
        JWT: careless("keyword-alias", aliased),
    },
    "algorithm confusion": {
        LDP: tampered("algorithm-mismatch", suite("ecdsa-rdfc-2019")),
        SD: tampered("algorithm-mismatch", named_key(f"{EMPLOYER}#key-1")),
        TOKEN: rewritten("proof-invalid", with_alg("HS256")),
        JWT: rewritten("proof-invalid", with_alg("ES256")),
    },
    "none": {
        LDP: tampered("cryptosuite-unknown", suite("none")),
        SD: Line(whole_without_suite, "cryptosuite-unknown"),
        TOKEN: rewritten("proof-invalid", with_alg("none")),
        JWT: rewritten("proof-invalid", with_alg("none")),
    },
    "key compromised before receipt": alike(Line(compromised, "key-compromised")),
    "snapshot older than the last seen": alike(Line(compromised, "key-compromised")),
}
CASES: Final = [
    (name, kind) for name in TABLE for kind in FORMATS if isinstance(TABLE[name][kind], Line)
]


@pytest.fixture
def world() -> World:
    made = World()
    pinned = PinnedKey(SELECTIVE.public_multikey(), SELECTIVE.verification_method, NOW - 90 * DAY)
    made.change(EMPLOYER, keys=(*made.entries[EMPLOYER].keys, pinned))
    return made


def line_of(name: str, kind: str) -> Line:
    found = TABLE[name][kind]
    assert isinstance(found, Line)
    return found


def code_of(act: Callable[[], object]) -> tuple[str, ...]:
    try:
        act()
    except VerificationError as error:
        return error.failed
    except UnverifiableError as error:
        return tuple(c.code for c in error.checks if c.outcome is Outcome.CANNOT_TELL)
    pytest.fail("it was accepted")


def test_every_name_of_the_list_is_here_for_every_format() -> None:
    assert tuple(TABLE) == NAMES
    for name, lines in TABLE.items():
        assert set(lines) == set(FORMATS), name
        assert any(isinstance(found, Line) for found in lines.values()), name


@pytest.mark.parametrize("kind", FORMATS)
def test_what_every_case_begins_from_is_verified(world: World, kind: str) -> None:
    assert Given(world, kind).verify()
    assert Given(world, kind).offline() == ("verified",)
    listed("revoked")(world, kind)
    assert Given(world, kind, {"index": 6, "purpose": "revocation"}).verify()


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_it_is_refused_by_its_name(world: World, name: str, kind: str) -> None:
    line = line_of(name, kind)
    assert code_of(line.make(world, kind).verify) == (line.code,)


@pytest.mark.parametrize(("name", "kind"), [c for c in CASES if not line_of(*c).asked])
def test_its_file_is_refused_by_the_same_name(world: World, name: str, kind: str) -> None:
    line = line_of(name, kind)
    found = line.make(world, kind).offline()
    expected = (line.code,) if name == "status unreachable" else ("refused", line.code)
    assert found == expected


@pytest.mark.parametrize("kind", FORMATS)
def test_received_before_the_compromise_it_still_counts(world: World, kind: str) -> None:
    given = compromised(world, kind)
    given.received_at = NOW - 3 * HOUR
    assert given.verify()
    given.received_at = None
    assert code_of(given.verify) == ("key-compromised",), "without a receipt no date is believed"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_snapshot_older_than_the_last_seen_is_not_taken(world: World, kind: str) -> None:
    """The registry of before the compromise is offered: the set of snapshots keeps the newer, and a
    verifier built from it refuses."""
    before = world.trust(version=1).sign(world.registry)
    given = compromised(world, kind)
    trusted = TrustedSnapshotSet(
        {world.registry.verification_method: Ed25519Key.from_seed(b"r" * 32).public}
    )
    trusted.update(world.trust(version=2).sign(world.registry), NOW)
    with pytest.raises(SnapshotRolledBackError) as caught:
        trusted.update(before, NOW)
    assert caught.value.code == "snapshot-rolled-back"
    assert trusted.current(NOW).version == 2
    old = copy.copy(world)
    old.trust = lambda version=2: trusted.current(NOW)  # type: ignore[method-assign]
    given.world = old
    assert code_of(given.verify) == ("key-compromised",)


@pytest.mark.parametrize(
    "name", ["none", "HS256", "HS512", "ES256", "ES384", "eddsa", None, ["EdDSA"]]
)
@pytest.mark.parametrize("kind", [TOKEN, JWT])
def test_no_algorithm_but_the_keys_own_is_taken(world: World, kind: str, name: object) -> None:
    assert code_of(Given(world, kind, rewrite=with_alg(name)).verify) == ("proof-invalid",)
