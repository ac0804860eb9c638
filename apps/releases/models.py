from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.assets.models import Asset, AssetVersion, Blob
from apps.assets.paths import MAX_PATH_CHARACTERS
from apps.caching.models import CacheRuleVersion
from apps.releases.manifest import Redirect
from apps.releases.redirects import MAX_SOURCE_CHARACTERS, MAX_TARGET_CHARACTERS, STATUSES, typed_source


class Channel(models.Model):
    """What a set of host names serves. Its history is the list of its publications."""

    name = models.SlugField(max_length=40, unique=True)
    required_approvals = models.PositiveSmallIntegerField(default=1)
    clean_urls = models.BooleanField(default=False, help_text="Whether /about serves about.html.")
    not_found_page = models.CharField(
        max_length=MAX_PATH_CHARACTERS,
        default="404.html",
        blank=True,
        help_text="The path of the page that a 404 shows; empty for none.",
    )
    names_release = models.BooleanField(
        default=True, help_text="Whether answers carry Assetsite-Release and Assetsite-Rule."
    )
    early_hints = models.BooleanField(
        default=False, help_text="Whether a 103 names the parts of a page before the page is sent."
    )
    fingerprints = models.BooleanField(
        default=False, help_text="Whether pages are built to refer to files by fingerprinted names."
    )
    retention_days = models.PositiveSmallIntegerField(default=30)
    retention_publications = models.PositiveSmallIntegerField(default=20)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        default_permissions = ("view", "change")
        permissions = (("roll_back_channel", "Can roll a channel back"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(required_approvals__lte=3), name="channel_asks_for_at_most_3_approvals"
            ),
            models.CheckConstraint(
                condition=Q(retention_days__range=(1, 365), retention_publications__range=(1, 100)),
                name="channel_retains_names_for_a_while",
            ),
        )

    def __str__(self) -> str:
        return self.name


class ManifestFile(models.Model):
    """The newest file of something that is written as a manifest (see `apps.releases.manifest`)."""

    path_count = models.PositiveIntegerField()
    revision = models.PositiveIntegerField(default=1)
    file_name = models.CharField(max_length=200, help_text="Name in storage")
    file_sha256 = models.CharField(max_length=64)
    file_size_bytes = models.PositiveBigIntegerField()
    newest_representation = models.PositiveBigIntegerField(
        default=0, help_text="Id of the newest content coding that the file has taken into account."
    )

    class Meta:
        abstract = True


class Manifest(ManifestFile):
    """A built manifest: its digest, and the newest file that holds it.

    The digest is taken over canonical rows and never changes; content codings may be added later,
    which makes a new file of the next `revision`.
    """

    digest = models.CharField(primary_key=True, max_length=64)
    built_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.digest[:12]


class Release(models.Model):
    """A named set of changes on top of what a channel served when it was begun, its base."""

    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        IN_REVIEW = "in_review", "in review"
        APPROVED = "approved", "approved"
        PUBLISHED = "published", "published"
        SUPERSEDED = "superseded", "superseded"
        REJECTED = "rejected", "rejected"
        WITHDRAWN = "withdrawn", "withdrawn"

    title = models.CharField(max_length=200)
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="releases")
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    base = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    base_manifest = models.ForeignKey(
        Manifest, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    manifest = models.ForeignKey(
        Manifest, null=True, blank=True, on_delete=models.PROTECT, related_name="releases"
    )
    rules = models.ManyToManyField(CacheRuleVersion, related_name="releases")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="owned_releases",
        help_text="Who answers for it.",
    )
    expected_result = models.TextField(
        blank=True, help_text="What should be better afterwards, and how you will see it."
    )
    rollback_note = models.TextField(
        blank=True, help_text="When to roll back, whom to tell, and what else has to be undone."
    )
    route = models.CharField(max_length=500, blank=True, help_text="The URL or page that this is about.")
    expected_input = models.TextField(blank=True, help_text="What visitors or systems send there.")
    failing_command = models.TextField(
        blank=True, help_text="The slow query or failing command as it is now."
    )
    noticed_at = models.TextField(blank=True, help_text="The exact place where a user notices it.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    submitted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        default_permissions = ("view", "add", "change")
        permissions = (
            ("submit_release", "Can submit a release for review"),
            ("approve_release", "Can approve or reject a release"),
            ("publish_release", "Can publish a release"),
        )
        indexes = (
            models.Index(fields=("state", "-id"), name="release_by_state"),
            models.Index(fields=("owner", "-id"), name="release_by_owner"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    state__in=(
                        "draft",
                        "in_review",
                        "approved",
                        "published",
                        "superseded",
                        "rejected",
                        "withdrawn",
                    )
                ),
                name="release_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("draft", "withdrawn"))
                | (
                    Q(owner__isnull=False, manifest__isnull=False)
                    & ~Q(expected_result="")
                    & ~Q(rollback_note="")
                ),
                name="release_is_briefed_before_review",
            ),
        )

    def __str__(self) -> str:
        return f"{self.pk} {self.title}"

    @property
    def is_editable(self) -> bool:
        return self.state == self.State.DRAFT


class Change(models.Model):
    """One line of a release: a path gets a version (`put`) or disappears (`remove`)."""

    class Kind(models.TextChoices):
        PUT = "put", "put"
        REMOVE = "remove", "remove"

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="changes")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="changes")
    kind = models.CharField(max_length=6, choices=Kind)
    version = models.ForeignKey(
        AssetVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    replaced_blob = models.ForeignKey(
        Blob,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="What the base serves at this path; none where the path is new.",
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("release", "asset__path")
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("release", "asset"), name="one_change_a_path"),
            models.CheckConstraint(
                condition=Q(kind="put", version__isnull=False)
                | Q(kind="remove", version__isnull=True, replaced_blob__isnull=False),
                name="change_has_a_version_if_put",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.asset}"


class RedirectChange(models.Model):
    """One line of a release: a path that is not served leads elsewhere (`put`), or no longer does (`remove`).

    Source and target are as manifests keep them (see `apps.releases.redirects`).
    """

    class Kind(models.TextChoices):
        PUT = "put", "put"
        REMOVE = "remove", "remove"

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="redirect_changes")
    source = models.CharField(max_length=MAX_SOURCE_CHARACTERS, blank=True)
    kind = models.CharField(max_length=6, choices=Kind)
    target = models.CharField(max_length=MAX_TARGET_CHARACTERS, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("release", "source")
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("release", "source"), name="one_redirect_change_a_source"),
            models.CheckConstraint(
                # A status that is null would pass a check of its range.
                condition=Q(kind="put", status__isnull=False, status__in=STATUSES) & ~Q(target="")
                | Q(kind="remove", status__isnull=True, target=""),
                name="redirect_change_has_a_target_if_put",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {typed_source(self.source)}"

    @property
    def redirect(self) -> Redirect | None:
        """What the source leads to with this change, or None where it no longer leads anywhere."""
        return Redirect(self.source, self.target, self.status) if self.status else None


class Approval(models.Model):
    """A person's word that one manifest digest may go live. It says nothing about any other digest."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="approvals")
    manifest = models.ForeignKey(Manifest, on_delete=models.PROTECT, related_name="+")
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("release", "manifest", "approver"), name="one_approval_a_person"),
        )

    def __str__(self) -> str:
        return f"{self.approver} approves {self.manifest_id[:12]}"


class Publication(models.Model):
    """One entry of a channel's history, numbered from 1. Append-only (guards in migration 0002)."""

    class Kind(models.TextChoices):
        PUBLISH = "publish", "publish"
        ROLLBACK = "rollback", "roll back"

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="publications")
    sequence = models.PositiveIntegerField()
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="publications")
    manifest = models.ForeignKey(Manifest, on_delete=models.PROTECT, related_name="publications")
    kind = models.CharField(max_length=8, choices=Kind)
    returns_to = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)
    tag = models.CharField(max_length=80, unique=True)
    published_at = models.DateTimeField()

    class Meta:
        ordering = ("channel", "-sequence")
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("release", "channel", "sequence"), name="publication_by_release"),
            models.Index(fields=("channel", "published_at"), name="publication_by_time"),
        )
        constraints = (
            models.UniqueConstraint(fields=("channel", "sequence"), name="one_publication_a_number"),
            models.CheckConstraint(
                condition=Q(kind="publish", returns_to__isnull=True)
                | (Q(kind="rollback", returns_to__isnull=False) & ~Q(reason="")),
                name="rollback_names_its_goal_and_reason",
            ),
        )

    def __str__(self) -> str:
        return self.tag


class RetainedNames(ManifestFile):
    """The fingerprinted names that a channel served and serves no longer, but still answers for.

    Derived from its publications, so a row that is lost, or whose file is, is made again (see
    `apps.releases.services.retention`). Where no name is kept there is no file.
    """

    channel = models.OneToOneField(
        Channel, on_delete=models.CASCADE, primary_key=True, related_name="retained_names"
    )
    first_publication = models.PositiveIntegerField(
        default=0, help_text="Number of the earliest publication whose names are kept."
    )
    last_publication = models.PositiveIntegerField(
        default=0, help_text="Number of the publication that was live when the names were gathered."
    )
    oldest_publication = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Number of the publication that the oldest of the names were last live in.",
    )

    class Meta:
        verbose_name_plural = "retained names"
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                condition=Q(path_count=0, file_name="", oldest_publication__isnull=True)
                | (Q(path_count__gt=0, oldest_publication__isnull=False) & ~Q(file_name="")),
                name="retained_names_have_a_file",
            ),
        )

    def __str__(self) -> str:
        return f"names kept on {self.channel_id}"
