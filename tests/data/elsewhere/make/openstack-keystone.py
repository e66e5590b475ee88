"""Print openstack-keystone.json: credentials as OpenStack Keystone writes them.

    tests/data/elsewhere/make/run openstack-keystone
"""
# pip: keystone==30.0.0 SQLAlchemy==2.1.9 cryptography==50.0.2

import json
import os

import recording

OLD, NEW, STAGED = recording.key("old"), recording.key("new"), recording.key("staged")
path, folder = recording.path(), recording.path("credential-keys")

import keystone.conf
import sqlalchemy as sa
from keystone.credential.backends.sql import CredentialModel
from keystone.credential.providers.fernet import Provider
from sqlalchemy.orm import Session

keystone.conf.configure()
CONF = keystone.conf.CONF
CONF([], project="keystone", default_config_files=[])
CONF.set_override("key_repository", folder, "credential")

engine = sa.create_engine(f"sqlite:///{path}")
CredentialModel.__table__.create(engine)
provider = Provider()


def use(keys):
    """Write the folder as `keystone-manage credential_rotate` leaves it: the highest number is the primary key."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in os.listdir(folder):
        os.remove(f"{folder}/{name}")
    for number, key in keys.items():
        with open(f"{folder}/{number}", "w") as file:
            file.write(key)


def insert(number, kind, blob):
    encrypted, key_hash = provider.encrypt(blob)
    row = {"id": str(number), "user_id": "user", "type": kind, "encrypted_blob": encrypted, "key_hash": key_hash}
    with Session(engine) as session:
        session.add(CredentialModel.from_dict(row))
        session.commit()


def rows():
    columns = ("id", "encrypted_blob", "key_hash")
    stored = [{name: row[name] for name in columns} for row in recording.cells(path, "credential")]
    for row in stored:
        row["id"] = int(row["id"])
    read = [
        {"id": row["id"], "encrypted_blob": provider.decrypt(row["encrypted_blob"]), "key_hash": row["key_hash"]}
        for row in stored
    ]
    return recording.rows(stored, read)


def returned(plaintext):
    token = recording.token(NEW, plaintext, "text")
    return {"plaintext": plaintext, "form": "text", **recording.attempt(lambda: provider.decrypt(token))}


use({0: NEW, 1: OLD})
insert(1, "ec2", json.dumps({"access": "a", "secret": "Žluťoučký"}))
insert(2, "totp", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
use({0: STAGED, 1: OLD, 2: NEW})
insert(3, "cert", recording.LONG)
insert(4, "empty", "")
recording.write(
    made_by=recording.versions("keystone", "SQLAlchemy", "cryptography"),
    sets=[
        {
            "settings": {"key_repository": {"0": STAGED, "1": OLD, "2": NEW}},
            "keys": [NEW, OLD, STAGED],
            "table": "credential",
            "rows": rows(),
        }
    ],
    returned={"encrypted_blob": [returned('{"access":"b","secret":"Zoë"}')]},
)
