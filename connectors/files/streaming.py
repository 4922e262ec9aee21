"""Large files read a piece at a time: JSON values, XML events, lines of text. Memory stays bounded.

A JSON document gives the items of its top-level array, or, of its top-level object, the items of
each member that is an array and every other member whole. One item may be 4 MB, no more; what
comes before a cut is given, then `Rejected("truncated")`.
"""

import codecs
import json
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, BinaryIO, Final
from xml.parsers import expat

from connectors.base import Rejected
from connectors.errors import HostileInputError
from connectors.parsing import pointer

CHUNK: Final = 1 << 20
MAX_ITEM: Final = 4 << 20
"""Characters of one item. A day of Google's semantic segments is under 200 kB."""
MAX_BYTES: Final = 2 << 30
"""Bytes of one file, decompressed: `Records.json` of ten years is about 1 GB."""
MAX_TEXT: Final = 64 << 10
"""Characters of text in one XML element."""
MAX_XML_DEPTH: Final = 64
_BLANK: Final = " \t\r\n"
_BLANKS: Final = frozenset(_BLANK)
_OPENING: Final = frozenset('{["')

Found = tuple[str, Any] | Rejected


class _Text:
    """A stream as text, with a window that moves on."""

    def __init__(self, stream: BinaryIO) -> None:
        self.text, self.at, self.is_over = "", 0, False
        self._pieces = decoded(stream, "utf-8-sig", name="UTF-8")

    def more(self) -> bool:
        """Read another piece; False at the end of the file."""
        if self.is_over:
            return False
        piece = next(self._pieces, None)
        if piece is None:
            self.is_over = True
            return False
        self.text, self.at = self.text[self.at :] + piece, 0
        return True

    def peek(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in _BLANK:
                    return self.text[self.at]
                self.at += 1
            if not self.more():
                return ""

    def value(self, decode: Callable[[str, int], tuple[Any, int]]) -> Any:
        """The JSON value that begins here.

        Raises:
            ValueError: cut short or not JSON. RecursionError: too deep.
        """
        self.peek()
        while True:
            try:
                value, end = decode(self.text, self.at)
            except ValueError:
                if len(self.text) - self.at > MAX_ITEM:
                    raise HostileInputError(f"an item over {MAX_ITEM} characters") from None
                if not self.more() and self.is_over and not self._again:
                    self._again = True
                    continue
                if self._again:
                    raise
                continue
            # A number at the very end of the window may go on in the next piece.
            if end == len(self.text) and not self.is_over and isinstance(value, int | float):
                self.more()
                continue
            self.at = end
            return value

    _again = False


def json_items(stream: BinaryIO) -> Iterator[Found]:
    """(pointer, value) of every item, as the module says.

    Raises:
        HostileInputError: not JSON from the first item on, not UTF-8, too large.
    """
    window, decode = _Text(stream), json.JSONDecoder().raw_decode
    first = window.peek()
    if first == "[":
        window.at += 1
        yield from _array(window, decode, "")
    elif first == "{":
        window.at += 1
        yield from _object(window, decode)
    else:
        raise HostileInputError("not JSON", where="byte 0")


def _object(window: _Text, decode: Callable[[str, int], tuple[Any, int]]) -> Iterator[Found]:
    while True:
        sign = window.peek()
        if sign == "}":
            return
        if sign == ",":
            window.at += 1
            continue
        try:
            name = window.value(decode)
            if not isinstance(name, str) or window.peek() != ":":
                raise ValueError
            window.at += 1
            if window.peek() == "[":
                window.at += 1
                done = yield from _array(window, decode, pointer(name))
                if not done:
                    return
            else:
                yield pointer(name), window.value(decode)
        except RecursionError:
            yield Rejected(where="", code="too-deep")
            return
        except ValueError:
            yield Rejected(where="", code="truncated")
            return


def _array(
    window: _Text, decode: Callable[[str, int], tuple[Any, int]], where: str
) -> Generator[Found, None, bool]:
    """The items; returns whether the array came to its end."""
    index = 0
    while True:
        # Most of a million items lie whole in the window, one comma apart.
        text, at = window.text, window.at
        while index and text[at : at + 1] == ",":
            try:
                start = at + 1
                while text[start : start + 1] in _BLANKS:
                    start += 1
                if text[start : start + 1] not in _OPENING:
                    break
                value, at = decode(text, start)
            except (ValueError, RecursionError):
                break
            window.at = at
            yield f"{where}/{index}", value
            index += 1
        sign = window.peek()
        if sign == "]":
            window.at += 1
            return True
        if sign == "," and index:
            window.at += 1
        place = f"{where}/{index}"
        try:
            value = window.value(decode)
        except RecursionError:
            yield Rejected(where=place, code="too-deep")
            return False
        except ValueError:
            if index == 0 and not where:
                raise HostileInputError("not JSON", where=place) from None
            yield Rejected(where=place, code="truncated")
            return False
        yield place, value
        index += 1


def decoded(stream: BinaryIO, encoding: str, *, name: str = "") -> Iterator[str]:
    """The text of a stream, a piece at a time; the last piece may be empty.

    Raises:
        HostileInputError: not of that encoding (called `name` in the message), or too large.
    """
    decoder, read = codecs.getincrementaldecoder(encoding)(), 0
    while True:
        piece = stream.read(CHUNK)
        read += len(piece)
        if read > MAX_BYTES:
            raise HostileInputError(f"over {MAX_BYTES} bytes")
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError:
            raise HostileInputError(f"not {name or encoding}") from None
        yield text
        if not piece:
            return


def lines(stream: BinaryIO, *, limit: int = MAX_ITEM) -> Iterator[str]:
    """Lines of UTF-8 text without their ends; a longer line than `limit` ends the file.

    Raises:
        HostileInputError: not UTF-8, too large, or a line over `limit`.
    """
    rest = ""
    for text in decoded(stream, "utf-8-sig", name="UTF-8"):
        *whole, rest = (rest + text).split("\n")
        for line in whole:
            yield line.removesuffix("\r")
        if len(rest) > limit:
            raise HostileInputError(f"a line over {limit} characters")
    if rest:
        yield rest.removesuffix("\r")


class XmlReader:
    """XML as calls for each element, without a tree. A document type is refused: no format here
    has one, and entities are how XML harms."""

    def __init__(
        self,
        *,
        start: Callable[[str, Mapping[str, str]], None],
        end: Callable[[str, str], None],
    ) -> None:
        self._start, self._end = start, end
        self._texts: list[list[str]] = []
        self._size = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._open
        self._parser.EndElementHandler = self._close
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.buffer_text = True

    def read(self, stream: BinaryIO) -> Iterator[bool]:
        """Feed the file a piece at a time; True after each, so that the caller may give what it
        has. Ends with False when the file is cut short after its beginning.

        Raises:
            HostileInputError: no XML, a document type, too deep or too large.
        """
        read = 0
        while True:
            piece = stream.read(CHUNK)
            read += len(piece)
            if read > MAX_BYTES:
                raise HostileInputError(f"over {MAX_BYTES} bytes")
            try:
                self._parser.Parse(piece, not piece)
            except expat.ExpatError as error:
                if error.lineno <= 1 and error.offset < 2:
                    raise HostileInputError("not XML") from None
                yield False
                return
            yield True
            if not piece:
                return

    def _doctype(self, *_: object) -> None:
        raise HostileInputError("a document type in XML")

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._texts) >= MAX_XML_DEPTH:
            raise HostileInputError("nested too deep")
        self._texts.append([])
        self._size = 0
        self._start(name.rpartition(" ")[2], attributes)

    def _text(self, text: str) -> None:
        self._size += len(text)
        if self._size > MAX_ITEM:
            raise HostileInputError("text too long")
        if self._texts:
            self._texts[-1].append(text)

    def _close(self, name: str) -> None:
        text = "".join(self._texts.pop())
        self._size = 0
        self._end(name.rpartition(" ")[2], text.strip())


__all__ = ["CHUNK", "MAX_BYTES", "MAX_ITEM", "XmlReader", "decoded", "json_items", "lines"]
