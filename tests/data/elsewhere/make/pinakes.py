"""Print pinakes.json: settings of notifications as the Django field of Pinakes writes them.

Pinakes is not on PyPI. The field is taken from a checkout, https://github.com/ansible/pinakes at commit 98490d09cd9b:

    PINAKES=/path/to/pinakes tests/data/elsewhere/make/run pinakes
"""
# pip: Django==3.2.25 cryptography==50.0.2

import importlib.util
import os

import django
from django.conf import settings
from django.db import connection, models

import recording

OLD, NEW = recording.key("old"), recording.key("new")
path = recording.path()
databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": path}}
settings.configure(DATABASES=databases, DB_ENCRYPTION_KEYS=[OLD])
django.setup()

source = os.path.join(os.environ["PINAKES"], "pinakes/common/models/fields.py")
spec = importlib.util.spec_from_file_location("fields", source)
fields = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fields)


class NotificationSetting(models.Model):
    id = models.BigAutoField(primary_key=True)
    settings = fields.EncryptedJsonField(null=True)

    class Meta:
        app_label = "main"
        db_table = "main_notificationsetting"


def use(keys):
    settings.DB_ENCRYPTION_KEYS = keys
    fields.fernet.cache_clear()


def foreign(value):
    NotificationSetting.objects.all().delete()
    NotificationSetting(id=1, settings=value).save()
    return {"stored": recording.cells(path, "main_notificationsetting")[0]}


with connection.schema_editor() as editor:
    editor.create_model(NotificationSetting)
values = [
    {"host": "mail.example.org", "port": 465, "password": "Žluťoučký 東京 🔑", "secure": True, "proxy": None},
    {},
    None,
    {"body": recording.LONG, "tags": ["a", "ä", -1.5e300]},
    "",
    0,
]
for number, value in enumerate(values, 1):
    use([OLD] if number < 4 else [NEW, OLD])
    NotificationSetting(id=number, settings=value).save()
stored = recording.cells(path, "main_notificationsetting")
read = list(NotificationSetting.objects.order_by("id").values())

written = '{"password":"Žluťoučký","port":465}'
token = recording.token(NEW, written, "text")
with connection.cursor() as cursor:
    cursor.execute("update main_notificationsetting set settings = %s where id = 1", [token])
returned = {"plaintext": written, "form": "text"}
returned |= recording.attempt(lambda: NotificationSetting.objects.get(id=1).settings)

recording.write(
    made_by=recording.versions("Django", "cryptography") | {"ansible/pinakes": "98490d09cd9b"},
    sets=[
        {
            "settings": {"PINAKES_DB_ENCRYPTION_KEYS": f"{NEW}:{OLD}"},
            "keys": [NEW, OLD],
            "rows": recording.rows(stored, read),
        }
    ],
    foreign=[foreign({"ratio": float("nan")})],
    returned={"settings": [returned]},
)
