"""MP3 files for tests: encoded by libsndfile, their first frame, the tag, taken off or rewritten."""

import struct
from pathlib import Path

import numpy as np
import soundfile

from cocola_metric.audio.containers.mp3_frames import parse_header, tag_checksum


def clicks(seconds: float, rate: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Make bursts of noise every half second, and pauses that cost a variable bit rate little: (time, channels)."""
    random = np.random.default_rng(seed)
    samples = 1e-3 * random.standard_normal((round(seconds * rate), channels))
    for start in range(rate // 2, len(samples) - rate // 20, rate // 2):
        samples[start : start + rate // 20] += random.uniform(-0.5, 0.5, (rate // 20, channels))
    return samples.astype(np.float32)


def write_mp3(path: Path, samples: np.ndarray, rate: int, *, mode: str = "VARIABLE") -> bytes:
    """Encode with a tag, as every encoder writes it into a file, and return the bytes."""
    soundfile.write(path, samples, rate, format="MP3", bitrate_mode=mode, compression_level=0.5)
    return path.read_bytes()


def first_frame(content: bytes) -> bytes:
    """Return the first frame, which is the tag."""
    header = parse_header(content)
    assert header is not None
    return content[: header.size]


def without_tag(content: bytes) -> bytes:
    """Take the tag off, as an encoder that writes to a pipe leaves it out."""
    return content[len(first_frame(content)) :]


def with_fraunhofer_tag(content: bytes, frames: int) -> bytes:
    """Put a VBRI tag in place of the tag."""
    tag = bytearray(first_frame(content))
    tag[4:] = bytes(len(tag) - 4)
    tag[36:54] = struct.pack(">4sHHHII", b"VBRI", 1, 0, 75, len(content), frames)
    return bytes(tag) + without_tag(content)


def tag_position(content: bytes) -> int:
    """Return where the tag begins within the first frame."""
    return max(content.find(b"Xing"), content.find(b"Info"))


def with_frame_count(content: bytes, frames: int) -> bytes:
    """State another count of frames in the tag, and its check sum anew."""
    start = tag_position(content)
    at, checksum = start + 8, start + 154
    content = content[:at] + struct.pack(">I", frames) + content[at + 4 :]
    return content[:checksum] + struct.pack(">H", tag_checksum(content[:checksum])) + content[checksum + 2 :]


def frame_positions(content: bytes) -> list[int]:
    """Return where each frame begins, the tag's included."""
    positions, position = [], 0
    while header := parse_header(content[position : position + 4]):
        positions.append(position)
        position += header.size
    return positions
