"""Nobody is staff by a flag alone.

By itself: PostgreSQL does not alter a table in the transaction that has just written to it under deferred triggers.
"""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_flags_follow_the_role")]

    operations = [
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=Q(is_staff=False) | Q(role__in=("manager", "admin")), name="user_staff_has_staff_role"
            ),
        ),
    ]
