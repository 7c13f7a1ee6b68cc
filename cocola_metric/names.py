"""Names from outside: checks before they become part of a path, and escapes for messages, CSV and tables."""

import re

from .errors import UsageError

_LONGEST = 200  # bytes: file systems end at 255, and a suffix or a mark of a temporary file comes on top
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # by Windows, whatever the suffix
_STARTS_A_FORMULA = ("=", "+", "-", "@")


def path_part(name: str, what: str = "name") -> str:
    r"""Return a name unchanged if it can be one part of a path; every name that becomes a path is checked here.

    Args:
        name: name from a manifest, a data set or an option.
        what: kind of the name, for the message.

    Raises:
        UsageError: the name leads elsewhere (``..``, a slash, a drive), or some system cannot store it.

    >>> path_part("drum kit 2")
    'drum kit 2'
    >>> path_part("../x", "tag")
    Traceback (most recent call last):
    cocola_metric.errors.UsageError: tag '../x' cannot be the name of a file: it holds '/'; rename it
    """
    if not isinstance(name, str):
        raise UsageError(f"{what} {name!r} cannot be the name of a file: it is not text; rename it")
    bad = sorted({character for character in name if character in '/\\:*?"<>|' or not character.isprintable()})
    size = len(name.encode("utf-8", "surrogatepass"))
    if bad:
        problem = f"it holds {', '.join(map(ascii, bad[:5]))}"
    elif not name.strip():
        problem = "it is empty"
    elif name.startswith(".") or name != name.strip() or name.endswith("."):
        problem = "it begins with a full stop or a space, or ends with one"
    elif size > _LONGEST:
        problem = f"it has {size} bytes, more than {_LONGEST}"
    elif _RESERVED.fullmatch(name):
        problem = "Windows keeps it for a device"
    else:
        return name
    shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
    raise UsageError(f"{what} {shown!a} cannot be the name of a file: {problem}; rename it")


def printable(text: str) -> str:
    r"""Return a text that cannot steer a terminal: control and invisible characters are escaped.

    >>> printable("a\x1b[31m\nb.wav")
    'a\\x1b[31m\\nb.wav'
    """
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def csv_text(text: str) -> str:
    """Return a text for a CSV cell, in one line that no spreadsheet takes for a formula.

    >>> csv_text("=1+1")
    "'=1+1"
    """
    shown = printable(text)
    return f"'{shown}" if shown.startswith(_STARTS_A_FORMULA) else shown


def is_plain(text: str) -> bool:
    """Tell whether a text can be written to a CSV cell and read back unchanged, and is not taken for anything else."""
    return text.isprintable() and text == text.strip() and not text.startswith(_STARTS_A_FORMULA)


def markdown_text(text: str) -> str:
    """Return a text for a line of Markdown, without line breaks and HTML.

    >>> markdown_text("a <script>")
    'a &lt;script>'
    """
    return printable(text).replace("<", "&lt;")


def markdown_cell(text: str) -> str:
    r"""Return a text for a cell of a Markdown table, without unescaped cell borders.

    >>> markdown_cell("a|b")
    'a\\|b'
    """
    return markdown_text(text).replace("|", "\\|")
