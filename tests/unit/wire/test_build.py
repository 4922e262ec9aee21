"""Build assets: pinned sources only."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from schemas import build

NODE_MODULES = build.ROOT / "node_modules"


def pinned_sources() -> list[dict[str, str]]:
    contexts = json.loads(build.CONTEXT_PINS.read_text())["contexts"]
    assets = json.loads(build.ASSET_PINS.read_text())["assets"]
    named = [pin for pin in contexts.values() if "package" in pin]
    assert len(contexts) - len(named) == 1, "one context is a file of the project"
    return [*named, *(pin for asset in assets for pin in asset["sources"])]


def test_every_pin_names_a_package_of_the_lock_at_its_version() -> None:
    lock = json.loads((build.ROOT / "package-lock.json").read_text())["packages"]
    for pin in pinned_sources():
        assert lock[f"node_modules/{pin['package']}"]["version"] == pin["version"], pin
        assert len(bytes.fromhex(pin["sha256"])) == 32


def test_a_missing_package_stops_the_build_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(build.AssetMissingError):
        build.build(tmp_path / "node_modules", root=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_changed_file_stops_the_build_and_writes_nothing(tmp_path: Path) -> None:
    pins = pinned_sources()
    for pin in pins:
        file = tmp_path / "node_modules" / pin["package"] / pin["source"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"{}")
    with pytest.raises(build.AssetDigestError) as caught:
        build.build(tmp_path / "node_modules", root=tmp_path / "out")
    assert hashlib.sha256(b"{}").hexdigest() in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_committed_pins_build_the_same_bytes_twice(tmp_path: Path) -> None:
    source = NODE_MODULES
    if not source.is_dir():
        # In a bare checkout only `make build` puts packages there; what it wrote is checked below.
        written = build.ROOT / "schemas" / "contexts" / "vendor"
        assert written.is_dir(), "run `make build`"
        pins = json.loads(build.CONTEXT_PINS.read_text())["contexts"]
        for pin in pins.values():
            data = (build.ROOT / "schemas" / "contexts" / pin["file"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == pin["sha256"]
        return
    first = build.build(source, root=tmp_path / "a")
    second = build.build(source, root=tmp_path / "b")
    assert [path.relative_to(tmp_path / "a") for path in first] == [
        path.relative_to(tmp_path / "b") for path in second
    ]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
    shutil.rmtree(tmp_path / "a")


def test_the_command_line_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build.main(["--node-modules", str(tmp_path)]) == 1
    assert "asset-missing" in capsys.readouterr().err
