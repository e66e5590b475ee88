"""Print sqlalchemy-utils.json: people as the FernetEngine of SQLAlchemy-Utils writes them.

    tests/data/elsewhere/make/run sqlalchemy-utils
"""
# pip: SQLAlchemy-Utils==0.43.0 SQLAlchemy==2.0.58 python-dateutil==2.9.0.post0 cryptography==50.0.2

import datetime
import decimal
import warnings

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session, declarative_base
from sqlalchemy_utils import EncryptedType, JSONType, StringEncryptedType
from sqlalchemy_utils.types.encrypted.encrypted_type import AesEngine, FernetEngine

import recording

warnings.simplefilter("ignore")  # EncryptedType warns
SEEN = recording.SEEN


def person(key, bytes_type=EncryptedType):
    text = lambda of: StringEncryptedType(of, key, FernetEngine)
    of_bytes = lambda of: bytes_type(of, key, FernetEngine)

    class Person(declarative_base()):
        __tablename__ = "person"
        id = sa.Column(sa.BigInteger, primary_key=True)
        name = sa.Column(text(sa.Unicode))
        note = sa.Column(of_bytes(sa.Unicode))
        age = sa.Column(text(sa.Integer))
        score = sa.Column(text(sa.Float))
        active = sa.Column(text(sa.Boolean))
        born = sa.Column(text(sa.Date))
        seen = sa.Column(text(sa.DateTime))
        at = sa.Column(text(sa.Time))
        options = sa.Column(text(JSONType))
        # Values that only Python can read back, or not even Python.
        photo = sa.Column(text(sa.LargeBinary))
        price = sa.Column(text(sa.Numeric))
        other = sa.Column(StringEncryptedType(sa.Unicode, key, AesEngine, "pkcs5"))

    return Person


FOREIGN = ("photo", "price", "other")


def read(row):
    names = [column.name for column in row.__table__.columns if column.name not in FOREIGN]
    return recording.values({name: getattr(row, name) for name in names})


def people(key, name):
    Person = person(key)
    path = recording.path(name)
    engine = sa.create_engine(f"sqlite:///{path}")
    Person.metadata.create_all(engine)
    with Session(engine) as session:
        words = dict(name="Žluťoučký kůň", note="")
        facts = dict(age=-42, score=-1.5e300, active=True, born=recording.BORN, seen=SEEN, at=SEEN.time())
        options = {"password": "東京 🔑", "port": 465, "tags": ["a", None]}
        session.add(Person(id=1, **words, **facts, options=options))
        session.add(Person(id=2))
        whole = SEEN.replace(microsecond=0)
        facts = dict(age=0, score=0.0, active=False, seen=whole, at=datetime.time(15, 49), options=[])
        session.add(Person(id=3, name="", note=recording.LONG, **facts))
        foreign = dict(photo=b"\x00\xff", price=decimal.Decimal("1.50"), other="Zoë")
        session.add(Person(id=4, **foreign))
        session.commit()
    rows = recording.cells(path, "person")
    foreign = [{"stored": {"id": 4, name: rows[3][name]}} for name in FOREIGN]
    # With the dialect of PostgreSQL, JSON columns contain the output of repr().
    bound = Person.__table__.c.options.type.process_bind_param({"proxy": None}, postgresql.dialect())
    foreign.append({"stored": {"id": 5, "options": bound}})
    rows = [{name: cell for name, cell in row.items() if name not in FOREIGN} for row in rows[:3]]
    with Session(engine) as session:
        columns = sa.orm.load_only(*(getattr(Person, name) for name in rows[0]))
        loaded = session.scalars(sa.select(Person).where(Person.id < 4).options(columns).order_by(Person.id))
        rows = recording.rows(rows, [read(row) for row in loaded])
    column = Person.__table__.c.name.type
    column._update_key()
    keys = [column.engine.secret_key.decode()]
    settings = {"key": key} if isinstance(key, str) else {"key": key.decode(), "of": "bytes"}
    return {"settings": settings, "keys": keys, "rows": rows}, foreign, engine, Person


def attempt(model, name):
    with Session(engine) as session:
        return recording.attempt(lambda: session.scalar(sa.select(getattr(model, name)).where(model.id == 3)))


def returned(name, plaintext, form="text"):
    token = recording.token(sets[0]["keys"][0], plaintext, form)
    with engine.begin() as connection:
        connection.execute(sa.text(f"update person set {name} = :token where id = 3"), {"token": token})
    result = {"plaintext": plaintext, "form": form, **attempt(Person, name)}
    return result | {"documented": attempt(Reader, name)["read"]} if form == "bytes" else result


first, foreign, engine, Person = people("not a secret: tëst", "first")
second, *_ = people(b"not a secret: bytes", "second")
sets = [first, second]
scope = {}
exec(recording.snippet("SQLAlchemy-Utils"), scope)
Reader = person(first["settings"]["key"], bytes_type=scope["EitherForm"])

recording.write(
    made_by=recording.versions("SQLAlchemy", "SQLAlchemy-Utils", "python-dateutil", "cryptography"),
    sets=sets,
    foreign=foreign,
    returned={
        "name": [returned("name", "Zoë")],
        "note": [returned("note", "Zoë", "bytes")],
        "age": [returned("age", "-7")],
        "score": [returned("score", "0.1")],
        "active": [returned("active", text) for text in ("true", "false")],
        "born": [returned("born", "1815-12-10")],
        "seen": [returned("seen", "2026-11-23T15:49:38.500")],
        "at": [returned("at", "15:49:38.500")],
        "options": [returned("options", '{"port":465,"tags":["ä",null]}')],
    },
)
