"""`mobility verify FILE`: each container, its exit code, and the status lists kept beside it."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from federation.credentials import (
    TokenStatus,
    TokenStatusList,
    issue_sd_jwt_vc,
    issue_token_status_list,
)
from federation.credentials import types as build
from federation.jose import sign_jws
from federation.keys import P256Key
from portal import cli
from portal.errors import AttestationError
from portal.offline import status_lists_from
from tests.unit.proofs.world import DAY, LIST_URL, NOW, World

TOKENS = "https://employer.example/status/9"
Verify = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def verify(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verify:
    class Now(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return NOW

    monkeypatch.setattr("portal.cli.datetime", Now)
    trust = tmp_path / "trust.json"

    def run(document: Any, *lists: Any) -> tuple[int, dict[str, Any]]:
        trust.write_text(json.dumps(world.trust().to_claims()))
        arguments = ["verify", str(written(tmp_path, "document", document)), "--json"]
        arguments += ["--trust", str(trust), "--state", str(tmp_path)]
        for number, found in enumerate(lists):
            arguments += ["--status-list", str(written(tmp_path, f"list-{number}", found))]
        result = CliRunner().invoke(cli.app, arguments)
        return result.exit_code, json.loads(result.stdout)

    return run


def written(folder: Path, name: str, value: Any) -> Path:
    path = folder / name
    if isinstance(value, dict):
        value = json.dumps(value)
    path.write_bytes(value if isinstance(value, bytes) else value.encode())
    return path


def token(world: World, **options: Any) -> str:
    body = build.affiliation(
        holder=world.holder_did,
        employer_name="Agglomération de la Clamoux",
        employer_id="20003588700013",
        employee_number="A-1042",
        status="agent-contractuel-public",
    )
    holder = P256Key.from_private_bytes(b"\x01" * 32).public
    return issue_sd_jwt_vc(
        body,
        signer=world.employer,
        holder=holder,
        at=NOW - DAY,
        valid_until=NOW + DAY,
        **options,
    )


def token_list(world: World, index: int, status: int) -> str:
    entries = TokenStatusList.empty()
    entries[index] = status
    return issue_token_status_list(
        entries, uri=TOKENS, signer=world.employer, at=NOW - DAY, valid_until=NOW + DAY
    )


def test_each_container_is_told_apart_and_verified(world: World, verify: Verify) -> None:
    plain = {k: v for k, v in world.usage().items() if k != "proof"}
    files = {
        "credential": world.usage(),
        "presentation": world.present(world.usage()),
        "sd-jwt": token(world),
        "vc-jwt": sign_jws(plain, world.home, typ="vc+jwt"),
    }
    for kind, document in files.items():
        code, found = verify(document)
        assert (code, found["outcome"], found["kind"]) == (0, "verified", kind)
        assert {1, 2, 3, 4, 5} <= {check["step"] for check in found["checks"]}


def test_a_refusal_exits_with_one_and_names_the_step(world: World, verify: Verify) -> None:
    changed = {**world.usage(), "validFrom": "2026-11-01T00:00:00Z"}
    code, found = verify(changed)
    assert (code, found["outcome"], found["failed"]) == (1, "refused", ["proof-invalid"])


def test_an_unknown_status_exits_with_three_until_its_list_is_at_hand(
    world: World, verify: Verify
) -> None:
    held = token(world, status=TokenStatus(TOKENS, 9))
    assert verify(held)[0] == 3
    assert verify(held, token_list(world, 8, 1))[0] == 0
    code, found = verify(held, token_list(world, 9, 1))
    assert (code, found["failed"]) == (1, ["status-revoked"])

    credential = world.affiliation(index=7)
    assert verify(credential)[0] == 3
    world.publish(7)
    code, found = verify(credential, token_list(world, 9, 1), world.lists[LIST_URL])
    assert (code, found["failed"]) == (1, ["status-revoked"])


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"{", b"[]", b"a.b.c", b"\xff\xfe", b"one.two", b'{"id": 1', b"a.e30.c"]
)
def test_what_is_no_status_list_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(AttestationError):
        status_lists_from([written(tmp_path, "list", data)])
