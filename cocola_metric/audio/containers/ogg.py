"""The streams of an OGG file: their pages are checked, and consecutive streams are separated.

A decoder passes over damaged or missing pages, and stops at the end of the first of several streams. So each page is
checked here, and each stream is decoded by itself.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ...errors import AudioError
from .tags import tag_size

_HEADER = 27  # bytes of a page before its table of segments
_BEGINS, _ENDS = 2, 4  # flags of a page
_SERIAL, _CHECKSUM = slice(14, 18), slice(22, 26)
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass
class Link:
    """One of the consecutive streams in a file.

    Attributes:
        start: position of its first page, in bytes.
        end: position behind its last page, in bytes.
        ended: True if its last page is marked as the last.
    """

    start: int
    end: int
    ended: bool = False


@dataclass(frozen=True)
class _Page:
    position: int
    size: int
    flags: int
    serial: int
    number: int


def find_links(file: BinaryIO, size: int, name: str, position: int = 0) -> list[Link]:
    """Find the streams of an OGG file from a position on, in the order in which they play.

    Raises:
        AudioError: a page is damaged, missing or truncated.
    """
    links: list[Link] = []
    next_numbers: dict[int, int] = {}
    opening = False
    for page in _pages(file, size, name, position):
        begins = bool(page.flags & _BEGINS)
        if begins and not opening:  # several streams may begin side by side: they are one link
            links.append(Link(page.position, page.position))
            next_numbers.clear()
        opening = begins
        if not links or (not begins and next_numbers.get(page.serial) != page.number):
            raise AudioError(f"{name} lacks the pages before byte {page.position}; copy or encode it again")
        next_numbers[page.serial] = page.number + 1
        links[-1].end = page.position + page.size
        links[-1].ended = bool(page.flags & _ENDS)
    return links


def without_serial_number(stream: bytes) -> bytes:
    """Return an OGG file of one stream with serial number 0. Encoders draw this number, so files of equal sound differ.

    Raises:
        AudioError: a page is damaged or truncated.
    """
    pages = []
    for page in _pages(io.BytesIO(stream), len(stream), "the file", 0):
        data = bytearray(stream[page.position : page.position + page.size])
        data[_SERIAL] = data[_CHECKSUM] = bytes(4)
        data[_CHECKSUM] = struct.pack("<I", _checksum(bytes(data)))
        pages.append(bytes(data))
    return b"".join(pages)


def _pages(file: BinaryIO, size: int, name: str, position: int) -> Iterator[_Page]:
    while position < size:
        file.seek(position)
        head = file.read(_HEADER)
        if tag_size(head.ljust(32)) and size - position <= 2**20:
            return  # a tag that a program put behind the last page
        if head[:4] != b"OggS"[: len(head)]:
            raise AudioError(f"{name} is damaged at byte {position}, where no page begins; copy or encode it again")
        table = file.read(head[26]) if len(head) == _HEADER else b""
        body = file.read(sum(table)) if table or len(head) == _HEADER else b""
        length = _HEADER + (head[26] if len(head) == _HEADER else 0) + sum(table)
        if position + length > size or len(head) < _HEADER:
            raise AudioError(f"{name} is truncated: its last page is cut at byte {size}; copy or encode it again")
        flags, serial, number, checksum = struct.unpack("<5xB8xIII", head[:26])
        if _checksum(head[:22] + bytes(4) + head[26:] + table + body) != checksum:
            raise AudioError(f"{name} is damaged in the page at byte {position}; copy or encode it again")
        yield _Page(position, length, flags, serial, number)
        position += length


def _checksum(page: bytes) -> int:
    """Compute the CRC of a page: as zlib's, but from the highest bit, and without its inversions."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int(f"{mirrored:032b}"[::-1], 2)
