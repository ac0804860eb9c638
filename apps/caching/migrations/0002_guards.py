from django.db import migrations

from apps.audit.guards import append_only


class Migration(migrations.Migration):
    dependencies = [("caching", "0001_initial"), ("audit", "0002_guards")]

    operations = append_only("caching_cacheruleversion")
