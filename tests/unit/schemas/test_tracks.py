"""Packed tracks: what goes in comes out at its precision, and nothing else is read."""

import base64
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from schemas.errors import RecordError
from schemas.observations import TrackPoint
from schemas.tracks import PackedTrack, _sum, text_of

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def points(count: int) -> list[tuple[datetime, float, float]]:
    return [
        (NOON + timedelta(seconds=3 * n), round(43.2 + n * 4e-5, 5), round(2.3 - n * 3e-5, 5))
        for n in range(count)
    ]


def packed(count: int) -> PackedTrack:
    found = PackedTrack.of(points(count))
    assert found is not None
    return found


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 1000])
@pytest.mark.parametrize("byte", [b"\x00", b"\xff", b"\x7f\x80\x01"])
def test_the_sum_of_a_plane_is_that_of_its_bytes(size: int, byte: bytes) -> None:
    plane = (byte * size)[:size]
    assert _sum(plane) == sum(plane)


@pytest.mark.parametrize("count", [1, 2, 3, 300])
def test_a_track_reads_back_point_by_point(count: int) -> None:
    track = PackedTrack(packed(count).text)
    expected = tuple(TrackPoint(at, lat, lon) for at, lat, lon in points(count))
    assert tuple(track) == expected
    assert track == expected
    assert len(track) == count
    assert (track[0], track[-1]) == (expected[0], expected[-1])
    assert track[1:] == expected[1:]


def test_wide_steps_take_wider_columns() -> None:
    far = [
        (NOON, 43.0, 2.0),
        (NOON + timedelta(days=400), -89.0, 179.5),
        (NOON + timedelta(days=401), 43.0, -179.5),
        (NOON + timedelta(days=401, seconds=300), 43.001, -179.4),
    ]
    track = PackedTrack.of(far)
    assert track is not None
    assert [(p.at, p.lat, p.lon) for p in track] == far


def test_places_and_times_are_rounded_to_what_a_phone_knows() -> None:
    track = PackedTrack.of([(NOON + timedelta(milliseconds=501), 43.123456789, 2.000004)])
    assert track is not None
    assert [(p.at, p.lat, p.lon) for p in track] == [(NOON + timedelta(seconds=1), 43.12346, 2.0)]


def test_what_the_layout_does_not_hold_is_left_to_the_list() -> None:
    assert PackedTrack.of([]) is None
    assert PackedTrack.of([(datetime(1900, 1, 1, tzinfo=UTC), 43.0, 2.0)]) is None
    century = [(datetime(1970, 1, 1, tzinfo=UTC), 0.0, 0.0), (datetime(2070, 1, 1, tzinfo=UTC), 0.0, 0.0)]  # fmt: skip  # noqa: E501
    found = PackedTrack.of(century)
    assert found is None or [p.at for p in found] == [c[0] for c in century]


def _body(text: str) -> bytes:
    data = base64.urlsafe_b64decode(text[1:] + "=" * (-len(text[1:]) % 4))
    return zlib.decompress(data[1:], -15)


def _text(body: bytes, *, behind: bytes = b"") -> str:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return text_of(b"\x01" + packer.compress(body) + packer.flush() + behind)


def test_a_body_packed_otherwise_still_reads() -> None:
    assert PackedTrack(_text(_body(packed(30).text))) == packed(30)


GOOD = _body(packed(30).text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "u",
        "x" + packed(3).text[1:],
        packed(3).text + "=",
        packed(3).text + "A",
        packed(3).text.replace(packed(3).text[5], "é", 1),
        text_of(b"\x02" + b"abc"),
        text_of(b"\x01" + b"\xff\xff\xff"),
        _text(GOOD, behind=b"x"),
        _text(GOOD + b"x"),
        _text(GOOD[:-1]),
        _text(b""),
        _text(bytes(4) + GOOD[4:]),
        _text((200_001).to_bytes(4, "big") + GOOD[4:]),
        _text(GOOD[:4] + b"\x03" + GOOD[5:]),
        _text(GOOD[:4] + b"\x01" + (-1).to_bytes(8, "big", signed=True) + GOOD[13:]),
        _text(GOOD[:4] + b"\x01" + (1 << 62).to_bytes(8, "big") + GOOD[13:]),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(RecordError):
        PackedTrack(text)


def test_a_bomb_is_refused() -> None:
    with pytest.raises(RecordError):
        PackedTrack(_text((200_000).to_bytes(4, "big") + bytes(1 << 26)))


def test_a_place_off_the_globe_is_refused() -> None:
    track = PackedTrack.of([(NOON, 89.99999, 2.0), (NOON, 90.0, 2.0)])
    assert track is not None
    body = bytearray(_body(track.text))
    second = 4 + 17 + 1  # count, then the column of seconds: head and one step
    body[second + 1 : second + 9] = (9_000_001).to_bytes(8, "big")
    with pytest.raises(RecordError):
        PackedTrack(_text(bytes(body)))
