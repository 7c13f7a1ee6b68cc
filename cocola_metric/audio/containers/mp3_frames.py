"""The headers of MPEG audio frames, and the tags (Xing, Info, LAME, VBRI) that the first of them may be."""

import struct
from dataclasses import dataclass

_VERSIONS = {3: 1, 2: 2, 0: 3}  # bits of the header -> MPEG 1, MPEG 2, MPEG 2.5
_RATES = {1: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 3: (11_025, 12_000, 8_000)}
_KILOBITS = {  # by (MPEG 1 or not, layer); index 0 is free format
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_LAME_SIZE = 36  # bytes of LAME's part of a tag: encoder, gains, delay and padding, ...
_LAME_DELAYS = 21  # bytes in it before delay and padding
_LAME_CHECKSUM = 34  # bytes in it before the check sum of the frame's start
_CHECKED_BY_FFMPEG = 190  # bytes of the frame, whatever its kind; LAME's end where the check sum is
_SEEK_TABLE = 100
_VBRI_OFFSET = 36  # bytes into the frame, whatever its channels


@dataclass(frozen=True)
class FrameHeader:
    """The content of the four bytes before each frame.

    Attributes:
        version: version of MPEG: 1, 2, or 3 for MPEG 2.5.
        layer: layer, 1 to 3.
        rate: sample rate, in Hz.
        channels: number of channels, 1 or 2.
        size: size of the frame with its header, in bytes.
    """

    version: int
    layer: int
    rate: int
    channels: int
    size: int

    @property
    def samples(self) -> int:
        """Number of samples per channel in a frame."""
        return 384 if self.layer == 1 else 576 if self.layer == 3 and self.version > 1 else 1152

    @property
    def side_information(self) -> int:
        """Number of bytes between the header and the main data of layer 3, where a tag begins."""
        return ((9, 17), (17, 32))[self.version == 1][self.channels - 1]

    def continues(self, other: "FrameHeader") -> bool:
        """Tell whether two frames may belong to one stream."""
        mine, others = ((frame.version, frame.layer, frame.rate, frame.channels) for frame in (self, other))
        return mine == others


@dataclass(frozen=True)
class InfoTag:
    """The content of a tag: a first frame that holds no sound. It is empty if its check sum is wrong.

    Attributes:
        frames: number of frames of sound that follow; None if it is not stated.
        size: number of bytes from this frame to the end of the last; None if it is not stated.
        delay: LAME's part, which states delay and padding; None if there is none.
    """

    frames: int | None
    size: int | None
    delay: bytes | None


def parse_header(content: bytes) -> FrameHeader | None:
    """Read the header at the start of `content`; None if there is none. Free format counts as none."""
    if len(content) < 4:
        return None
    bits = int.from_bytes(content[:4], "big")
    version, layer = _VERSIONS.get(bits >> 19 & 3), 4 - (bits >> 17 & 3)
    kilobits, rate, padding = bits >> 12 & 15, bits >> 10 & 3, bits >> 9 & 1
    if bits >> 21 != 0x7FF or version is None or layer == 4 or kilobits in (0, 15) or rate == 3:
        return None
    bit_rate, samples_per_second = 1000 * _KILOBITS[version == 1, layer][kilobits], _RATES[version][rate]
    if layer == 1:
        size = (12 * bit_rate // samples_per_second + padding) * 4
    else:
        size = (72 if layer == 3 and version > 1 else 144) * bit_rate // samples_per_second + padding
    return FrameHeader(version, layer, samples_per_second, 1 if bits >> 6 & 3 == 3 else 2, size)


def parse_tag(frame: bytes, header: FrameHeader) -> InfoTag | None:
    """Read the tag in a frame; None if the frame holds sound."""
    if header.layer != 3:
        return None
    if frame[_VBRI_OFFSET : _VBRI_OFFSET + 4] == b"VBRI":
        size, frames = struct.unpack_from(">II", frame.ljust(_VBRI_OFFSET + 18, b"\0"), _VBRI_OFFSET + 10)
        return InfoTag(frames, size, None)
    at = 4 + header.side_information
    if frame[at : at + 4] not in (b"Xing", b"Info"):
        return None
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    at += 8
    numbers: list[int | None] = []
    for flag in (1, 2):
        numbers.append(int.from_bytes(frame[at : at + 4], "big") if flags & flag else None)
        at += 4 * bool(flags & flag)
    at += _SEEK_TABLE * bool(flags & 4) + 4 * bool(flags & 8)
    lame = frame[at : at + _LAME_SIZE]
    if len(lame) < _LAME_SIZE or lame[0] == 0:
        return InfoTag(numbers[0], numbers[1], None)
    if not _is_undamaged(frame, at + _LAME_CHECKSUM):
        return InfoTag(None, None, None)
    return InfoTag(numbers[0], numbers[1], lame if any(lame[_LAME_DELAYS : _LAME_DELAYS + 3]) else None)


def _is_undamaged(frame: bytes, at: int) -> bool:
    """Tell whether the check sum at a position of the frame is right; 0 stands for none."""
    stated = int.from_bytes(frame[at : at + 2], "big")
    checked_by_ffmpeg = (frame[:at] + bytes(2) + frame[at + 2 :])[:_CHECKED_BY_FFMPEG].ljust(_CHECKED_BY_FFMPEG, b"\0")
    return stated in (0, tag_checksum(frame[:at]), tag_checksum(checked_by_ffmpeg))


def tag_checksum(data: bytes) -> int:
    """Compute the CRC-16 that LAME and FFmpeg write at the end of their tag (polynomial 0x8005, lowest bit first)."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value


def lame_part(delay: int) -> bytes:
    """Write LAME's part of a tag, with a delay in samples and no padding."""
    part = bytearray(_LAME_SIZE)
    part[:4] = b"LAME"
    part[_LAME_DELAYS : _LAME_DELAYS + 3] = (delay << 12).to_bytes(3, "big")
    return bytes(part)
