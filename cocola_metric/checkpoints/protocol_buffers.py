"""The wire format of Protocol Buffers: messages read field by field, and fields written."""

from collections.abc import Iterator
from typing import Any


def fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield (number, value) of a message: whole numbers as int, anything with a length as a view.

    Raises:
        ValueError: the message is damaged.
    """
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, position = _varint(message, position)
            yield number, value
        elif wire == 2:
            size, position = _varint(message, position)
            if size > len(message) - position:
                raise ValueError("it ends too early")
            yield number, message[position : position + size]
            position += size
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        else:
            raise ValueError("it is damaged")


def varints(message: memoryview) -> Iterator[int]:
    """Yield whole numbers that are packed into one field."""
    position = 0
    while position < len(message):
        value, position = _varint(message, position)
        yield value


def pair(message: memoryview) -> tuple[str, str]:
    """Return the two texts of a message that has a key and a value."""
    entry = dict(fields(message))
    return text(entry[1]), text(entry.get(2, memoryview(b"")))


def text(value: memoryview) -> str:
    """Return the text of a field."""
    return bytes(value).decode()


def written(number: int, value: int | bytes | memoryview) -> bytes:
    """Return a field as it lies in a message.

    >>> written(1, 300).hex(), written(2, b"ab").hex()
    ('08ac02', '12026162')
    """
    if isinstance(value, int):
        return _written_varint(number << 3) + _written_varint(value)
    return b"".join((_written_varint(number << 3 | 2), _written_varint(len(value)), value))


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value, shift = message[position], 7
    position += 1
    if value < 0x80:  # nearly all are
        return value, position
    value &= 0x7F
    while shift < 64:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("it is damaged")


def _written_varint(value: int) -> bytes:
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)
