"""Take away flags and rights that contradict the role: the next migration forbids them."""

from django.db import migrations

STAFF = ("manager", "admin")


def take_away(apps, schema_editor):
    users = apps.get_model("accounts", "User").objects.using(schema_editor.connection.alias).exclude(role__in=STAFF)
    for user in users.filter(is_staff=True):
        user.groups.clear()
        user.user_permissions.clear()
        users.filter(pk=user.pk).update(is_staff=False)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.RunPython(take_away, migrations.RunPython.noop, elidable=True)]
