"""What the scripts beside this one share: tokens that come out the same every time, and the form of the data files.

    {"made_by": {package: version},
     "sets": [{"settings": {name: value}, "keys": [key as the original derives it, the primary first],
               "rows": [{"stored": {column: cell}, "read": {column: value}}]}],
     "foreign": [{"stored": {column: cell}, "read": {column: value}}],
     "returned": {column: [{"plaintext": text, "form": "text" or "bytes", "read": value or "refused": exception,
                            "documented": value}]}}

`stored` is what the database holds, read without the original: a cell of bytes is {"hex": digits}. `read` is what the
original makes of it, with moments in ISO 8601. `foreign` are cells that are no token, or hold what only Python reads.
`returned` tells what the original makes of tokens as diesel-encrypted writes them; `documented`, what it makes of them
with the code of docs/elsewhere.md.
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
# In the place of the modules `os` and `time`, there alone.
cryptography.fernet.os = types.SimpleNamespace(
    urandom=lambda length: hashlib.sha256(b"%d" % next(_count)).digest()[:length]
)
cryptography.fernet.time = types.SimpleNamespace(time=lambda: 1_795_449_600)


def path(name="database"):
    """A path that is gone when the script ends."""
    return f"{_folder.name}/{name}"


def key(name):
    """A Fernet key that says what it is."""
    return base64.urlsafe_b64encode(f"not secret, for tests: {name}".ljust(32, ".").encode()).decode()


def versions(*packages):
    return {"Python": platform.python_version()} | {name: importlib.metadata.version(name) for name in packages}


def token(key, plaintext, form):
    """A token as diesel-encrypted writes it to a column of text or of bytes."""
    text = cryptography.fernet.Fernet(key).encrypt(plaintext.encode())
    return text.decode() if form == "text" else base64.urlsafe_b64decode(text)


def cells(path, table):
    """The rows of a table as the database file holds them."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    rows = connection.execute(f"select * from {table} order by id").fetchall()
    connection.close()
    return [{name: cell(row[name]) for name in row.keys()} for row in rows]


def cell(value):
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def values(row):
    """What the original read, in JSON."""
    return {name: moment(value) for name, value in row.items()}


def moment(value):
    if isinstance(value, (datetime.datetime, datetime.time)):
        return value.isoformat(timespec="milliseconds")
    return value.isoformat() if isinstance(value, datetime.date) else value


def rows(stored, read):
    return [{"stored": cells, "read": values(row)} for cells, row in zip(stored, read, strict=True)]


def attempt(read):
    """What a read comes to."""
    try:
        return {"read": values({"": read()})[""]}
    except Exception as error:
        return {"refused": type(error).__name__}


def snippet(section):
    """The last piece of Python in this section of docs/elsewhere.md."""
    text = (Path(__file__).parents[4] / "docs/elsewhere.md").read_text()
    (section,) = [part for part in re.split(r"^## ", text, flags=re.M) if part.startswith(section + "\n")]
    return re.findall(r"^```python\n(.*?)^```$", section, flags=re.M | re.S)[-1]


def write(**document):
    """Prints the data file."""
    sys.stdout.reconfigure(encoding="utf-8")
    print(spread(document))


def spread(value, indent="\n"):
    """JSON with one row per line."""
    if isinstance(value, dict) and not value.keys() & {"stored", "plaintext"}:
        parts = [f"{json.dumps(name)}: {spread(part, indent + '  ')}" for name, part in value.items()]
        brackets = "{}"
    elif isinstance(value, list) and any(isinstance(part, (dict, list)) for part in value):
        parts, brackets = [spread(part, indent + "  ") for part in value], "[]"
    else:
        return json.dumps(value, ensure_ascii=False)
    return brackets[0] + ",".join(indent + "  " + part for part in parts) + indent + brackets[1]
