"""The rules that ship with a site's first release, as data. docs/cache-rules.md explains the choices."""

from apps.caching.evaluation import PREVIEW
from apps.caching.rules import Bypass, BypassKind, Example, Match, Policy, RuleContent

_MINUTE, _DAY, _YEAR = 60, 86_400, 31_536_000

_PREVIEW = Bypass(BypassKind.PREVIEW, PREVIEW.name, PREVIEW.reason)

PAGES = RuleContent(
    name="Pages",
    order=100,
    description=(
        "Pages name the other files of a release, so a visitor must never see an old one once a release "
        "is published or rolled back. Asking costs little: an unchanged page is answered with 304 and no "
        "body. Pages are trusted to run their scripts, because the whole host is this site's own and no "
        "staff session exists on it."
    ),
    match=Match(media_types=("text/html", "application/xhtml+xml")),
    policy=Policy(browser_ttl_seconds=0, must_revalidate=True, is_trusted_active_content=True),
    bypass_conditions=(_PREVIEW,),
    examples=(
        Example(url="/", rule="pages", is_cached=False, browser_ttl_seconds=0, shared_ttl_seconds=0),
        Example(url="/about.html", rule="pages", is_cached=False),
        Example(url="/about.3f2a9c41.html", rule="pages", is_cached=False),
        Example(url="/css/site.css", rule="everything", is_cached=True),
        Example(url="http://preview/", rule="pages", is_cached=False),
    ),
    expected_result=(
        "A publication or a rollback shows at the next request for a page. On a page that was seen "
        "before, most answers are 304."
    ),
    rollback_note=(
        "Go back to the version before if pages stay old after a publication, or if the origin gets more "
        "requests for pages than it can answer. No cache has to be emptied: each asks before it answers."
    ),
)

FINGERPRINTED = RuleContent(
    name="Files with a content hash in their name",
    order=200,
    description=(
        "Build tools put a hash of the content into the name: app.3f2a9c41.js. Other content gets another "
        "name, so a copy can never be out of date and no browser has to ask for it again."
    ),
    match=Match(is_fingerprinted=True),
    policy=Policy(browser_ttl_seconds=_YEAR, is_immutable=True),
    bypass_conditions=(_PREVIEW,),
    examples=(
        Example(
            url="/css/app.3f2a9c.css",
            rule="fingerprinted",
            is_cached=True,
            browser_ttl_seconds=_YEAR,
            shared_ttl_seconds=_YEAR,
        ),
        Example(url="/assets/index-BX3k9aQz.js", rule="fingerprinted", is_cached=True),
        Example(url="/js/jquery-3.7.1.min.js", rule="everything", is_cached=True),
        Example(url="/css/app.css", rule="everything", is_cached=True, browser_ttl_seconds=5 * _MINUTE),
        Example(url="http://preview/css/app.3f2a9c.css", rule="fingerprinted", is_cached=False),
    ),
    expected_result=(
        "On a second visit browsers load these files without any request; at the origin almost all "
        "requests for them are first visits."
    ),
    rollback_note=(
        "Go back to the version before if a file changed under the same name: browsers keep the wrong one "
        "for up to a year, and going back does not reach them. Publish the file under a new name as well."
    ),
)

EVERYTHING = RuleContent(
    name="Everything else",
    order=900,
    description=(
        "Files whose content may change under the same name: kept for a few minutes, so that one visit "
        "loads each of them once. A cache may bridge a failing origin with what it has."
    ),
    match=Match(),
    policy=Policy(
        browser_ttl_seconds=5 * _MINUTE,
        stale_while_revalidate_seconds=_MINUTE,
        stale_if_error_seconds=_DAY,
    ),
    bypass_conditions=(_PREVIEW,),
    examples=(
        Example(
            url="/css/app.css",
            rule="everything",
            is_cached=True,
            browser_ttl_seconds=5 * _MINUTE,
            shared_ttl_seconds=5 * _MINUTE,
        ),
        Example(url="/img/logo.svg", rule="everything", is_cached=True),
        Example(url="/docs/manual.pdf", rule="everything", is_cached=True),
        Example(url="/docs/", rule="pages", is_cached=False),
        Example(url="http://preview/css/app.css", rule="everything", is_cached=False),
    ),
    expected_result=(
        "Within one visit each file is requested once. After a publication or a rollback everybody has "
        "the right file at the latest 6 minutes later."
    ),
    rollback_note=(
        "Go back to the version before if visitors see new pages with old styles or scripts for longer "
        "than 6 minutes. Caches in front of the site may be emptied; browsers follow by themselves."
    ),
)

DEFAULT_RULES: dict[str, RuleContent] = {
    "pages": PAGES,
    "fingerprinted": FINGERPRINTED,
    "everything": EVERYTHING,
}
