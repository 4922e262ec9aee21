"""Typed path == compiled walk == PyLD == pyoxigraph, on a corpus and on generated documents: equal
or refused, never another graph."""

import copy
import json
from datetime import date, timedelta
from functools import cache
from typing import Any

import pyoxigraph
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation.credentials import (
    AllOf,
    HasCredential,
    issue,
    parse_credential,
    parse_presentation,
    present,
)
from federation.credentials.shape import Shape, ShapeError, Value, _read_slowly, read_node
from federation.credentials.typed import (
    canonical_credential,
    canonical_presentation,
    statements,
)
from federation.credentials.types import CREDENTIAL_TYPES
from federation.proofs import ProofInvalidError
from federation.proofs.rdfc import canonical_configuration, canonical_strict
from schemas.compiled import compiled_canonical
from schemas.documents import load
from schemas.errors import MobilityError
from schemas.rdf import canonize, parse_nquads, to_quads_slow
from tests.unit.proofs.test_compiled import CORPUS, OUTSIDE
from tests.unit.proofs.world import AUDIENCE, NOW, POLICY, World

Json = dict[str, Any]
WORLD = World()
THOROUGH = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@cache
def context(iri: str) -> Any:
    return load(iri)["@context"]


def by_oxigraph(document: Json) -> str:
    """Its JSON-LD reader has no loader: contexts are put in place of their names."""
    inlined = copy.deepcopy(document)
    _inline(inlined)
    quads = pyoxigraph.parse(json.dumps(inlined).encode(), format=pyoxigraph.RdfFormat.JSON_LD)
    return canonize(parse_nquads("".join(f"{quad} .\n" for quad in quads)))


def _inline(value: Any) -> None:
    if isinstance(value, dict):
        if "@context" in value:
            names = value["@context"]
            names = [names] if isinstance(names, str) else names
            value["@context"] = [context(name) for name in names]
        for name, child in value.items():
            if name != "@context":
                _inline(child)
    elif isinstance(value, list):
        for child in value:
            _inline(child)


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\x7f"),
    min_size=1,
    max_size=20,
).filter(lambda text: not any(c < " " and c not in "\t\n\r" for c in text))
ODD_TEXT = st.sampled_from(
    ['"', "\\", 'a"b\\c', "\n\r\t", "é€𝄞\u2028\u0085", "_:b0", "<urn:x>", " ."]
)
IRI = st.one_of(
    st.uuids().map(lambda found: f"urn:uuid:{found}"),
    st.sampled_from(["https://a.example/b?c=d#é", "did:web:x%3A1:y", "urn:a:b", "xsd:a", "x-y:z"]),
)
DAY = st.dates(date(1900, 1, 1), date(2999, 12, 31)).map(date.isoformat)
INSTANT = st.datetimes().map(lambda at: at.replace(microsecond=0).isoformat() + "Z")


def scalar(kind: Value) -> st.SearchStrategy[Any]:
    return {
        Value.TEXT: st.one_of(TEXT, ODD_TEXT),
        Value.IRI: IRI,
        Value.DATE: DAY,
        Value.INSTANT: INSTANT,
        Value.COUNT: st.integers(0, 2**53 - 1),
        Value.DIGEST: st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}"),
    }[kind]


@st.composite
def node(draw: st.DrawFn, shape: Shape, identifier: str | None = None) -> Json:
    found: Json = {"id": identifier or f"urn:uuid:{draw(st.uuids())}"}
    for name, member in shape.members.items():
        if not member.required and draw(st.booleans()):
            continue
        if member.kind is Value.NODES:
            children = draw(st.lists(node(member.shape or Shape()), min_size=1, max_size=3))
            found[name] = sorted(children, key=lambda child: str(child["id"]))
        elif member.one_of is not None:
            found[name] = draw(st.sampled_from(sorted(member.one_of)))
        else:
            found[name] = draw(scalar(member.kind))
    if "periodFrom" in found and "periodUntil" in found:
        found["periodFrom"], found["periodUntil"] = sorted(
            [found["periodFrom"], found["periodUntil"]]
        )
    return found


@st.composite
def credential(draw: st.DrawFn) -> Json:
    kind = draw(st.sampled_from(sorted(CREDENTIAL_TYPES)))
    body = {
        "@context": list(CORPUS["usage-proof"]["@context"]),
        "id": f"urn:uuid:{draw(st.uuids())}",
        "type": ["VerifiableCredential", kind],
        **({"validUntil": draw(INSTANT)} if draw(st.booleans()) else {}),
        "credentialSubject": draw(node(CREDENTIAL_TYPES[kind], WORLD.holder_did)),
    }
    return issue(body, signer=WORLD.home, at=NOW)


def unsecured(document: Json) -> Json:
    return {name: value for name, value in document.items() if name != "proof"}


@given(credential())
@THOROUGH
def test_four_readers_say_the_same_of_any_credential_we_issue(document: Json) -> None:
    parsed = parse_credential(document)
    assert parsed.document == document, "emit(parse(D)) == D"
    typed = canonical_credential(statements(parsed)).decode()
    plain = unsecured(document)
    assert typed == compiled_canonical(plain)
    assert typed == to_quads_slow(plain)
    assert typed == by_oxigraph(plain)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 2**54),
    st.floats(allow_nan=False),
    TEXT,
    ODD_TEXT,
    IRI,
    st.just([]),
    st.just({}),
    st.lists(st.builds(dict, id=IRI), min_size=1, max_size=2),
)


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[Shape, Json]:
    """A subject, whole or with one member, its own or a nested node's, changed, added or gone."""
    shape = CREDENTIAL_TYPES[draw(st.sampled_from(sorted(CREDENTIAL_TYPES)))]
    whole = draw(node(shape))
    nested = [item for value in whole.values() if isinstance(value, list) for item in value]
    place = draw(st.sampled_from([whole, *nested]))
    match draw(st.sampled_from(["keep", "change", "drop", "add", "twin"])):
        case "change":
            place[draw(st.sampled_from(sorted(place)))] = draw(ODD)
        case "drop":
            del place[draw(st.sampled_from(sorted(place)))]
        case "add":
            place[draw(st.sampled_from(["extra", "@id", "type", "days", "mode"]))] = draw(ODD)
        case "twin":
            place["id"] = draw(st.sampled_from([whole, *nested])).get("id", "urn:a:b")
    return shape, whole


@given(spoiled())
@THOROUGH
def test_the_quick_reading_says_what_the_slow_one_says(case: tuple[Shape, Json]) -> None:
    shape, document = case
    quick_ids: set[str] = {"urn:a:taken"}
    slow_ids = set(quick_ids)
    try:
        expected = _read_slowly(document, shape, "", slow_ids)
    except ShapeError as error:
        with pytest.raises(ShapeError) as caught:
            read_node(document, shape, "", quick_ids)
        assert (caught.value.code_of, caught.value.where) == (error.code_of, error.where)
        return
    assert read_node(document, shape, "", quick_ids) == expected
    assert quick_ids == slow_ids
    assert expected.written == document


@given(st.lists(credential(), min_size=1, max_size=3, unique_by=lambda found: str(found["id"])))
@settings(THOROUGH, max_examples=30)
def test_four_readers_say_the_same_of_any_presentation(documents: list[Json]) -> None:
    try:
        package = present(documents, holder=WORLD.holder, challenge="c" * 16, domain="d", at=NOW)
    except ShapeError as error:
        assert error.code_of == "duplicate-node"
        return
    parsed = parse_presentation(package)
    stated = [statements(found) for found in parsed.credentials]
    typed = canonical_presentation(parsed, stated).decode()
    plain = unsecured(package)
    assert typed == compiled_canonical(plain)
    assert typed == to_quads_slow(plain)
    assert typed == by_oxigraph(plain)


@pytest.mark.parametrize("name", CORPUS)
def test_three_readers_say_the_same_of_the_corpus(name: str) -> None:
    document = CORPUS[name]
    assert compiled_canonical(document) == to_quads_slow(document)
    assert compiled_canonical(document) == by_oxigraph(document)


MEMBERS = [
    "id",
    "type",
    "@id",
    "@type",
    "@value",
    "@graph",
    "days",
    "mode",
    "rule",
    "proof",
    "name",
    "daysByMode",
    "issuer",
    "credentialSubject",
    "evidence",
    "@context",
    "verifiableCredential",
    "unheard",
    "urn:a:p",
    "relatedResource",
    "validFrom",
]
JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**60), 2**60),
        st.floats(allow_nan=False),
        TEXT,
        ODD_TEXT,
        IRI,
        st.sampled_from(["_:b0", "UsageProof", "bicycle", "@id", "a/b", "", "xsd:date"]),
    ),
    lambda child: st.one_of(
        st.lists(child, max_size=3),
        st.dictionaries(
            st.sampled_from(MEMBERS),
            child,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(sorted(CORPUS)), st.dictionaries(st.text(max_size=3), JUNK, max_size=2), JUNK
)
@settings(THOROUGH, max_examples=300)
def test_the_walk_agrees_with_the_processor_or_refuses_whatever_the_document(
    name: str, extra: Json, junk: Any
) -> None:
    document = {**unsecured(CORPUS[name]), "credentialSubject": junk, **extra}
    try:
        walked = canonical_strict(document).decode()
    except MobilityError:
        return
    assert walked == to_quads_slow(document)


@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["DataIntegrityProof", "UsageProof"])},
        optional={
            "id": st.one_of(IRI, ODD_TEXT),
            "cryptosuite": TEXT,
            "created": st.one_of(INSTANT, TEXT),
            "verificationMethod": st.one_of(IRI, st.just("a/b")),
            "proofPurpose": st.sampled_from(["assertionMethod", "authentication", "x", "urn:a:b"]),
            "challenge": st.one_of(TEXT, ODD_TEXT, st.integers()),
            "domain": st.one_of(TEXT, st.lists(TEXT, max_size=2)),
            "nonce": TEXT,
            "previousProof": IRI,
        },
    )
)
@settings(THOROUGH, max_examples=300)
def test_the_proof_template_agrees_with_the_processor_or_refuses(options: Json) -> None:
    contexts = CORPUS["usage-proof"]["@context"]
    try:
        template = canonical_configuration(options, contexts).decode()
    except MobilityError:
        return
    assert template == to_quads_slow({**options, "@context": contexts})


@given(credential(), st.data())
@THOROUGH
def test_any_change_to_a_signed_credential_is_refused(document: Json, data: st.DataObject) -> None:
    changed = copy.deepcopy(document)
    subject = changed["credentialSubject"]
    name = data.draw(st.sampled_from(sorted(subject)))
    value = data.draw(JUNK)
    if type(value) is type(subject[name]) and value == subject[name]:
        return
    subject[name] = value
    try:
        parsed = parse_credential(changed)
        lines = statements(parsed)
    except MobilityError:
        return
    assert canonical_credential(lines) != canonical_strict(unsecured(document))


def test_the_typed_path_refuses_what_the_walk_refuses() -> None:
    for name, (change, _) in OUTSIDE.items():
        document = copy.deepcopy(CORPUS["usage-proof"])
        change(document)
        with pytest.raises((ShapeError, ProofInvalidError, MobilityError)):
            statements(parse_credential(document))
        assert name


def test_a_status_list_is_checked_anew_when_the_answer_changes() -> None:
    world = World()
    world.publish(7)
    verifier = world.verifier()
    package = world.present(world.usage(), world.affiliation(index=3))

    def verify() -> object:
        return verifier.verify(
            package,
            POLICY,
            challenge="n-0123456789abcdef",
            domain=AUDIENCE,
            at=NOW,
        )

    verify()
    verify()
    world.publish(3)
    with pytest.raises(MobilityError) as refused:
        verify()
    assert "status-revoked" in getattr(refused.value, "failed", ())
    world.publish(7, signer=world.operator)
    with pytest.raises(MobilityError) as unsure:
        verify()
    assert unsure.value.code == "unverifiable"
    world.publish(7, at=NOW - timedelta(days=9), valid_until=NOW - timedelta(days=8))
    with pytest.raises(MobilityError) as stale:
        verify()
    assert stale.value.code == "unverifiable"


def test_full_verification_leaves_no_step_out() -> None:
    """What `credential.verify_full` and `presentation.verify_full` of the bench time."""
    world = World()
    world.publish(7)
    policy = AllOf([HasCredential("AffiliationCredential")])
    credential = world.affiliation(index=3)
    single = world.verifier().verify_credential(credential, policy, at=NOW)
    assert {check.step for check in single.checks} == {1, 2, 3, 4, 5, 8}
    assert "status" in {check.code for check in single.checks}
    package = world.verify(world.present(credential), policy)
    assert {check.step for check in package.checks} == set(range(1, 9))
