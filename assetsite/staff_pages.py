from django.contrib.admin.apps import AdminConfig


class StaffPagesConfig(AdminConfig):
    """Django's admin, with a start page of ours (assetsite.admin)."""

    default_site = "assetsite.admin.StaffPages"
