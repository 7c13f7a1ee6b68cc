"""The frames of an MP3 file: their positions and their number, and the delay and padding that the first frame states.

A decoder guesses the length of a file without a Xing or Info tag from its first bit rate, and stops there. So the
frames are counted here, and a tag with their count is put before each stream.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from ...errors import AudioError
from .byte_view import Part
from .mp3_frames import FrameHeader, InfoTag, lame_part, parse_header, parse_tag
from .tags import tag_size

DECODER_DELAY = 529
"""Samples by which every decoder of layer 3 is late."""
USUAL_DELAY = 576 + DECODER_DELAY
"""Samples by which sound is late where the encoder's delay is not stated; 576 is that of LAME, the usual encoder."""
COUNTING_SLACK = 1
"""Frames by which a tag may be wrong: some encoders count the tag's own frame."""
MOST_JUNK = 2**20
"""Most bytes before the first frame or behind the last that are passed over although they are no frames."""
_BLOCK = 2**16  # bytes read at a time


@dataclass
class Stream:
    """One run of the encoder: consecutive frames of one rate and layout.

    Attributes:
        start: position of the first frame, in bytes; it may be a tag.
        header: header of the first frame.
        tag: content of the first frame if it is a tag, otherwise None.
        sound: position of the first frame of sound, in bytes.
        end: position behind the last frame, in bytes.
        count: number of frames of sound.
        own_tag: new tag with the right count, to be put before the sound; empty if none is needed.
    """

    start: int
    header: FrameHeader
    tag: InfoTag | None
    sound: int
    end: int
    count: int = 0
    own_tag: bytes = b""

    @property
    def states_delay(self) -> bool:
        """Tell whether the tag states delay and padding."""
        return self.tag is not None and self.tag.delay is not None

    @property
    def parts(self) -> tuple[Part, ...]:
        """Parts for the decoder."""
        return self.own_tag, (self.sound, self.end)

    def is_complete(self) -> bool:
        """Tell whether all frames that the tag announces are there; a further one is another stream's."""
        if self.tag is None or self.tag.frames is None:
            return False
        return self.count >= self.tag.frames and (self.tag.size is None or self.end - self.start >= self.tag.size)


def find_streams(file: BinaryIO, size: int, name: str, position: int = 0) -> list[Stream]:
    """Find the streams of an MP3 file from a position on, in the order in which they play.

    Raises:
        AudioError: the file holds no frame, is truncated or damaged, or its streams differ in rate or channels.
    """
    reader = _Reader(file, size, name)
    streams: list[Stream] = []
    position = reader.next_frame(position, None)
    while position < size:
        header = reader.header(position)
        if header is None:
            position = reader.next_frame(position, streams[-1].header)
            continue
        if streams and not header.continues(streams[0].header):
            raise reader.damaged(position, "a frame of another rate, layer or number of channels")
        if position + header.size > size:
            raise AudioError(
                f"{name} is truncated: {size - position} bytes are there of its last frame of {header.size}; "
                "copy or encode it again"
            )
        tag = parse_tag(reader.bytes_at(position, header.size), header)
        end = position + header.size
        if tag or not streams or streams[-1].is_complete():
            streams.append(Stream(position, header, tag, end if tag else position, end))
        streams[-1].end = end
        streams[-1].count += not tag
        position = end
    if not streams:
        raise AudioError(f"{name} holds no MP3 frame; copy or encode it again")
    return [_described(stream, reader) for stream in _joined(streams) if stream.count]


class _Reader:
    """The bytes of a file, read in blocks."""

    def __init__(self, file: BinaryIO, size: int, name: str) -> None:
        self.file, self.size, self.name = file, size, name
        self._start, self._block = 0, b""

    def bytes_at(self, position: int, count: int) -> bytes:
        """Return `count` bytes; fewer at the end of the file."""
        begin = position - self._start
        if begin < 0 or begin + count > len(self._block):
            self.file.seek(position)
            self._start, self._block, begin = position, self.file.read(max(count, _BLOCK)), 0
        return self._block[begin : begin + count]

    def header(self, position: int) -> FrameHeader | None:
        """Return the frame header at a position; None if there is none."""
        return parse_header(self.bytes_at(position, 4))

    def damaged(self, position: int, what: str) -> AudioError:
        """Return the error about what lies at a position."""
        return AudioError(f"{self.name} is damaged at byte {position}, where there is {what}; copy or encode it again")

    def next_frame(self, position: int, before: FrameHeader | None) -> int:
        """Return the position of the next frame behind tags and junk; the file's size if none follows.

        Raises:
            AudioError: a frame follows junk in the middle of the file, or there is too much junk.
        """
        while size := tag_size(self.bytes_at(position, 32)):
            position += size
        start = position
        while start < min(self.size, position + MOST_JUNK):
            found = self.bytes_at(start, _BLOCK).find(b"\xff")
            if found < 0:
                start += _BLOCK
                continue
            start += found
            if self._is_start(start):
                if before is not None and start > position:
                    raise self.damaged(position, f"no frame for {start - position} bytes")
                return start
            start += 1
        if start < self.size:
            raise self.damaged(position, f"no frame for {MOST_JUNK} bytes")
        return self.size

    def _is_start(self, position: int) -> bool:
        """Tell whether a frame starts here: it has a header, and a header, a tag or the end of the file follows it."""
        header = self.header(position)
        if header is None:
            return False
        following = position + header.size
        after = self.header(following)
        return (
            following >= self.size
            or tag_size(self.bytes_at(following, 32)) > 0
            or (after is not None and after.continues(header))
        )


def _joined(streams: list[Stream]) -> list[Stream]:
    """Join a surplus frame to the stream before it, whose tag may have counted one frame too few."""
    joined: list[Stream] = []
    for stream in streams:
        if joined and stream.tag is None and stream.count <= COUNTING_SLACK:
            joined[-1].end, joined[-1].count = stream.end, joined[-1].count + stream.count
        else:
            joined.append(stream)
    return joined


def _described(stream: Stream, reader: _Reader) -> Stream:
    """Check the number of frames, and put a new tag before the stream if it has none or a wrong one.

    Raises:
        AudioError: frames are missing.
    """
    stated = stream.tag.frames if stream.tag else None
    if stated is not None and stream.count < stated:
        shorter = stream.tag is not None and stream.tag.size is not None and stream.end - stream.start < stream.tag.size
        if stream.count < stated - COUNTING_SLACK or shorter:
            raise AudioError(
                f"{reader.name} is truncated: its tag announces {stated} frames, {stream.count} are there; copy or "
                "encode it again"
            )
    if stream.header.layer == 3:
        stream.own_tag = _own_tag(reader.bytes_at(stream.sound, 4), stream)
    return stream


def _own_tag(header: bytes, stream: Stream) -> bytes:
    """Write a first frame that states the number of frames, and the delay and padding of the old tag.

    Behind such a frame a decoder drops `DECODER_DELAY` samples and the delay. If no delay is known, all frames must be
    decoded: then a silent frame follows the tag, and the delay covers the rest of that frame.
    """
    largest = bytes((header[0], header[1] | 1, 14 << 4 | header[2] & 0b1100, header[3]))  # no checksum, no padding
    frame = parse_header(largest)
    assert frame is not None
    tag, silence = bytearray(frame.size), bytearray(frame.size)
    tag[:4] = silence[:4] = largest
    known = stream.tag.delay if stream.tag else None
    at = 4 + frame.side_information
    tag[at : at + 12] = struct.pack(">4sII", b"Xing", 1, stream.count + (known is None))
    lame = known or lame_part(delay=frame.samples - DECODER_DELAY)
    tag[at + 12 : at + 12 + len(lame)] = lame
    return bytes(tag) if known else bytes(tag + silence)
