"""Print django-fernet-fields.json: people as the fields of django-fernet-fields write them.

    tests/data/elsewhere/make/run django-fernet-fields
"""
# pip: Django==3.2.25 django-fernet-fields==0.6 cryptography==50.0.2 psycopg2-binary==2.9.13


import django
from django.conf import settings
from django.db import connection, connections, models

import recording

OLD, NEW = recording.key("old"), recording.key("new")
SETS = [
    {"SECRET_KEY": "not a secret: tëst"},
    {"SECRET_KEY": "unused", "FERNET_KEYS": ["not a secret: new", "not a secret: old"]},
    {"SECRET_KEY": "unused", "FERNET_KEYS": [NEW, OLD], "FERNET_USE_HKDF": False},
]
path = recording.path()
databases = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": path},
    "postgresql": {"ENGINE": "django.db.backends.postgresql", "NAME": "not connected to"},
}
settings.configure(DATABASES=databases, USE_TZ=True, TIME_ZONE="UTC", **SETS[0])
django.setup()

import fernet_fields  # reads the settings


class Person(models.Model):
    id = models.BigAutoField(primary_key=True)
    name = fernet_fields.EncryptedCharField(max_length=300, null=True)
    email = fernet_fields.EncryptedEmailField(null=True)
    note = fernet_fields.EncryptedTextField(null=True)
    age = fernet_fields.EncryptedIntegerField(null=True)
    born = fernet_fields.EncryptedDateField(null=True)
    seen = fernet_fields.EncryptedDateTimeField(null=True)

    class Meta:
        app_label = "app"
        db_table = "person"


FIELDS = {field.name: field for field in Person._meta.fields if field.name != "id"}
SEEN = recording.SEEN.replace(tzinfo=recording.UTC)


def use(values):
    for name in ("FERNET_KEYS", "FERNET_USE_HKDF"):
        if name in values:
            setattr(settings, name, values[name])
        elif hasattr(settings, name):
            delattr(settings, name)
    settings.SECRET_KEY = values["SECRET_KEY"]
    for field in FIELDS.values():
        for name in ("keys", "fernet_keys", "fernet"):
            field.__dict__.pop(name, None)


def person(number):
    facts = dict(age=-42, born=recording.BORN, seen=SEEN)
    return Person(id=number, name="Žluťoučký kůň", email="ada@example.org", note="", **facts)


def people(values):
    """Return rows as the database file and as Django have them. The first is under the old key, if there is one."""
    Person.objects.all().delete()
    keys = values.get("FERNET_KEYS")
    use({**values, "FERNET_KEYS": keys[1:]} if keys else values)
    person(1).save()
    use(values)
    Person(id=2).save()
    whole = SEEN.replace(microsecond=0)
    Person(id=3, name="東京 🔑", email="zoë@example.org", note=recording.LONG, age=0, seen=whole).save()
    return recording.rows(recording.cells(path, "person"), Person.objects.order_by("id").values())


def derived():
    return [key.decode() if isinstance(key, bytes) else key for key in FIELDS["name"].fernet_keys]


def on_postgresql():
    """Return what Django sends to PostgreSQL and reads from there. It adapts times differently."""
    row, connection = person(1), connections["postgresql"]
    stored, read = {"id": row.id}, {"id": row.id}
    for name, field in FIELDS.items():
        cell = bytes(field.get_db_prep_save(getattr(row, name), connection).adapted)
        stored[name] = recording.cell(cell)
        read[name] = field.from_db_value(cell, None, connection)
    return recording.rows([stored], [read])


def returned(name, plaintext, form="bytes"):
    token = recording.token(derived()[0], plaintext, form)
    with connection.cursor() as cursor:
        cursor.execute(f"update person set {name} = %s where id = 3", [token])
    read = lambda model: recording.attempt(lambda: getattr(model.objects.only(name).get(id=3), name))
    return {"plaintext": plaintext, "form": form, **read(Person), "documented": read(Reader)["read"]}


with connection.schema_editor() as editor:
    editor.create_model(Person)
sets = [{"settings": values, "rows": people(values), "keys": derived()} for values in SETS]
people(SETS[0])
sets.append({"settings": SETS[0], "database": "postgresql", "keys": derived(), "rows": on_postgresql()})

scope = {}
exec(recording.snippet("django-fernet-fields"), scope)


class Reader(models.Model):
    """Return the same table with the documented mixin, which also reads raw tokens."""

    id = models.BigAutoField(primary_key=True)
    note = scope["EncryptedTextField"](null=True)
    age = type("AgeField", (scope["EitherForm"], fernet_fields.EncryptedIntegerField), {})(null=True)
    born = type("BornField", (scope["EitherForm"], fernet_fields.EncryptedDateField), {})(null=True)
    seen = type("SeenField", (scope["EitherForm"], fernet_fields.EncryptedDateTimeField), {})(null=True)

    class Meta:
        app_label = "app"
        db_table = "person"


recording.write(
    made_by=recording.versions("Django", "django-fernet-fields", "cryptography", "psycopg2-binary"),
    sets=sets,
    returned={
        "note": [returned("note", "Zoë")],
        "age": [returned("age", "-7")],
        "born": [returned("born", "1815-12-10")],
        "seen": [returned("seen", moment) for moment in ("2026-11-23T15:49:38.500Z", "2026-11-23T15:49:38.500")],
    },
)
