"""The sizes of the tags that programs put around audio (ID3, APE), so that readers can pass over them."""

import struct
from typing import BinaryIO

ID3_V1_SIZE = 128
_ID3_V2_HEADER = 10
_APE_HEADER = 32


def tag_size(head: bytes) -> int:
    """Return the size in bytes of the tag that begins with `head`; 0 if there is none. `head` is 32 bytes or more."""
    if head[:3] == b"ID3" and len(head) >= _ID3_V2_HEADER and max(head[6:10]) < 0x80:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        footer = _ID3_V2_HEADER if head[5] & 0x10 else 0
        return _ID3_V2_HEADER + size + footer
    if head[:3] == b"TAG":
        return ID3_V1_SIZE
    if head[:8] == b"APETAGEX" and len(head) >= _APE_HEADER:
        size, flags = struct.unpack("<I4xI", head[12:24])
        return int(size) + _APE_HEADER if flags & 0x2000_0000 else _APE_HEADER  # a header, or a lonely footer
    return 0


def skip_leading_tags(file: BinaryIO) -> int:
    """Return the position behind the tags at the start of a file."""
    position = 0
    while True:
        file.seek(position)
        size = tag_size(file.read(_APE_HEADER))
        if not size:
            return position
        position += size
