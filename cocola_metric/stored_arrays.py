"""Reading arrays from disk: a damaged or hostile file is one error, and takes no more memory than its size."""

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
        ValueError: the file is damaged, or of another kind.
        OSError: the file cannot be read.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > _MOST_BYTES:
                raise ValueError(f"it announces more than {_MOST_BYTES} bytes")
            return {member.filename.removesuffix(".npy"): npy_array(archive.read(member)) for member in members}
    except (OSError, ValueError):
        raise
    except (
        Exception
    ) as error:  # zipfile, zlib and struct have their own types of errors for bytes that are not a ZIP file
        raise ValueError(str(error) or type(error).__name__) from error


def npy_array(data: bytes) -> NDArray[Any]:
    """Return the array in the content of an ``.npy`` file, whose length must agree with its header.

    Raises:
        ValueError: the content is damaged, holds objects, or is of another kind.
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
        raise ValueError(f"not an array: {error or type(error).__name__}") from error
