"""Every credential type, by its example: schema, terms, issue and verify in each form."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import date
from typing import Any

import pytest

from federation.credentials import (
    HasCredential,
    UnsafeNoOpPolicy,
    disclose,
    issue,
    issue_sd_jwt_vc,
)
from federation.credentials.catalogue import FOLDER, example, stale
from federation.credentials.model import read_credential
from federation.credentials.shape import ShapeError, read_iri
from federation.credentials.types import CREDENTIAL_TYPES, json_schema
from federation.keys import P256Key
from federation.proofs import present_sd_jwt
from federation.trust import PinnedKey, Role, parse_instant
from schemas.compiled import compiled_canonical
from schemas.rdf import to_quads_slow
from tests.unit.proofs.world import AUDIENCE, CHALLENGE, DAY, HOME, NOW, World

HOLDER = P256Key.from_private_bytes(b"\x01" * 32)


@pytest.fixture(scope="module")
def world() -> World:
    """One party, home and source at once, signs every type: what is tested here is the types."""
    world = World()
    world.change(
        HOME,
        roles=frozenset({Role.HOME, Role.OPERATOR}),
        credential_types=frozenset(CREDENTIAL_TYPES),
        nullifier_families=frozenset(
            node["family"]
            for name in CREDENTIAL_TYPES
            for node in example(name)["credentialSubject"].get("nullifiers", ())
        ),
    )
    return world


def body(world: World, name: str) -> dict[str, Any]:
    found = example(name)
    found["credentialSubject"]["id"] = world.holder_did
    return found


def faults(value: Any, schema: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Where `value` breaks `schema`: the keywords our schemas use, and no others."""
    known = {
        "$schema", "$id", "title", "description", "type", "additionalProperties", "required",
        "properties", "const", "enum", "minLength", "minItems", "minimum", "pattern", "format",
        "items",
    }  # fmt: skip
    assert set(schema) <= known, set(schema) - known
    kinds: dict[str, Any] = {"object": dict, "array": list, "string": str, "integer": int}
    if "type" in schema and type(value) is not kinds[schema["type"]]:
        yield where
        return
    if "const" in schema and value != schema["const"]:
        yield where
    if "enum" in schema and value not in schema["enum"]:
        yield where
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield where
        if not re.search(schema.get("pattern", ""), value):
            yield where
        readers: dict[str, Any] = {
            "date": date.fromisoformat,
            "date-time": parse_instant,
            "uri": lambda text: read_iri(text, where),
        }
        if "format" in schema:
            try:
                readers[schema["format"]](value)
            except (ValueError, ShapeError):
                yield where
    elif isinstance(value, int) and value < schema.get("minimum", value):
        yield where
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield where
        for index, item in enumerate(value):
            yield from faults(item, schema.get("items", {}), f"{where}/{index}")
    elif isinstance(value, dict):
        properties = schema.get("properties", {})
        yield from (f"{where}/{name}" for name in schema.get("required", ()) if name not in value)
        for name, item in value.items():
            if name in properties:
                yield from faults(item, properties[name], f"{where}/{name}")
            elif schema.get("additionalProperties", True) is False:
                yield f"{where}/{name}"


def test_schemas_and_the_readmes_table_are_those_of_the_shapes() -> None:
    assert not stale(), "run: python -m federation.credentials.catalogue"
    files = {file.name.partition(".")[0] for file in FOLDER.iterdir()}
    assert files == set(CREDENTIAL_TYPES), "a file of no type, or a type without files"


@pytest.mark.parametrize("name", CREDENTIAL_TYPES)
def test_every_example_is_issued_and_verified_in_every_form(world: World, name: str) -> None:
    made = body(world, name)
    signed = issue(made, signer=world.home, at=NOW - DAY)
    assert signed["proof"]["cryptosuite"] == "eddsa-rdfc-2022"
    assert not list(faults(signed, json_schema(name)))

    # every term is defined: PyLD and the compiled contexts say the same, and neither drops any
    assert compiled_canonical(signed) == to_quads_slow(signed)

    assert world.verify(world.present(signed), HasCredential(name)).credentials[0].type == name

    token = issue_sd_jwt_vc(
        made, signer=world.home, holder=HOLDER.public, at=NOW - DAY, valid_until=NOW + DAY
    )
    claims = [
        ("employmentStatus" if member == "status" else member,)
        for member in made["credentialSubject"]
        if member not in ("id", "nullifiers")
    ]
    shown = present_sd_jwt(
        token, disclose=claims, holder=world.holder, nonce=CHALLENGE, audience=AUDIENCE, at=NOW
    )
    read = world.verifier().verify_sd_jwt(
        shown, UnsafeNoOpPolicy(), nonce=CHALLENGE, audience=AUDIENCE, at=NOW
    )
    assert read.type == name
    assert set(read.subject) - {"nullifiers"} == set(made["credentialSubject"]) - {"nullifiers"}


@pytest.mark.parametrize("name", CREDENTIAL_TYPES)
def test_every_example_is_derived_with_one_claim_beside_what_is_always_shown(name: str) -> None:
    world = World()
    signer = P256Key.from_private_bytes(b"\x03" * 32).signer(f"{HOME}#key-2")
    made = body(world, name)
    world.change(
        HOME,
        roles=frozenset({Role.HOME, Role.OPERATOR}),
        keys=(PinnedKey(signer.public_multikey(), signer.verification_method, NOW - 90 * DAY),),
        credential_types=frozenset({name}),
    )
    base = issue(made, signer=signer, at=NOW - DAY, selective=True)
    first = next(iter(CREDENTIAL_TYPES[name].members))
    derived = disclose(base, [("credentialSubject", first)])
    assert derived["proof"]["cryptosuite"] == "ecdsa-sd-2023"
    assert first in derived["credentialSubject"]
    presented = world.present(derived)
    assert world.verify(presented, UnsafeNoOpPolicy()).credentials[0].type == name


@pytest.mark.parametrize("name", CREDENTIAL_TYPES)
def test_schema_and_reader_refuse_the_same_documents(world: World, name: str) -> None:
    signed = issue(body(world, name), signer=world.home, at=NOW - DAY)
    schema = json_schema(name)
    read_credential(signed)
    for member, facts in CREDENTIAL_TYPES[name].members.items():
        for changed in ("", None, -1, ["x"]):
            altered = deepcopy(signed)
            altered["credentialSubject"][member] = changed
            assert list(faults(altered, schema)), (member, changed)
            with pytest.raises(ShapeError):
                read_credential(altered)
        if facts.required:
            altered = deepcopy(signed)
            del altered["credentialSubject"][member]
            assert list(faults(altered, schema)) == [f"/credentialSubject/{member}"]
            with pytest.raises(ShapeError):
                read_credential(altered)
