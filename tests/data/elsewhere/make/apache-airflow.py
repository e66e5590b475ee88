"""Print apache-airflow.json: connections, variables and triggers as Apache Airflow writes them.

    tests/data/elsewhere/make/run apache-airflow
"""
# pip: apache-airflow-core==3.3.2 SQLAlchemy==2.1.9 cryptography==50.0.2

import json
import os
import uuid

import recording

OLD, NEW = recording.key("old"), recording.key("new")
path = recording.path()
os.environ |= {
    "AIRFLOW_HOME": recording.path("airflow"),
    "AIRFLOW__CORE__FERNET_KEY": OLD,
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{path}",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
}

import sqlalchemy as sa
from airflow.models import crypto
from airflow.models.connection import Connection
from airflow.models.connection_test import ConnectionTestRequest
from airflow.models.dagbundle import DagBundleModel
from airflow.models.trigger import Trigger
from airflow.models.variable import Variable
from sqlalchemy.orm import Session, lazyload

engine = sa.create_engine(f"sqlite:///{path}")
Connection.metadata.create_all(engine, tables=[model.__table__ for model in (Connection, ConnectionTestRequest, Variable, Trigger)])
COLUMNS = {
    "connection": ("id", "conn_id", "password", "is_encrypted", "extra", "is_extra_encrypted"),
    "connection_test_request": ("id", "password", "is_encrypted", "extra", "is_extra_encrypted"),
    "variable": ("id", "val", "is_encrypted"),
    "trigger": ("id", "kwargs"),
}


def use(keys):
    os.environ["AIRFLOW__CORE__FERNET_KEY"] = ",".join(keys)
    crypto.get_fernet.cache_clear()


def insert(*models):
    with Session(engine) as session:
        session.add_all(models)
        session.commit()


def rows(model):
    """Return the encrypted columns, and the columns that mark them as encrypted."""
    columns = COLUMNS[model.__tablename__]
    stored = [{name: row[name] for name in columns} for row in recording.cells(path, model.__tablename__)]
    with Session(engine) as session:
        loaded = session.scalars(sa.select(model).options(lazyload("*")).order_by(model.id))
        read = [{name: getattr(row, name) for name in columns} for row in loaded]
    for number, row in enumerate(zip(stored, read, strict=True), 1):
        if model is ConnectionTestRequest:  # whose id is a UUID
            row[0]["id"] = row[1]["id"] = number
    return recording.rows(stored, read)


def returned(name, plaintext):
    token = recording.token(NEW, plaintext, "text")
    with engine.begin() as connection:
        connection.execute(sa.text(f"update connection set {name} = :token where id = 1"), {"token": token})
    with Session(engine) as session:
        result = recording.attempt(lambda: getattr(session.get(Connection, 1), name))
    return {"plaintext": plaintext, "form": "text", **result}


extra = json.dumps({"sslmode": "require", "key": "ключ"})
insert(
    Connection(conn_id="old", conn_type="postgres", password="Žluťoučký", extra=extra),
    Variable(key="old", val="東京 🔑"),
    Trigger(classpath="app.Trigger", kwargs={"delta": 60, "name": "ä"}),
    ConnectionTestRequest(
        id=uuid.UUID(int=1), token="1", connection_id="old", conn_type="http", password="Žluťoučký", extra=extra
    ),
)
use([NEW, OLD])
insert(
    Connection(conn_id="new", conn_type="http", password=recording.LONG, extra='{"timeout": 5}'),
    Connection(conn_id="none", conn_type="http", password=None, extra=None),
    Connection(conn_id="empty", conn_type="http", password="", extra=""),
    ConnectionTestRequest(id=uuid.UUID(int=2), token="2", connection_id="new", conn_type="http", password="new"),
    Variable(key="new", val='{"hosts": ["a", "b"]}'),
    Variable(key="empty", val=""),
)
use([])
insert(
    Connection(conn_id="plain", conn_type="http", password="plain", extra='{"plain": true}'),
    Variable(key="plain", val="plain"),
)
use([NEW, OLD])
tables = {model.__tablename__: rows(model) for model in (Connection, ConnectionTestRequest, Variable, Trigger)}
recording.write(
    made_by=recording.versions("apache-airflow-core", "SQLAlchemy", "cryptography"),
    sets=[
        {
            "settings": {"fernet_key": f"{NEW},{OLD}"},
            "keys": [NEW, OLD],
            "table": name,
            "rows": rows,
        }
        for name, rows in tables.items()
    ],
    returned={"password": [returned("password", "Zoë")], "extra": [returned("extra", '{"timeout":5}')]},
)
