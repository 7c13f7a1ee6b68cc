"""Positions of the samples of WAV, RF64, W64, AIFF, AU and CAF files, by the sizes in their own headers.

A decoder silently reads what is left of a truncated file. It also believes a size of 0, which programs that write to a
pipe leave in the header. So the size of the samples is read here, and compared with the size of the file.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ...errors import AudioError
from .byte_view import Part

_PIPED_DATA_SIZE = 0x7FFF_0000
"""Size in bytes from which a 32-bit field means "unknown": programs that write to a pipe state 2 or 4 GiB."""
_UNKNOWN_64 = 2**62
_MOST_BEHIND = 2**20  # bytes behind the samples that belong to no chunk
_MOST_CHUNKS = 4096  # before the samples; a damaged file may state one of 0 bytes for ever


@dataclass(frozen=True)
class DataChunk:
    """The chunk that holds the samples.

    Attributes:
        start: position of the first sample, in bytes.
        size: size of the samples by the header, in bytes.
        field: position of the number that states the size, in bytes.
        layout: format of that number, for `struct`.
        added: bytes that the number counts beside the samples.
        is_unknown: True if the stated size stands for "until the end of the file".
    """

    start: int
    size: int
    field: int
    layout: str
    added: int = 0
    is_unknown: bool = False


def sample_parts(kind: bytes, file: BinaryIO, start: int, size: int, name: str) -> tuple[Part, ...]:
    """Check that all samples of the header are in the file, and return the parts for the decoder.

    Args:
        kind: first four bytes of the recording, a key of `CONTAINERS`.
        file: file, open for reading.
        start: position of these four bytes.
        size: size of the file, in bytes.
        name: name of the file in messages.

    Raises:
        AudioError: samples are missing, there is no chunk of samples, or another recording follows.
    """
    data = _find_data(kind, file, start, size)
    if data is None:
        raise AudioError(f"{name} holds no audio: it ends before its samples; copy it again")
    available = max(0, size - data.start)
    piped = data.is_unknown or (data.size == 0 and not _holds_chunks(file, data.start, size))
    if not piped and data.size > available:
        raise AudioError(
            f"{name} is truncated: its header announces {data.size} bytes of audio, {available} are there; copy it "
            "again"
        )
    if not piped:
        _refuse_another(file, data.start + data.size, size, name)
        return ((start, size),)
    if data.size == available:
        return ((start, size),)
    number = struct.pack(data.layout, min(available + data.added, 2 ** (8 * struct.calcsize(data.layout)) - 1))
    return (start, data.field), number, (data.field + len(number), size)


def _find_data(kind: bytes, file: BinaryIO, start: int, size: int) -> DataChunk | None:
    try:
        return CONTAINERS[kind](file, start, size)
    except struct.error:  # the file ends within a header
        return None


def _read(file: BinaryIO, position: int, layout: str) -> tuple[int | bytes, ...]:
    if position > _UNKNOWN_64:  # stated by a damaged size: no file is so long
        raise struct.error(f"position {position}")
    file.seek(position)
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


def _walk(file: BinaryIO, position: int, size: int, layout: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield identifier, size and position of the content of each chunk, the last one included if it is cut."""
    head = struct.calcsize(layout)
    for _ in range(_MOST_CHUNKS):
        if position + head > size:
            return
        name, length = _read(file, position, layout)
        assert isinstance(name, bytes) and isinstance(length, int)
        yield name, length, position + head
        position += head + length
        if length % 2 and not (_is_name(file, position) and not _is_name(file, position + 1)):
            position += 1  # the padding that some writers leave out


def _is_name(file: BinaryIO, position: int) -> bool:
    file.seek(position)
    name = file.read(4)
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)


def _riff(file: BinaryIO, start: int, size: int) -> DataChunk | None:
    """WAV, its big-endian twin RIFX, and RF64, whose sizes above 4 GiB stand in a chunk of their own."""
    kind, _, form = _read(file, start, "4sI4s")
    if form != b"WAVE":
        return None
    layout = ">4sI" if kind == b"RIFX" else "<4sI"
    large: tuple[int, int] | None = None
    for name, length, position in _walk(file, start + 12, size, layout):
        if name == b"ds64":
            _, stated = _read(file, position, "<QQ")
            assert isinstance(stated, int)
            large = stated, position + 8
        if name != b"data":
            continue
        if large and length == 0xFFFF_FFFF:
            return DataChunk(position, large[0], large[1], "<Q", is_unknown=not 0 < large[0] < _UNKNOWN_64)
        unknown = length >= _PIPED_DATA_SIZE and length > size - position
        return DataChunk(position, length, position - 4, layout[0] + "I", is_unknown=unknown)
    return None


def _aiff(file: BinaryIO, start: int, size: int) -> DataChunk | None:
    if _read(file, start + 8, "4s")[0] not in (b"AIFF", b"AIFC"):
        return None
    for name, length, position in _walk(file, start + 12, size, ">4sI"):
        if name == b"SSND":
            offset, _ = _read(file, position, ">II")
            assert isinstance(offset, int)
            before = 8 + offset
            unknown = length >= _PIPED_DATA_SIZE and length > size - position
            return DataChunk(position + before, max(0, length - before), position - 4, ">I", before, unknown)
    return None


def _w64(file: BinaryIO, start: int, size: int) -> DataChunk | None:
    """Sony Wave64: identifiers of 16 bytes, sizes of 64 bits that count the header, chunks that begin at 8 n."""
    position = start + 40
    for _ in range(_MOST_CHUNKS):
        name, length = _read(file, position, "<16sQ")
        assert isinstance(name, bytes) and isinstance(length, int)
        if name[:4] == b"data":
            return DataChunk(
                position + 24, max(0, length - 24), position + 16, "<Q", 24, is_unknown=length >= _UNKNOWN_64
            )
        if length < 24:
            return None
        position += length + -length % 8
    return None


def _au(file: BinaryIO, start: int, size: int) -> DataChunk | None:
    order = ">" if _read(file, start, "4s")[0] == b".snd" else "<"
    offset, length = _read(file, start + 4, order + "II")
    assert isinstance(offset, int) and isinstance(length, int)
    return DataChunk(start + offset, length, start + 8, order + "I", is_unknown=length == 0xFFFF_FFFF)


def _caf(file: BinaryIO, start: int, size: int) -> DataChunk | None:
    position = start + 8
    for _ in range(_MOST_CHUNKS):
        name, length = _read(file, position, ">4sQ")
        assert isinstance(length, int)
        if name == b"data":  # begins with a count of edits
            return DataChunk(position + 16, max(0, length - 4), position + 4, ">Q", 4, is_unknown=length >= _UNKNOWN_64)
        position += 12 + length
    return None


CONTAINERS: dict[bytes, Callable[[BinaryIO, int, int], DataChunk | None]] = {
    b"RIFF": _riff,
    b"RIFX": _riff,
    b"RF64": _riff,
    b"FORM": _aiff,
    b"riff": _w64,
    b".snd": _au,
    b"dns.": _au,
    b"caff": _caf,
}


def _holds_chunks(file: BinaryIO, position: int, size: int) -> bool:
    """Tell whether only whole chunks follow up to the end of the file; then a stated size of 0 is true."""
    end = position
    for order in "<>":
        for name, length, content in _walk(file, position, size, order + "4sI"):
            end = content + length
            if not all(0x20 <= byte < 0x7F for byte in name) or end > size:
                break
        else:
            return size - end <= 1
    return False


def _refuse_another(file: BinaryIO, position: int, size: int, name: str) -> None:
    """Refuse a second recording or unknown bytes behind the first, which no decoder would read."""
    file.seek(position + position % 2)
    behind = file.read(12)
    rest = size - position
    if rest > _MOST_BEHIND and not all(0x20 <= byte < 0x7F for byte in behind[:4]):
        raise AudioError(f"{name} holds {rest} unknown bytes behind its samples; copy or encode it again")
    if behind[:4] in CONTAINERS and (
        behind[8:12] in (b"WAVE", b"AIFF", b"AIFC") or behind[:4] in (b"caff", b".snd", b"riff")
    ):
        raise AudioError(f"{name} holds a second recording at byte {position}; join both into one, or split the file")
