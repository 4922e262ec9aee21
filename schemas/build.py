"""Build assets: from npm packages on disk into package data, each file checked by its digest.

    python -m schemas.build [--node-modules PATH]

Reads `schemas/contexts/pins.json` (JSON-LD contexts, by IRI) and `schemas/pins.json` (aid model,
territories, fonts). A source file whose SHA-256 is not the pinned one stops the build and nothing
is written. No network: `npm ci --ignore-scripts` put the packages there. What is written is not
in the repository (nothing is pasted), and is the same bytes on every machine.
"""

import argparse
import hashlib
import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from schemas.errors import MobilityError, NotFound, Refused

__all__ = ["AssetDigestError", "AssetMissingError", "build"]

ROOT: Final = Path(__file__).resolve().parent.parent
CONTEXT_PINS: Final = ROOT / "schemas" / "contexts" / "pins.json"
ASSET_PINS: Final = ROOT / "schemas" / "pins.json"


class AssetDigestError(MobilityError, Refused):
    """A file of an npm package is not the one that was pinned."""

    code: ClassVar[str] = "asset-digest"

    def __init__(self, *, source: str, found: str, pinned: str) -> None:
        self.source = source
        super().__init__(f"{source}: sha256 {found}, pinned {pinned}")


class AssetMissingError(MobilityError, NotFound):
    """A file that the build needs is not in node_modules: run `npm ci --ignore-scripts`."""

    code: ClassVar[str] = "asset-missing"

    def __init__(self, source: str) -> None:
        self.source = source
        super().__init__(f"{source} is missing; run `npm ci --ignore-scripts` (or `make build`)")


@dataclass(frozen=True, slots=True)
class _Target:
    path: Path
    data: bytes


def build(node_modules: Path, *, root: Path = ROOT) -> tuple[Path, ...]:
    """Write every asset; returns the paths written or already right, sorted.

    Everything is read and checked before anything is written.
    """
    targets = [*_contexts(node_modules, root), *_assets(node_modules, root)]
    for target in targets:
        _write(target)
    return tuple(sorted(target.path for target in targets))


def _contexts(node_modules: Path, root: Path) -> list[_Target]:
    pins = _pins(CONTEXT_PINS)["contexts"]
    return [
        _Target(root / "schemas" / "contexts" / pin["file"], _pinned(node_modules, pin))
        for pin in pins.values()
        if "package" in pin
    ]


def _assets(node_modules: Path, root: Path) -> list[_Target]:
    targets = []
    for asset in _pins(ASSET_PINS)["assets"]:
        sources = {pin["role"]: _pinned(node_modules, pin) for pin in asset["sources"]}
        data = _MAKERS[asset["maker"]](sources, asset)
        targets.append(_Target(root / asset["target"], data))
    return targets


def _pins(path: Path) -> dict[str, Any]:
    pins: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return pins


def _pinned(node_modules: Path, pin: Mapping[str, str]) -> bytes:
    source = f"{pin['package']}/{pin['source']}"
    try:
        data = (node_modules / source).read_bytes()
    except FileNotFoundError:
        raise AssetMissingError(source) from None
    found = hashlib.sha256(data).hexdigest()
    if found != pin["sha256"]:
        raise AssetDigestError(source=source, found=found, pinned=pin["sha256"])
    return data


def _write(target: _Target) -> None:
    if target.path.is_file() and target.path.read_bytes() == target.data:
        return
    target.path.parent.mkdir(parents=True, exist_ok=True)
    # Two builds may run at once: each writes its own name, the rename is whole.
    temporary = target.path.with_name(f".{target.path.name}.{os.getpid()}")
    temporary.write_bytes(target.data)
    temporary.replace(target.path)


# --- what is made of the sources ---------------------------------------------------------------

Maker = Callable[[Mapping[str, bytes], Mapping[str, Any]], bytes]


def _copy(sources: Mapping[str, bytes], _asset: Mapping[str, Any]) -> bytes:
    (data,) = sources.values()
    return data


def _compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


_JS_LITERAL: Final = re.compile(
    r"^var (?P<name>[^\s=]+) = (?P<json>\{.*?^\});$", re.MULTILINE | re.DOTALL
)
_JS_REFERENCE: Final = re.compile(
    r'^\t(?P<rule>"(?:[^"\\]|\\.)+"): (?P<name>[^\s,]+),?$', re.MULTILINE
)
_JS_EXPORT: Final = "aides_collectivities_default"


def _aides_velo(sources: Mapping[str, bytes], asset: Mapping[str, Any]) -> bytes:
    """The compiled Publicodes rules and, by rule, the territory of each aid.

    The localisations are exported by a JavaScript module; its literals are JSON, so they are read
    without running it: one `var name = {…};` an aid, and one table of names.
    """
    script = sources["localisations"].decode("utf-8")
    literals = {hit["name"]: hit["json"] for hit in _JS_LITERAL.finditer(script)}
    table = literals[_JS_EXPORT]
    localisations = {
        json.loads(hit["rule"]): json.loads(literals[hit["name"]])
        for hit in _JS_REFERENCE.finditer(table)
    }
    if len(localisations) != asset["expected"]["localisations"]:
        raise AssetDigestError(
            source="aidesAvecLocalisation",
            found=f"{len(localisations)} entries",
            pinned=f"{asset['expected']['localisations']} entries",
        )
    return _compact(
        {
            "_meta": asset["meta"],
            "rules": json.loads(sources["model"]),
            "localisations": localisations,
        }
    )


def _territories(sources: Mapping[str, bytes], asset: Mapping[str, Any]) -> bytes:
    """Communes with departement, region, EPCI, postcodes and population, as rows.

    `communes`: [code, name, departement, region, epci | null, [postcodes], population];
    `arrondissements_municipaux`: [code, name, commune, [postcodes]]; `epci`: SIREN → [name, type];
    `ept`: SIREN → [name, [communes]] (territories of the Grand Paris); `departements`: code →
    [name, region]; `regions`: code → name. Codes are INSEE's (COG).
    """
    epci = json.loads(sources["epci"])
    epci_of = {member["code"]: group["code"] for group in epci for member in group["membres"]}
    communes: list[list[Any]] = []
    arrondissements: list[list[Any]] = []
    for commune in json.loads(sources["communes"]):
        name = unicodedata.normalize("NFC", commune["nom"])
        match commune["type"]:
            case "commune-actuelle":
                communes.append(
                    [
                        commune["code"],
                        name,
                        commune.get("departement"),
                        commune.get("region"),
                        epci_of.get(commune["code"]),
                        commune.get("codesPostaux", []),
                        commune.get("population"),
                    ]
                )
            case "arrondissement-municipal":
                arrondissements.append(
                    [commune["code"], name, commune["commune"], commune.get("codesPostaux", [])]
                )
    return _compact(
        {
            "_meta": asset["meta"],
            "communes": communes,
            "arrondissements_municipaux": arrondissements,
            "epci": {group["code"]: [group["nom"], group["type"]] for group in epci},
            "ept": {
                group["code"]: [group["nom"], [member["code"] for member in group["membres"]]]
                for group in json.loads(sources["ept"])
            },
            "departements": {
                row["code"]: [row["nom"], row["region"]]
                for row in json.loads(sources["departements"])
            },
            "regions": {row["code"]: row["nom"] for row in json.loads(sources["regions"])},
        }
    )


_MAKERS: Final[Mapping[str, Maker]] = {
    "copy": _copy,
    "aides-velo": _aides_velo,
    "territories": _territories,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 done, 1 a digest differs or a file is missing."""
    parser = argparse.ArgumentParser(prog="python -m schemas.build", description=__doc__)
    parser.add_argument("--node-modules", type=Path, default=ROOT / "node_modules")
    options = parser.parse_args(arguments)
    try:
        written = build(options.node_modules)
    except MobilityError as error:
        sys.stderr.write(f"{error.code}: {error}\n")
        return 1
    sys.stderr.write(f"{len(written)} assets in place\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
