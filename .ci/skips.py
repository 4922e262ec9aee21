"""Fails when a test was skipped that the allow-list does not name.

python .ci/skips.py JUNIT_XML ALLOW_LIST — one `test id glob  # reason` a line in the list.
"""

import fnmatch
import sys
from pathlib import Path
from xml.etree import ElementTree  # our own pytest wrote the file


def skipped(report: Path) -> list[tuple[str, str]]:
    """(test id, reason) of each skipped test in a JUnit report of pytest."""
    found = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):  # noqa: S314  # same
        skip = case.find("skipped")
        if skip is not None and skip.get("type") != "pytest.xfail":
            name = f"{case.get('classname', '')}::{case.get('name', '')}"
            found.append((name, skip.get("message", "")))
    return found


def main() -> int:
    report, allow = map(Path, sys.argv[1:])
    lines = (line.split("#")[0].strip() for line in allow.read_text().splitlines())
    allowed = [line for line in lines if line]
    refused = [
        (name, reason)
        for name, reason in skipped(report)
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in allowed)
    ]
    for name, reason in refused:
        sys.stdout.write(f"skipped without leave: {name}: {reason}\n")
    return 1 if refused else 0


if __name__ == "__main__":
    raise SystemExit(main())
