"""Print openstack-barbican.json: secrets as the plugin simple_crypto of OpenStack Barbican writes them.

    tests/data/elsewhere/make/run openstack-barbican
"""
# pip: barbican==23.0.0 SQLAlchemy==2.1.9 cryptography==50.0.2

import base64
import sys

sys.argv = sys.argv[:1]

import recording

OLD, NEW = recording.key("old"), recording.key("new")
path = recording.path()

import sqlalchemy as sa
from barbican.model import models
from barbican.plugin.crypto import base, simple_crypto

# Cells are written as `barbican/plugin/store_crypto.py` writes them, into the tables of Barbican.
engine = sa.create_engine(f"sqlite:///{path}")
KEKS, SECRETS = models.KEKDatum.__table__, models.EncryptedDatum.__table__
models.BASE.metadata.create_all(engine)
MOMENT = recording.SEEN.replace(microsecond=0)


def plugin(*keks):
    simple_crypto.CONF.set_override("kek", list(keks), "simple_crypto_plugin")
    return simple_crypto.SimpleCryptoPlugin(simple_crypto.CONF)


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def insert(crypto, number, secrets):
    """Write the key of a project, and secrets under it."""
    datum = models.KEKDatum()
    datum.plugin_name = crypto.get_plugin_name()
    kek = crypto.bind_kek_metadata(base.KEKMetaDTO(datum))
    base_columns = {"created_at": MOMENT, "updated_at": MOMENT, "deleted": False, "status": "ACTIVE"}
    meta = text(kek.plugin_meta)
    with engine.begin() as connection:
        values = {"id": str(number), "plugin_name": "simple", "project_id": "project", "plugin_meta": meta}
        connection.execute(KEKS.insert().values(**values, **base_columns))
        for offset, secret in enumerate(secrets):
            response = crypto.encrypt(base.EncryptDTO(secret), kek, "project")
            values = {
                "id": str(number * 10 + offset),
                "secret_id": "secret",
                "kek_id": str(number),
                "cypher_text": text(base64.b64encode(response.cypher_text)),
            }
            connection.execute(SECRETS.insert().values(**values, **base_columns))


def rows(table, columns, read):
    stored = [{name: row[name] for name in columns} for row in recording.cells(path, table)]
    for row in stored:
        row.update({name: int(row[name]) for name in columns if name in ("id", "kek_id")})
    return recording.rows(stored, [{**row, **read(row)} for row in stored])


def kek(crypto, meta):
    datum = models.KEKDatum()
    datum.plugin_meta = meta
    return base.KEKMetaDTO(datum)


def secret(crypto, row):
    (meta,) = [cells["plugin_meta"] for cells in recording.cells(path, "kek_data") if int(cells["id"]) == row["kek_id"]]
    encrypted = base.DecryptDTO(base64.b64decode(row["cypher_text"]))
    return {"cypher_text": crypto.decrypt(encrypted, kek(crypto, meta), None, "project").decode()}


def returned(crypto, plaintext):
    token = recording.token(NEW, plaintext, "text")
    read = recording.attempt(lambda: crypto._get_kek(kek(crypto, token)).decode())
    return {"plaintext": plaintext, "form": "text", **read}


import cryptography.fernet

# Keys of projects are the same in every run, too.
projects = (recording.key(f"project {number}").encode() for number in range(10))
cryptography.fernet.Fernet.generate_key = classmethod(lambda cls: next(projects))

insert(plugin(OLD), 1, ["Žluťoučký".encode(), b"second"])
crypto = plugin(NEW, OLD)
insert(crypto, 2, [recording.LONG.encode()])
tables = {
    "kek_data": rows(
        "kek_data",
        ("id", "plugin_meta"),
        lambda row: {"plugin_meta": crypto._get_kek(kek(crypto, row["plugin_meta"])).decode()},
    ),
    "encrypted_data": rows("encrypted_data", ("id", "kek_id", "cypher_text"), lambda row: secret(crypto, row)),
}
recording.write(
    made_by=recording.versions("barbican", "SQLAlchemy", "cryptography"),
    sets=[
        {"settings": {"kek": [NEW, OLD]}, "keys": [NEW, OLD], "table": name, "rows": rows}
        for name, rows in tables.items()
    ],
    returned={"plugin_meta": [returned(crypto, recording.key("project of ours"))]},
)
