"""The text of a PDF and the XML inside, read in a process of its own that can be stopped.

pypdf (BSD-3-Clause) is pure Python and patient with broken files; a hostile one may keep it busy
or make it large. The child has ten seconds of processor and 512 MB, writes nothing to the disk,
and its death is a refusal.
"""

import base64
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.errors import HostileInputError

__all__ = ["MAX_PDF", "OpenedPdf", "opened_pdf"]

MAX_PDF: Final = 10_000_000
_WAIT_S: Final = 30
_ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class OpenedPdf:
    """What a PDF says."""

    text: str
    """Of its first ten pages; empty for a scan."""
    attachments: dict[str, bytes]
    """XML files inside, by name."""


def opened_pdf(data: bytes) -> OpenedPdf:
    """Raises HostileInputError: too large, no PDF, a password, or it made its reader die."""
    if len(data) > MAX_PDF:
        raise HostileInputError(f"over {MAX_PDF} bytes")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "connectors.invoices.pdf_child"],
            input=data,
            capture_output=True,
            check=False,
            timeout=_WAIT_S,
            cwd=_ROOT,
        )
        found = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise HostileInputError("a PDF that its reader does not survive") from None
    if "refused" in found:
        raise HostileInputError(found["refused"])
    return OpenedPdf(
        found["text"],
        {name: base64.b64decode(packed) for name, packed in found["attachments"].items()},
    )
