"""Who may do what with rules: each act by each role, by service and by command, and each page of them."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.audit.models import AuditEntry
from apps.caching import services
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.importing.headers_file import rules_of_headers_file
from apps.caching.models import CacheRule, CacheRuleVersion, RuleCombination
from apps.caching.rule_imports import save_imported
from apps.caching.rules import Combination, RuleState
from apps.caching.serialisation import as_json
from tests.caching.conftest import Shipped
from tests.conftest import MakeUser
from tests.staff import staff_client

type Act = Callable[[User], object]

HEADERS = "/img/*\n  Cache-Control: public, max-age=60\n"


def new(slug: str) -> dict[str, Any]:
    return as_json(DEFAULT_RULES["everything"]) | {
        "name": slug,
        "order": 50,
        "match": {"folders": [slug]},
        "examples": [{"url": f"/{slug}/a.css", "rule": slug, "is_cached": True}],
    }


SERVICES: dict[str, Act] = {
    "add": lambda actor: services.add_rule(slug="icons", content=new("icons"), actor=actor),
    "save a version": lambda actor: services.add_version(
        rule_slug="pages", content=as_json(DEFAULT_RULES["pages"]), actor=actor
    ),
    "restore": lambda actor: services.restore_version(rule_slug="pages", number=1, reason="x", actor=actor),
    "disable": lambda actor: services.set_state(
        rule_slug="pages", state=RuleState.DISABLED, reason="x", actor=actor
    ),
    "order": lambda actor: services.move_rule(rule_slug="fonts", before="everything", actor=actor),
    "combine": lambda actor: services.choose_combination(
        combination=Combination.MERGE, reason="x", actor=actor
    ),
    "import": lambda actor: save_imported(
        rules_of_headers_file(HEADERS, taken=set()),
        source="_headers",
        actor=actor,
    ),
}
COMMANDS: dict[str, list[str]] = {
    "restore": ["restore", "pages", "1", "--reason", "x"],
    "disable": ["state", "pages", "disabled", "--reason", "x"],
    "order": ["order", "fonts", "--before", "everything"],
    "combine": ["combine", "merge", "--reason", "x"],
    "import": ["import", "_headers"],
}
PAGES = ["", "{pk}/change/", "{pk}/compare/", "export/nginx/", "export/varnish/"]
FORMS = ["{pk}/edit/", "{pk}/restore/1/", "add/"]


@pytest.fixture
def people(shipped: Shipped, make_user: MakeUser) -> dict[Role | None, User]:
    """Somebody of each role, and under None somebody who has none; there is a rule that may be moved."""
    found: dict[Role | None, User] = {role: make_user(f"a-{role}", role) for role in Role}
    found[None] = make_user("nobody")
    found[None].groups.clear()
    services.add_rule(slug="fonts", content=new("fonts"), actor=found[Role.MANAGER])
    return found


def written() -> tuple[int, int, int, int]:
    models = (CacheRule, CacheRuleVersion, RuleCombination, AuditEntry)
    return tuple(model._default_manager.count() for model in models)  # type: ignore[return-value]


def is_done(act: Act, actor: User) -> bool:
    """Act and take it back; say whether it was done, and see that nothing is written where it was not."""
    before, said = written(), ""
    with transaction.atomic():
        try:
            act(actor)
        except Forbidden as refusal:
            said = str(refusal)
        is_written = written() != before
        transaction.set_rollback(True)
    assert not (said and is_written)
    assert not said or (f"{actor} may not" in said and "Ask a release manager or an administrator" in said)
    return is_written


def may_write(people: dict[Role | None, User]) -> dict[User, bool]:
    return {user: role in {Role.MANAGER, Role.ADMINISTRATOR} for role, user in people.items()}


def test_only_release_managers_and_administrators_change_rules_by_any_service(
    people: dict[Role | None, User],
) -> None:
    gone = people[Role.MANAGER]
    for name, act in SERVICES.items():
        assert {user: is_done(act, user) for user in people.values()} == may_write(people), name
    gone.is_active = False
    assert not any(is_done(act, gone) for act in SERVICES.values())


def test_a_command_does_what_the_person_may_whom_it_acts_as(
    people: dict[Role | None, User], tmp_path: Path
) -> None:
    file = tmp_path / "_headers"
    file.write_text(HEADERS)

    def command(words: list[str]) -> Act:
        given = [str(file) if word == "_headers" else word for word in words]

        def run(actor: User) -> None:
            output = StringIO()
            try:
                call_command("rule", *given, "--as", str(actor), "--json", stdout=output, stderr=StringIO())
            except SystemExit:
                assert '"forbidden"' in output.getvalue()

        return run

    for name, words in COMMANDS.items():
        assert {user: is_done(command(words), user) for user in people.values()} == may_write(people), name


def test_every_role_sees_rules_and_somebody_without_one_sees_none(
    people: dict[Role | None, User],
) -> None:
    pk = CacheRule.objects.get(slug="pages").pk
    for role, user in people.items():
        client, may_write_them = staff_client(user), may_write(people)[user]
        for page in [*PAGES, *FORMS]:
            answer = client.get(f"/admin/caching/cacherule/{page.format(pk=pk)}")
            if role is None:
                assert answer.status_code == 403, page
                continue
            assert answer.status_code == 200 or not (page in PAGES or may_write_them), (role, page)
            is_told = " may not " in answer.text and "Ask a release manager" in answer.text
            assert not (is_told and may_write_them), (role, page)
            if not page:
                for step in ("New cache rule", 'class="rule-moves"'):
                    assert (step in answer.text) is may_write_them, (role, step)
            assert is_told or page in PAGES or may_write_them, (role, page)
