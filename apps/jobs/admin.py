from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import ActionLocation
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from apps.accounts.permissions import who_may
from apps.accounts.staff_pages import ReadByPages, actor_of
from apps.jobs import services
from apps.jobs.models import Job
from apps.jobs.registry import kinds
from apps.refusals import Refusal

_ICONS = {
    Job.State.QUEUED: "◷",
    Job.State.RUNNING: "▶",
    Job.State.SUCCEEDED: "✓",
    Job.State.FAILED: "✕",
}
_RETRY = "jobs.retry_job"


class KindFilter(admin.SimpleListFilter):
    """The kinds that have a handler; asking the table for its own would read all of it."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(kind, kind) for kind in kinds()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Job)
class JobAdmin(ReadByPages, admin.ModelAdmin[Job]):
    """What the background worker has done and has to do: to read, and to run again what failed."""

    list_display = ("shown_state", "kind", "key", "attempts", "age", "duration")
    list_display_links = ("key",)
    list_filter = ("state", KindFilter)
    search_fields = ("key__startswith",)
    search_help_text = "The beginning of a key"
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-queued_at", "-id")
    nothing_yet = (
        "No job yet. Imports and publications queue some by themselves, and `scripts/run` does them."
    )
    actions = ("run_again",)
    fields = (
        "shown_state",
        "next_step",
        "shown_error",
        "shown_log",
        "kind",
        "key",
        "payload",
        "attempts",
        "queued_at",
        "started_at",
        "heartbeat_at",
        "finished_at",
        "duration",
    )

    class Media:
        css = {"all": ("jobs/jobs.css",)}  # noqa: RUF012 - the form in which Django asks for it

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(_RETRY)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return super().get_queryset(request).defer("payload", "log", "error")

    @admin.action(
        permissions=["retry"],
        description="Run again",
        location=[ActionLocation.CHANGE_LIST, ActionLocation.CHANGE_FORM],
    )
    def run_again(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Queue the chosen jobs again; say of each that cannot be why."""
        queued = []
        for job in queryset:
            try:
                queued.append(str(services.retry(job=job, actor=actor_of(request))))
            except Refusal as refusal:
                messages.error(request, str(refusal))
        if queued:
            messages.success(request, f"Queued again: {', '.join(queued)}.")

    @admin.display(description="state", ordering="state")
    def shown_state(self, job: Job) -> SafeString:
        return format_html(
            '<span class="state state-{}"><span aria-hidden="true">{}</span> {}</span>',
            job.state,
            _ICONS[Job.State(job.state)],
            job.state,
        )

    @admin.display(description="next step")
    def next_step(self, job: Job) -> str:
        return {
            Job.State.QUEUED: "A worker takes it as soon as it is free.",
            Job.State.RUNNING: "If its worker dies, another one takes it over within two minutes.",
            Job.State.SUCCEEDED: "Nothing.",
            Job.State.FAILED: f"When its cause is mended, it can be run again by {who_may(_RETRY)}.",
        }[Job.State(job.state)]

    @admin.display(description="error")
    def shown_error(self, job: Job) -> SafeString | None:
        return format_html('<pre class="job-text">{}</pre>', job.error) if job.error else None

    @admin.display(description="log")
    def shown_log(self, job: Job) -> SafeString | None:
        return format_html('<pre class="job-text">{}</pre>', job.log) if job.log else None

    @admin.display(description="queued", ordering="queued_at")
    def age(self, job: Job) -> SafeString:
        return _ago(job.queued_at)

    @admin.display(description="took")
    def duration(self, job: Job) -> str | None:
        if job.started_at is None or job.state == Job.State.QUEUED:
            return None
        taken = (job.finished_at or timezone.now()) - job.started_at
        return f"{in_words(taken)} so far" if job.state == Job.State.RUNNING else in_words(taken)


def in_words(duration: timedelta) -> str:
    """Return a duration as people say it: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    seconds = max(duration.total_seconds(), 0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if not minutes:
        return f"{seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def _ago(at: datetime) -> SafeString:
    words = "just now" if timezone.now() - at < timedelta(minutes=1) else f"{timesince(at, depth=1)} ago"
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(timespec="seconds"),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        words,
    )
