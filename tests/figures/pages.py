"""Load every page of releases and channels on a large site: what each takes, and how many queries."""

import statistics
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

ROUNDS = 5
ADMIN = "/admin/"
RELEASES = f"{ADMIN}releases/release/"
CHANNELS = f"{ADMIN}releases/channel/"


def pages(channel: Any) -> Iterator[dict[str, object]]:
    """Load every page as an administrator; yield its seconds, of these the CPU's, and its queries."""
    from django.db import connection  # noqa: PLC0415 - Django is set up by now
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    from apps.accounts.selectors import acting_user  # noqa: PLC0415
    from tests.figures.measure import timed  # noqa: PLC0415
    from tests.staff import staff_client  # noqa: PLC0415

    client = staff_client(acting_user(None))
    for name, address in addresses(channel):
        first = time.perf_counter()
        answer = client.get(address)
        first = time.perf_counter() - first
        assert answer.status_code == 200, (name, address, answer.status_code)
        rounds = [timed(name, lambda: client.get(address)) for _ in range(ROUNDS)]  # noqa: B023
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        yield {
            "page": name,
            "first": first,
            "median": statistics.median(seconds for _, seconds, _ in rounds),
            "busy": statistics.median(busy or 0 for _, _, busy in rounds),
            "queries": len(queries),
        }


def addresses(channel: Any) -> Iterator[tuple[str, str]]:
    """Yield each page with its address, after drafts were made that some of them are of."""
    from apps.accounts.selectors import acting_user  # noqa: PLC0415
    from apps.releases.models import Release  # noqa: PLC0415
    from apps.releases.services import previews, review  # noqa: PLC0415
    from tests.figures.measure import drafted  # noqa: PLC0415

    def titled(title: str) -> Release:
        found = Release.objects.filter(title=title).last()
        assert found, title
        return found

    wide, small, behind = titled("10,000 changes"), titled("100 changes"), titled("Behind")
    draft, approved = drafted(channel, 5_000, 11, "Open"), drafted(channel, 100, 13, "Approved")
    review.submit(release=approved, actor=acting_user(None))
    previews.open_preview(release=approved, actor=acting_user(None))
    yield "start", ADMIN
    yield from lists(Release.objects.count())
    yield from of_releases(draft.pk, wide.pk, approved.pk, behind.pk)
    yield from of_channel(channel)
    yield from comparisons(draft.pk, wide.pk, small.pk, f"{wide.pk}/base")


def lists(count: int) -> Iterator[tuple[str, str]]:
    from tests.figures.seed import path_of  # noqa: PLC0415

    yield "list of releases", RELEASES
    yield "list of releases, by state", f"{RELEASES}?state__exact=draft"
    yield "list of releases, searched", f"{RELEASES}?q=Small"
    yield "list of releases, last page", f"{RELEASES}?p={count // 50}"
    yield "list of channels", CHANNELS
    yield "audit log", f"{ADMIN}audit/auditentry/"
    yield "list of webhooks", f"{ADMIN}notifications/webhook/"
    yield "stop of all channels", f"{CHANNELS}stop/"
    yield "new channel", f"{CHANNELS}new/"
    yield "trace of an address", f"{RELEASES}trace/?{urlencode({'url': '/' + path_of(4711)})}"
    yield "list of cache rules", f"{ADMIN}caching/cacherule/"


def of_releases(draft: int, wide: int, approved: int, behind: int) -> Iterator[tuple[str, str]]:
    from apps.releases.models import Change, Release  # noqa: PLC0415

    change = Change.objects.filter(release=draft).latest("pk").pk
    clash = Release.objects.get(title="Meanwhile").changes.select_related("asset").latest("pk").asset.path
    yield "release with 10,000 changes, that was live", f"{RELEASES}{wide}/change/"
    yield "release with 5,000 changes, a draft", f"{RELEASES}{draft}/change/"
    yield "release with 10,000 changes, behind its channel", f"{RELEASES}{behind}/change/"
    yield "release with 100 changes, approved", f"{RELEASES}{approved}/change/"
    yield "one change of 5,000", f"{RELEASES}{draft}/changes/{change}/"
    yield "publish", f"{RELEASES}{approved}/publish/"
    yield "schedule", f"{RELEASES}{approved}/schedule/"
    yield "conflicts", f"{RELEASES}{behind}/conflicts/"
    yield "one conflict", f"{RELEASES}{behind}/conflicts/one/?{urlencode({'name': clash})}"
    yield "split of 5,000 changes", f"{RELEASES}{draft}/split/"
    yield "combine", f"{RELEASES}{draft}/combine/"
    yield "combine 5,000 changes with 10,000", f"{RELEASES}{draft}/combine/?with={behind}"
    yield "revert of 10,000 changes", f"{RELEASES}{wide}/revert/"
    yield "report of a release", f"{RELEASES}{wide}/report/"
    yield "findings", f"{RELEASES}{wide}/findings/"
    yield "history of a release", f"{RELEASES}{wide}/history/"


def of_channel(channel: Any) -> Iterator[tuple[str, str]]:
    from apps.releases.models import Publication  # noqa: PLC0415

    page = f"{CHANNELS}{channel.pk}/"
    published = Publication.objects.filter(channel=channel)
    live, wide = published.latest("sequence"), published.get(release__title="10,000 changes")
    yield "channel", f"{page}change/"
    yield "channel, oldest publications", f"{page}change/?page=1000000"
    yield "history of a channel", f"{page}history/"
    yield "roll back to the publication before", f"{page}roll-back/{live.sequence - 1}/"
    yield "roll back by 10,000 changes", f"{page}roll-back/{wide.sequence}/"
    yield "roll back by all paths", f"{page}roll-back/1/"
    yield "receipt of 10,000 changes", f"{page}receipt/{wide.sequence}/"
    yield "promote", f"{page}promote/"


def comparisons(draft: int, wide: int, small: int, base: str) -> Iterator[tuple[str, str]]:
    def compared(old: object, new: object, **more: str) -> str:
        return f"{RELEASES}compare/?{urlencode({'old': old, 'new': new} | more)}"

    yield "comparison by 10,000 changes", compared(base, wide)
    yield "comparison by 10,000 changes, only added", compared(base, wide, kind="added")
    yield "comparison by 10,000 changes, only images", compared(base, wide, type="image")
    yield "comparison never made before", compared(small, wide)
    yield "comparison never made before, only added", compared(small, wide, kind="added")
    yield "comparison of everything with nothing", compared("nothing", "production")
    yield "comparison with a draft of 5,000 changes", compared("production", draft)
