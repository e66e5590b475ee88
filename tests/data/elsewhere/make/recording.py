"""Code that the other scripts share: tokens that are the same in every run, and the format of the data files.

    {"made_by": {package: version},
     "sets": [{"settings": {name: value}, "keys": [key as the original derives it, the primary first],
               "rows": [{"stored": {column: cell}, "read": {column: value}}]}],
     "foreign": [{"stored": {column: cell}, "read": {column: value}}],
     "returned": {column: [{"plaintext": text, "form": "text" or "bytes", "read": value or "refused": exception,
                            "documented": value}]}}

`stored` is the content of the database, read without the original; a binary cell is {"hex": digits}. `read` is the value
that the original reads, with times in ISO 8601. `foreign` contains cells that are not tokens, or that only Python can
read. `returned` contains the values that the original reads from tokens of diesel-encrypted; `documented` is the value
that it reads with the code of docs/elsewhere.md.
"""

import base64
import datetime
import hashlib
import importlib.metadata
import itertools
import json
import platform
import re
import sqlite3
import sys
import tempfile
import types
from pathlib import Path

import cryptography.fernet

UTC = datetime.timezone.utc
LONG = "long ünï " * 30
SEEN = datetime.datetime(2026, 11, 23, 15, 49, 38, 500_000)
BORN = datetime.date(1815, 12, 10)

_folder = tempfile.TemporaryDirectory()
_count = itertools.count()
# Replace the modules `os` and `time` within this module only.
cryptography.fernet.os = types.SimpleNamespace(
    urandom=lambda length: hashlib.sha256(b"%d" % next(_count)).digest()[:length]
)
cryptography.fernet.time = types.SimpleNamespace(time=lambda: 1_795_449_600)


def path(name="database"):
    """Return a path that disappears when the script ends."""
    return f"{_folder.name}/{name}"


def key(name):
    """Return a Fernet key that begins with its name. Keys of a keyring differ in their first half."""
    return base64.urlsafe_b64encode(f"{name}: not secret, for tests".ljust(32, ".").encode()).decode()


def versions(*packages):
    return {"Python": platform.python_version()} | {name: importlib.metadata.version(name) for name in packages}


def token(key, plaintext, form):
    """Return a token as diesel-encrypted writes it to a text or binary column."""
    text = cryptography.fernet.Fernet(key).encrypt(plaintext.encode())
    return text.decode() if form == "text" else base64.urlsafe_b64decode(text)


def cells(path, table):
    """Return the rows of a table as the database file stores them."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    rows = connection.execute(f"select * from {table} order by id").fetchall()
    connection.close()
    return [{name: cell(row[name]) for name in row.keys()} for row in rows]


def cell(value):
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def values(row):
    """Return the values that the original read, for JSON."""
    return {name: moment(value) for name, value in row.items()}


def moment(value):
    if isinstance(value, (datetime.datetime, datetime.time)):
        return value.isoformat(timespec="milliseconds")
    return value.isoformat() if isinstance(value, datetime.date) else value


def rows(stored, read):
    return [{"stored": cells, "read": values(row)} for cells, row in zip(stored, read, strict=True)]


def attempt(read):
    """Return the result of a read, or its exception."""
    try:
        return {"read": values({"": read()})[""]}
    except Exception as error:
        return {"refused": type(error).__name__}


def snippet(section):
    """Return the last code block in Python in this section of docs/elsewhere.md."""
    text = (Path(__file__).parents[4] / "docs/elsewhere.md").read_text()
    (section,) = [part for part in re.split(r"^## ", text, flags=re.M) if part.startswith(section + "\n")]
    return re.findall(r"^```python\n(.*?)^```$", section, flags=re.M | re.S)[-1]


def write(**document):
    """Print the data file."""
    sys.stdout.reconfigure(encoding="utf-8")
    print(spread(document))


def spread(value, indent="\n"):
    """Format JSON with one row a line."""
    if isinstance(value, dict) and not value.keys() & {"stored", "plaintext"}:
        parts = [f"{json.dumps(name)}: {spread(part, indent + '  ')}" for name, part in value.items()]
        brackets = "{}"
    elif isinstance(value, list) and any(isinstance(part, (dict, list)) for part in value):
        parts, brackets = [spread(part, indent + "  ") for part in value], "[]"
    else:
        return json.dumps(value, ensure_ascii=False)
    return brackets[0] + ",".join(indent + "  " + part for part in parts) + indent + brackets[1]
