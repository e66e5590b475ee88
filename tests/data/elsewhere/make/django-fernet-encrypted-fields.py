"""Print django-fernet-encrypted-fields.json: people as the fields of django-fernet-encrypted-fields write them.

    tests/data/elsewhere/make/run django-fernet-encrypted-fields
"""
# pip: Django==5.2.19 django-fernet-encrypted-fields==0.4.0 cryptography==50.0.2


import django
from django.conf import settings
from django.db import connection, models

import recording

SETS = [
    {"SECRET_KEY": "not a secret: tëst", "SALT_KEY": "sält of the tests"},
    {
        "SECRET_KEY": "not a secret: new",
        "SECRET_KEY_FALLBACKS": ["not a secret: old"],
        "SALT_KEY": ["new salt of the tests", "old salt of the tests"],
    },
]
path = recording.path()
databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": path}}
settings.configure(DATABASES=databases, USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", **SETS[0])
django.setup()

from encrypted_fields import fields  # reads the settings


class Person(models.Model):
    name = fields.EncryptedCharField(max_length=300, null=True)
    email = fields.EncryptedEmailField(null=True)
    note = fields.EncryptedTextField(null=True)
    age = fields.EncryptedIntegerField(null=True)
    score = fields.EncryptedFloatField(null=True)
    active = fields.EncryptedBooleanField(null=True)
    born = fields.EncryptedDateField(null=True)
    seen = fields.EncryptedDateTimeField(null=True)
    options = fields.EncryptedJSONField(null=True)

    class Meta:
        app_label = "app"
        db_table = "person"


FIELDS = {field.name: field for field in Person._meta.fields if field.name != "id"}
SEEN = recording.SEEN.replace(tzinfo=recording.UTC)


def use(values):
    settings.SECRET_KEY_FALLBACKS = []
    for name, value in values.items():
        setattr(settings, name, value)
    for field in FIELDS.values():
        for name in ("keys", "f"):
            field.__dict__.pop(name, None)


def people(values):
    """Return rows as the database file and as Django have them. The first is under the last of several keys."""
    Person.objects.all().delete()
    if "SECRET_KEY_FALLBACKS" in values:
        use({"SECRET_KEY": values["SECRET_KEY_FALLBACKS"][0], "SALT_KEY": values["SALT_KEY"][1:]})
    else:
        use(values)
    words = dict(name="Žluťoučký kůň", email="ada@example.org", note=recording.LONG)
    Person(id=1, **words, age=-42, score=-1.5e300, active=True, born=recording.BORN, seen=SEEN).save()
    use(values)
    Person(id=2, options={"password": "東京 🔑", "port": 465, "tags": ["a", None]}).save()
    # Values that are false in Python are stored as NULL.
    whole = SEEN.replace(microsecond=0)
    Person(id=3, name="東京 🔑", note="", age=0, score=0.0, active=False, seen=whole).save()
    stored = [
        {name: cell for name, cell in row.items() if name != "options"} for row in recording.cells(path, "person")
    ]
    read = Person.objects.order_by("id").values("id", *(name for name in FIELDS if name != "options"))
    return recording.rows(stored, read)


def foreign(name, number):
    stored = {"id": number, name: recording.cells(path, "person")[number - 1][name]}
    return {"stored": stored, "read": Person.objects.values("id", name).get(id=number)}


def returned(name, plaintext):
    token = recording.token(FIELDS[name].keys[0], plaintext, "text")
    with connection.cursor() as cursor:
        cursor.execute(f"update person set {name} = %s where id = 3", [token])
    result = recording.attempt(lambda: getattr(Person.objects.only(name).get(id=3), name))
    return {"plaintext": plaintext, "form": "text", **result}


with connection.schema_editor() as editor:
    editor.create_model(Person)
sets = [
    {"settings": values, "rows": people(values), "keys": [key.decode() for key in FIELDS["name"].keys]}
    for values in SETS
]
recording.write(
    made_by=recording.versions("Django", "django-fernet-encrypted-fields", "cryptography"),
    sets=sets,
    foreign=[foreign("options", 2)],
    returned={
        "note": [returned("note", "Zoë"), returned("note", "")],
        "age": [returned("age", "-7"), returned("age", "0")],
        "score": [returned("score", "0.1")],
        "active": [returned("active", text) for text in ("true", "false")],
        "born": [returned("born", "1815-12-10")],
        "seen": [returned("seen", "2026-11-23T15:49:38.500Z")],
    },
)
