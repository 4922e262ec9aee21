"""Errors of the schemas, and the families every error of the project belongs to.

MobilityError
├── RecordError            + InvalidInput   a record or observation is not what its kind says
├── JsonRefusedError       + InvalidInput   JSON that is hostile or broken
├── ExtensionInvalidError                  an installed extension declares what cannot be
├── ExtensionUnknownError  + InvalidInput   a record of an extension that is not here
├── UnknownContextError    + Refused        a JSON-LD context that is not pinned
├── ContextDigestError     + Refused        a pinned context whose bytes are not the pinned ones
├── NQuadsError            + InvalidInput   text that is not N-Quads
└── RdfError               + Refused
    ├── PoisonGraphError                    canonicalisation would cost too much
    ├── DroppedPropertyError                a member has no term: it would not be signed
    ├── RelativeIriError                    an IRI without a scheme: it would be invented
    ├── BlankNodeError                      a node without an id where the profile wants one
    ├── EmptyGraphError                     nothing would be signed
    └── SlowPathError      + Retriable      the bounded process gave no answer in time
"""

from typing import ClassVar


class Retriable:
    """Family: the same call may succeed later."""

    retry_after_s: int | None = None
    """Seconds to wait, when known."""


class InvalidInput:
    """Family: the caller has to change what was given."""

    where: str | None = None
    """JSON pointer or field path of the first fault."""


class NotFound:
    """Family: what was named does not exist."""


class Refused:
    """Family: understood, and not allowed."""


class MobilityError(Exception):
    """Root of every error of the project. `code` is stable and goes over the wire."""

    code: ClassVar[str] = "mobility-error"


class RecordError(MobilityError, InvalidInput):
    """A record or an observation is not what its kind says."""

    code = "record-invalid"

    def __init__(self, reason: str, *, where: str = "") -> None:
        self.reason, self.where = reason, where
        super().__init__(f"{where or '/'}: {reason}")

    def under(self, prefix: str) -> "RecordError":
        """The same fault seen from the enclosing member."""
        return RecordError(self.reason, where=prefix + (self.where or ""))


class ExtensionInvalidError(MobilityError):
    """An extension's declaration cannot be: its author's fault, met when it is loaded."""

    code = "extension-invalid"

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"{name}: {reason}")


class ExtensionUnknownError(MobilityError, InvalidInput):
    """A record of an extension that is not installed here, or not in that version, is kept as it
    is; none is written."""

    code = "extension-unknown"

    def __init__(self, name: str) -> None:
        self.name, self.where = name, "/extension"
        super().__init__("the extension of this record is not installed here")


class JsonRefusedError(MobilityError, InvalidInput):
    """JSON that is broken, too large, too deep, or says two things under one name."""

    code = "json-refused"

    def __init__(self, reason: str, *, where: str | None = None) -> None:
        self.reason, self.where = reason, where
        super().__init__(reason)


class UnknownContextError(MobilityError, Refused):
    """A JSON-LD context that is not pinned in this build. It is never fetched."""

    code = "context-unknown"

    def __init__(self, iri: str) -> None:
        self.iri = iri
        super().__init__("the document names a JSON-LD context that is not pinned here")


class ContextDigestError(MobilityError, Refused):
    """A pinned context whose bytes are missing or not the pinned ones: rebuild (`make build`)."""

    code = "context-digest"

    def __init__(self, iri: str, reason: str) -> None:
        self.iri, self.reason = iri, reason
        super().__init__(f"{iri}: {reason}")


class NQuadsError(MobilityError, InvalidInput):
    """Text that is not N-Quads."""

    code = "nquads-invalid"

    def __init__(self, line: int) -> None:
        self.line, self.where = line, f"line {line}"
        super().__init__(f"line {line} is not an N-Quads statement")


class RdfError(MobilityError, Refused):
    """A graph that may not be signed or verified."""

    code = "rdf-refused"


class PoisonGraphError(RdfError):
    """Canonicalising this graph would cost more than its work budget."""

    code = "poison-graph"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class DroppedPropertyError(RdfError, InvalidInput):
    """A member of the document maps to no IRI, so a signature would not cover it."""

    code = "dropped-term"

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(f"{where}: no context defines this")


class RelativeIriError(RdfError, InvalidInput):
    """An identifier or type without a scheme: a processor would make one up."""

    code = "relative-iri"

    def __init__(self, where: str = "") -> None:
        self.where = where
        super().__init__(f"{where}: not an absolute IRI")


class BlankNodeError(RdfError, InvalidInput):
    """A node has no id; what we sign has no blank nodes."""

    code = "blank-node"

    def __init__(self, where: str = "") -> None:
        self.where = where
        super().__init__(f"{where}: a node without an id")


class EmptyGraphError(RdfError):
    """The document says nothing in RDF: signing it would sign the empty string."""

    code = "empty-graph"

    def __init__(self) -> None:
        super().__init__("the document yields no statement")


class SlowPathError(RdfError, Retriable):
    """The bounded process that reads foreign contexts gave no answer in time."""

    code = "slow-path-timeout"
    retry_after_s = 30

    def __init__(self) -> None:
        super().__init__("reading the document took longer than allowed")


__all__ = [
    "BlankNodeError",
    "ContextDigestError",
    "DroppedPropertyError",
    "EmptyGraphError",
    "InvalidInput",
    "JsonRefusedError",
    "MobilityError",
    "NQuadsError",
    "NotFound",
    "PoisonGraphError",
    "RdfError",
    "RecordError",
    "Refused",
    "RelativeIriError",
    "Retriable",
    "SlowPathError",
    "UnknownContextError",
]
