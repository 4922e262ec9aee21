"""A page of ours as an accessible PDF, set by typst from a template of this package."""

import json
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from typing import Any, Literal

import typst

from portal.errors import AttestationError

__all__ = ["compile_pdf"]

Standard = Literal["ua-1", "a-3a"]


def compile_pdf(
    template: str,
    data: Mapping[str, Any],
    at: datetime,
    *,
    standards: tuple[Standard, ...] = ("ua-1",),
) -> bytes:
    """The PDF of `template` (a file beside this module) filled with `data`, dated `at`.

    Raises:
        AttestationError: the writer gave no document.
    """
    pdf = typst.compile(
        resources.files("portal").joinpath(template).read_bytes(),
        format="pdf",
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        pdf_standards=list(standards),
        timestamp=int(at.timestamp()),
        ignore_system_fonts=True,
    )
    if not isinstance(pdf, bytes):
        raise AttestationError("the PDF writer gave no document")
    return pdf
