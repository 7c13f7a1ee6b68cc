"""Arrays on disk, read so that a torn, flipped or hostile file is one error and takes no more memory than it has."""

import io
import math
import os
import zipfile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_LONGEST_HEADER = 4096  # bytes; ours have 128
_MOST_BYTES = 2**31  # of one array: statistics of embeddings of 4096 dimensions take 2^28


def npz_arrays(file: str | os.PathLike[str] | BinaryIO) -> dict[str, NDArray[Any]]:
    """Return the arrays of an ``.npz`` file by name; nothing in it is executed, and its check sums are checked.

    Raises:
        ValueError: it is damaged, or not of that kind.
        OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > _MOST_BYTES:
                raise ValueError(f"it announces more than {_MOST_BYTES} bytes")
            return {member.filename.removesuffix(".npy"): npy_array(archive.read(member)) for member in members}
    except (OSError, ValueError):
        raise
    except Exception as error:  # zipfile, zlib and struct have kinds of their own for bytes that are not a ZIP file
        raise ValueError(str(error) or type(error).__name__) from error


def npy_array(data: bytes) -> NDArray[Any]:
    """Return the array of the content of an ``.npy`` file, which must be as long as its header says.

    Raises:
        ValueError: it is damaged, holds objects, or is not of that kind.
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[
            version
        ]
        shape, fortran_order, dtype = read_header(stream, max_header_size=_LONGEST_HEADER)
        size = math.prod(shape)
        if dtype.hasobject or min(shape, default=0) < 0 or size * dtype.itemsize != len(data) - stream.tell():
            raise ValueError("its header and its size disagree")
        array = np.frombuffer(data, dtype, size, stream.tell())
        return array.reshape(shape, order="F" if fortran_order else "C")
    except ValueError:
        raise
    except Exception as error:  # NumPy evaluates the header as Python: TokenError, SyntaxError, MemoryError, ...
        raise ValueError(f"no array: {error or type(error).__name__}") from error
