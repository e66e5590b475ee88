"""Print prefect-server.json: block documents as Prefect's server writes them.

    tests/data/elsewhere/make/run prefect-server
"""
# pip: prefect==3.9.1 SQLAlchemy==2.1.9 cryptography==50.0.2

import asyncio
import json
import os

import recording

KEY = recording.key("prefect")
path = recording.path()
os.environ |= {
    "PREFECT_HOME": recording.path("home"),
    "PREFECT_SERVER_ENCRYPTION_KEY": KEY,
    "PREFECT_LOGGING_LEVEL": "ERROR",
}

import sqlalchemy as sa
from prefect.server.database.orm_models import BlockDocument
from prefect.server.utilities import encryption

# A column of the type JSON, as in Prefect's table.
metadata = sa.MetaData()
table = sa.Table(
    "block_document",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("data", BlockDocument.__table__.c.data.type),
)
engine = sa.create_engine(f"sqlite:///{path}")
metadata.create_all(engine)


class Document:
    """Prefect's own methods, without its asynchronous session."""

    def __init__(self, data=None):
        self.data = data


def encrypted(data):
    document = Document()
    asyncio.run(BlockDocument.encrypt_data(document, None, data))
    return document.data


def decrypted(data):
    return asyncio.run(BlockDocument.decrypt_data(Document(data), None))


documents = [{"url": "https://example.org", "token": "Žluťoučký"}, {}, {"text": recording.LONG, "list": [1, None]}]
with engine.begin() as connection:
    for number, document in enumerate(documents, 1):
        connection.execute(table.insert().values(id=number, data=encrypted(document)))
stored = recording.cells(path, "block_document")
read = [{"id": row["id"], "data": decrypted(json.loads(row["data"]))} for row in stored]


def returned(plaintext):
    token = recording.token(KEY, plaintext, "text")
    return {"plaintext": plaintext, "form": "text", **recording.attempt(lambda: decrypted(token))}


recording.write(
    made_by=recording.versions("prefect", "SQLAlchemy", "cryptography"),
    sets=[
        {
            "settings": {"PREFECT_SERVER_ENCRYPTION_KEY": KEY},
            "keys": [KEY],
            "table": "block_document",
            "rows": recording.rows(stored, read),
        }
    ],
    returned={"data": [returned('{"token":"Zoë"}')]},
)
