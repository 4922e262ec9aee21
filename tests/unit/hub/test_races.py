"""The last euro of a budget: of any number of officers in two processes exactly one grants it."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub_world import World, build_world, copies
from tests.unit.hub.test_decisions import apply, limit_budget, officer

ROOT = Path(__file__).resolve().parents[3]

RACER = """
import json, sys
from federation.hub.context import HubContext
from federation.hub.errors import DecisionRefusedError
from federation.hub.settings import HubSettings
asked = json.loads(sys.argv[1])
hub = HubContext.build(HubSettings(**asked["settings"]), migrate=False)
(who,) = hub.members.members("agglo")
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
told = {"accepted": 0, "budget": 0}
for application in asked["applications"]:
    try:
        hub.desk.decide(who, application, accept=True, reason="Oui.", amount_cents=100_00)
        told["accepted"] += 1
    except DecisionRefusedError as error:
        told[error.where] += 1
sys.stdout.write(json.dumps(told) + "\\n")
hub.close()
"""


def race(world: World, applications: list[str]) -> list[dict[str, int]]:
    """Two processes accept every second one of these, all at once; what each says."""
    settings = world.context.settings
    given = {
        "folder": str(settings.folder),
        "database_url": settings.url,
        "public_url": settings.public_url,
        "did": settings.did,
        "allow_loopback": True,
        "cheapest_kdf_for_tests": True,
    }
    racers = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                RACER,
                json.dumps({"settings": given, "applications": applications[number::2]}),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for number in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        while (line := racer.stdout.readline()) != "ready\n":
            assert line, "it ended before it began"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    told = [racer.communicate(timeout=1_800)[0] for racer in racers]
    assert all(racer.returncode == 0 for racer in racers)
    return [json.loads(text.splitlines()[-1]) for text in told]


def last_euro(world: World, count: int) -> None:
    officer(world)
    limit_budget(world, 100_00)
    _, application = apply(world, 12)
    context = world.context
    with context.store.read() as reader:
        found = reader.application(application)
    assert found is not None
    model = dataclasses.replace(found, amount=100_00)
    told = race(world, copies(world, model, count))
    assert sum(said["accepted"] for said in told) == 1
    assert sum(said["budget"] for said in told) == count - 1
    (_aid, budget), *_ = context.payments.budgets(context.members.members("agglo")[0])
    assert (budget.committed, budget.left) == (100_00, 0)
    while context.log.advance():
        pass
    report = context.log.verify()
    assert (report.faults, report.waiting) == ((), 0)


def test_the_last_euro_is_granted_once_by_two_processes(database_url: str, tmp_path: Path) -> None:
    world = build_world(tmp_path, database_url=database_url)
    last_euro(world, 24)
    world.context.close()


@pytest.mark.soak
def test_two_thousand_claims_on_the_last_euro(database_url: str, tmp_path: Path) -> None:
    world = build_world(tmp_path, database_url=database_url)
    last_euro(world, 2_000)
    world.context.close()
