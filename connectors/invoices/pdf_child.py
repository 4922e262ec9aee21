"""The child process of `pdf.opened_pdf`: a PDF in, its text and its XML attachments out."""

import base64
import io
import json
import logging
import resource
import sys
import warnings
from typing import Any, Final

_CPU_S: Final = 10
_MEMORY: Final = 512 * 1024 * 1024
_PAGES: Final = 10
_TEXT: Final = 200_000
_XML: Final = 2_000_000


def read(data: bytes) -> dict[str, Any]:
    """`{"pages", "text", "attachments": {name: base64}}`, or `{"refused": why}`."""
    import pypdf
    from pypdf.errors import PyPdfError

    try:
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            return {"refused": "a PDF with a password"}
        text = ""
        for page in reader.pages[:_PAGES]:
            text += page.extract_text() + "\n"
            if len(text) > _TEXT:
                break
        attachments = {}
        for name, contents in reader.attachments.items():
            if name.lower().endswith(".xml") and contents and len(contents[0]) <= _XML:
                attachments[name[:100]] = base64.b64encode(contents[0]).decode()
        return {"pages": len(reader.pages), "text": text[:_TEXT], "attachments": attachments}
    except (PyPdfError, ValueError, TypeError, KeyError, IndexError, AttributeError,
            ArithmeticError, RecursionError, OSError, NotImplementedError):  # fmt: skip
        return {"refused": "not a PDF that is read"}


def main() -> int:
    """Read, convert, write. Limits itself first: memory, ten seconds of processor, no core."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)  # it would write what stands in the file
    warnings.simplefilter("ignore")
    sys.stdout.write(json.dumps(read(sys.stdin.buffer.read())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
