from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.timezone import localtime

from apps.accounts.command_line import SubcommandsCommand
from apps.accounts.selectors import user_named
from apps.releases.comparison import visible
from apps.releases.findings import KINDS, FindingList, Lint, State, lint_of
from apps.releases.headlines import counted
from apps.releases.manifest import diff, diff_redirects
from apps.releases.models import Publication, Release
from apps.releases.redirects import STATUSES, USUAL_STATUS
from apps.releases.reports import (
    DifferenceReport,
    RedirectDifferenceReport,
    difference_report,
    finding_report,
    name_report,
    publication_report,
    redirect_difference_report,
    release_details,
    release_report,
)
from apps.releases.selectors import (
    channel_named,
    manifest_reader_of,
    release_numbered,
    releases_newest_first,
)
from apps.releases.services import drafts, publishing, redirects, review

TEXT_FIELDS = tuple(name for name in drafts.BRIEF_FIELDS if name != "owner")
_SIGNS = {"added": "+", "changed": "~", "removed": "-", "headers": "h", "following": "f"}
_SIGNS |= {f"redirect_{kind}": sign for kind, sign in tuple(_SIGNS.items())}


_NOTHING_FOUND = {
    State.NOT_BUILT: "Findings: none yet; references are looked at when it is submitted",
    State.NOT_CHECKED: "Findings: references were not looked at (see `channel set --fingerprints`)",
    State.CHECKED: "Findings: none",
    State.UNREADABLE: "Findings: unknown, since storage lacks its manifest; restore it from a backup",
}


class Command(SubcommandsCommand):
    help = "List, review, publish and roll back releases."

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        listing = add("list", self.list_releases, help="show the newest releases")
        listing.add_argument("--state", choices=Release.State.values, help="only releases in this state")
        listing.add_argument("--limit", type=int, default=20, help="how many at most (default: %(default)s)")
        self._with_number(add("show", self.show, help="show one release"))
        findings = self._with_number(add("findings", self.findings, help="list what its build found wrong"))
        findings.add_argument(
            "--kind", choices=KINDS, metavar="KIND", help=f"only of a kind: {', '.join(KINDS)}"
        )
        findings.add_argument("--new", action="store_true", help="only what the base did not have")
        findings.add_argument(
            "--below", default="", metavar="PREFIX", help="only in paths that begin with this"
        )
        names = self._with_number(add("names", self.names, help="list the fingerprinted names of its files"))
        names.add_argument(
            "below", nargs="?", default="", metavar="PREFIX", help="only paths that begin with this"
        )
        edit = self._with_number(add("edit", self.edit, help="fill in or change a draft's brief"))
        edit.add_argument("--owner", metavar="USER", help="who answers for it")
        for name in TEXT_FIELDS:
            edit.add_argument(f"--{name.replace('_', '-')}", metavar="TEXT")
        redirect = self._with_number(
            add("redirect", self.redirect, help="let a path of a draft lead elsewhere")
        )
        redirect.add_argument("source", help="/old, or /old/* for everything below")
        redirect.add_argument("target", nargs="?", help="/new, /new/:splat or https://…")
        redirect.add_argument("--status", type=int, choices=STATUSES, help=f"default: {USUAL_STATUS}")
        redirect.add_argument("--remove", action="store_true", help="let it lead nowhere any more")
        self._with_number(add("submit", self.submit, help="build a draft and hand it in for review"))
        approve = self._with_number(add("approve", self.approve, help="approve what is in review"))
        approve.add_argument("--digest", help="refuse unless the release still has this digest")
        reject = self._with_number(add("reject", self.reject, help="turn a release down"))
        reject.add_argument("--reason", required=True)
        self._with_number(add("reopen", self.reopen, help="take a release back to draft"))
        self._with_number(add("withdraw", self.withdraw, help="give a release up"))
        publish = self._with_number(add("publish", self.publish, help="make an approved release live"))
        publish.add_argument("--channel", help="refuse unless this is the release's channel")
        rollback = add("rollback", self.rollback, help="serve again what an earlier publication served")
        rollback.add_argument("--channel", default="production", help="default: %(default)s")
        rollback.add_argument("--to", type=int, metavar="PUBLICATION", help="default: what was served before")
        rollback.add_argument("--reason", required=True)
        compare = add("diff", self.diff, help="list the paths in which two releases differ")
        compare.add_argument("old", type=int)
        compare.add_argument("new", type=int)

    def list_releases(self, *, state: str | None, limit: int, **options: Any) -> object:
        reports = [release_report(release) for release in releases_newest_first(state=state)[: max(limit, 0)]]
        for report in reports:
            number, state, channel = report["release"], report["state"], report["channel"]
            self.say(f"{number:>6}  {state:<10}  {channel:<12}  {report['title']}")
        if not reports:
            self.say("No release yet: `scripts/manage import FOLDER --title …` makes one.")
        return reports

    def show(self, *, number: int, **options: Any) -> object:
        release = release_numbered(number)
        report = release_details(release)
        self.say(f"Release {number} · {release.title}")
        self.say(f"  {release.get_state_display()}, for channel {report['channel']}")
        self.say(f"  Owner: {report['owner'] or '—'}\n  Digest: {report['digest'] or 'not built yet'}")
        self.say(f"  Expected result: {release.expected_result or '—'}")
        self.say(f"  Rollback note: {release.rollback_note or '—'}")
        self.say(f"  {report['added']} added, {report['changed']} changed, {report['removed']} removed")
        for row in report["redirects"]:
            leads = f"{row['target']} ({row['status']})" if row["target"] else "nowhere any more"
            shadowed = ", shadowed by a file" if row["shadowed"] else ""
            self.say(f"  {_SIGNS[row['kind']]} {row['source']} → {leads}{shadowed}")
        self._say_findings(release, lint_of(release))
        for approval in report["approvals"]:
            of = "" if approval["holds"] else " (an earlier digest)"
            self.say(f"  Approved by {approval['approver']}{of}")
        self.say(f"  {settings.STAFF_URL}/admin/releases/release/{number}/change/")
        return report

    def findings(self, *, number: int, kind: str | None, new: bool, below: str, **options: Any) -> object:
        release = release_numbered(number)
        found = list(FindingList(release, kind=kind or "", is_new_only=new, prefix=below))
        lint = lint_of(release)
        for judged in found:
            self.say(f"{'+' if judged.is_new and lint.is_compared else ' '} {judged.path} {judged.words}")
        if not found:
            self.say("No finding fits." if lint.total else _NOTHING_FOUND[lint.state])
        return [finding_report(judged, is_compared=lint.is_compared) for judged in found]

    def names(self, *, number: int, below: str, **options: Any) -> object:
        reader = manifest_reader_of(release_numbered(number))
        reports = [
            name_report(entry, is_rewritten=reader.original_of(entry.path) is not None)
            for entry in reader.entries(prefix=below)
        ]
        for report in reports:
            rewritten = ", rewritten" if report["rewritten"] else ""
            self.say(f"{visible(report['path'])} → {visible(report['name'] or 'no other name')}{rewritten}")
        return reports

    def edit(self, *, number: int, owner: str | None, **options: Any) -> object:
        fields: dict[str, object] = {
            name: options[name] for name in TEXT_FIELDS if options.get(name) is not None
        }
        if owner is not None:
            fields["owner"] = user_named(owner)
        release = release_numbered(number)
        drafts.edit_release(release=release, actor=self.actor(options), **fields)
        self.say(f"Release {number}: {', '.join(fields).replace('_', ' ') or 'nothing'} saved.")
        return release_details(release_numbered(number))

    def redirect(
        self,
        *,
        number: int,
        source: str,
        target: str | None,
        status: int | None,
        remove: bool,
        **options: Any,
    ) -> object:
        if remove == (target is not None) or (remove and status is not None):
            raise CommandError("Name a target, or --remove and nothing else.", returncode=2)
        release, actor = release_numbered(number), self.actor(options)
        if target is None:
            redirects.remove_redirect(release=release, source=source, actor=actor)
            self.say(f"{source} leads nowhere with release {number}.")
        else:
            put = redirects.put_redirect(
                release=release, source=source, target=target, status=status or USUAL_STATUS, actor=actor
            )
            self.say(f"{source} leads to {put.target} ({put.status}) with release {number}.")
        return release_details(release_numbered(number))

    def submit(self, *, number: int, **options: Any) -> object:
        release = review.submit(release=release_numbered(number), actor=self.actor(options))
        report = self._say_state(release)
        self._say_findings(release, lint_of(release))
        return report

    def approve(self, *, number: int, digest: str | None, **options: Any) -> object:
        release = release_numbered(number)
        wanted = (digest or release.manifest_id or "").removeprefix("sha256:")
        review.approve(release=release, digest=wanted, actor=self.actor(options))
        return self._say_state(release_numbered(number))

    def reject(self, *, number: int, reason: str, **options: Any) -> object:
        release = review.reject(release=release_numbered(number), reason=reason, actor=self.actor(options))
        return self._say_state(release)

    def reopen(self, *, number: int, **options: Any) -> object:
        return self._say_state(review.reopen(release=release_numbered(number), actor=self.actor(options)))

    def withdraw(self, *, number: int, **options: Any) -> object:
        return self._say_state(review.withdraw(release=release_numbered(number), actor=self.actor(options)))

    def publish(self, *, number: int, channel: str | None, **options: Any) -> object:
        release = release_numbered(number)
        if channel:
            publishing.refuse_other_channel(release, channel_named(channel))
        return self._say_live(publishing.publish(release=release, actor=self.actor(options)))

    def rollback(self, *, channel: str, to: int | None, reason: str, **options: Any) -> object:
        publication = publishing.roll_back(
            channel=channel_named(channel), to=to, reason=reason, actor=self.actor(options)
        )
        return self._say_live(publication)

    def diff(self, *, old: int, new: int, **options: Any) -> object:
        before, after = (manifest_reader_of(release_numbered(number)) for number in (old, new))
        reports: list[DifferenceReport | RedirectDifferenceReport] = [
            *map(difference_report, diff(before, after)),
            *map(redirect_difference_report, diff_redirects(before, after)),
        ]
        for report in reports:
            self.say(f"{_SIGNS[report['kind']]} {report['path']}{_leads(report)}")
        if not reports:
            self.say(f"Releases {old} and {new} serve the same.")
        return reports

    def _say_findings(self, release: Release, lint: Lint) -> None:
        if not lint.total:
            self.say(f"  {_NOTHING_FOUND[lint.state]}")
            return
        counts = f"{lint.new} new, {lint.total} in all" if lint.is_compared else f"{lint.total}"
        mended = f", {lint.mended} mended" if lint.mended and lint.is_compared else ""
        self.say(f"  Findings: {counts}{mended}")
        for each in lint.new_kinds:
            for sample in each.samples:
                others = f" {counted(sample.others, 'other file')} as well." if sample.others else ""
                self.say(f"    {sample.judged.path} {sample.judged.words}{others}")
            if each.unnamed:
                self.say(f"    and {each.unnamed} more of the kind {each.name}")
        self.say(f"    All: scripts/manage release findings {release.pk}")

    def _with_number(self, parser: CommandParser) -> CommandParser:
        parser.add_argument("number", type=int, metavar="N", help="the release's number")
        return parser

    def _say_state(self, release: Release) -> object:
        self.say(f"Release {release.pk} is {release.get_state_display()}.")
        return release_details(release)

    def _say_live(self, publication: Publication) -> object:
        at = f"{localtime(publication.published_at):%Y-%m-%d %H:%M:%S %Z}"
        self.say(
            f"{publication.channel} serves release {publication.release_id} since {at}, "
            f"as publication {publication.sequence} ({publication.tag})."
        )
        return publication_report(publication)


def _leads(report: DifferenceReport | RedirectDifferenceReport) -> str:
    """Return where a redirect leads, to follow its path; nothing for a file."""
    target = report.get("new_target")
    return f" → {target} ({report.get('new_status')})" if target else ""
