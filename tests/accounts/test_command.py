import json
from argparse import ArgumentError, ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command, execute_from_command_line, get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError

from apps.accounts.command_line import ServiceCommand
from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.accounts.selectors import role_of


def run(*words: str) -> str:
    out = StringIO()
    call_command("user", *words, stdout=out)
    return out.getvalue()


def refused(*words: str) -> str:
    err = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("user", *words, stderr=err)
    assert end.value.code == 1
    return err.getvalue()


def test_the_first_person_is_added_without_anybody_acting(db: None) -> None:
    document = json.loads(run("add", "root", "--role", "administrator", "--json"))
    user = User.objects.get(username="root")
    assert document == {
        "user": "root",
        "role": "administrator",
        "is_active": True,
        "password": document["password"],
    }
    assert user.check_password(document["password"])


def test_add_prints_a_password_once_that_works(administrator: User) -> None:
    said = run("add", "nina", "--role", "editor", "--email", "nina@example.com")
    assert "Added nina as editor." in said
    password = said.splitlines()[-1].removeprefix("Password, shown only now: ")
    user = User.objects.get(username="nina")
    assert user.check_password(password)
    assert (user.email, role_of(user)) == ("nina@example.com", Role.EDITOR)


def test_a_password_that_is_given_is_not_printed(
    administrator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("harbour-lantern-42\n"))
    document = json.loads(run("add", "nina", "--role", "viewer", "--password-stdin", "--json"))
    assert "password" not in document
    assert User.objects.get(username="nina").check_password("harbour-lantern-42")


def test_a_new_password_replaces_the_old_one(administrator: User) -> None:
    password = json.loads(run("password", "ann", "--json"))["password"]
    assert User.objects.get(username="ann").check_password(password)


def test_list_names_everybody_with_role(administrator: User, editor: User) -> None:
    User.objects.create(username="nobody", is_active=False)
    lines = run("list").splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ann", "administrator"],
        ["eva", "editor"],
        ["nobody", "no"],
    ]
    assert lines[-1].endswith("deactivated")
    assert [user["role"] for user in json.loads(run("list", "--json"))["users"]] == [
        "administrator",
        "editor",
        None,
    ]


def test_deactivate_and_reactivate_undo_each_other(administrator: User, editor: User) -> None:
    assert "reactivate eva" in run("deactivate", "eva")
    assert not User.objects.get(username="eva").is_active
    run("reactivate", "eva")
    assert User.objects.get(username="eva").is_active


def test_a_refusal_says_what_to_do_and_ends_with_1(administrator: User, editor: User) -> None:
    assert "→ Ask another administrator." in refused("deactivate", "ann")
    assert "There is no user 'nobody'" in refused("deactivate", "nobody")
    assert "eva may not add a viewer" in refused("add", "x", "--role", "viewer", "--as", "eva")


def test_arguments_that_make_no_sense_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        execute_from_command_line(["manage.py", "user", "add", "x", "--role", "king"])
    assert end.value.code == 2
    assert "choose from viewer, editor, manager, administrator" in capsys.readouterr().err


def test_a_refusal_as_json_is_one_document_on_standard_output(administrator: User) -> None:
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit):
        call_command("user", "deactivate", "nobody", "--json", stdout=out, stderr=err)
    assert json.loads(out.getvalue())["error"]["code"] == "unknown_user"
    assert err.getvalue() == ""


READING = (
    ("asset", "list"),
    ("asset", "show", "a.css"),
    ("asset", "tags"),
    ("changelog",),
    ("channel", "list"),
    ("channel", "show", "production"),
    ("purge", "1", "--dry-run"),
    ("release", "diff", "1", "2"),
    ("release", "list"),
    ("release", "show", "1"),
    ("release", "verify"),
    ("rule", "check"),
    ("rule", "export", "nginx"),
    ("rule", "show", "pages"),
    ("signing", "show"),
    ("tag", "list"),
    ("trace", "/"),
    ("user", "list"),
    ("webhook", "list"),
)


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_command_that_only_reads_shows_nothing_to_who_may_not_see_it(
    administrator: User, words: tuple[str, ...]
) -> None:
    User.objects.create_user("nobody")
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as end:
        call_command(*words, "--as", "nobody", stdout=out, stderr=err)
    assert end.value.code == 1
    assert "nobody may not see " in err.getvalue()
    assert out.getvalue() == ""


def test_a_command_that_only_reads_shows_it_to_a_viewer_who_is_still_here(viewer: User) -> None:
    out = StringIO()
    call_command("rule", "list", "--as", "vera", stdout=out)
    assert "Where several rules match a file" in out.getvalue()
    User.objects.filter(pk=viewer.pk).update(is_active=False)
    with pytest.raises(SystemExit):
        call_command("rule", "list", "--as", "vera", stdout=out)


def test_every_command_that_can_be_asked_as_somebody_says_what_it_takes_to_see_what_it_shows() -> None:
    commands = {name: load_command_class(app, name) for name, app in get_commands().items() if "apps." in app}
    silent = {name for name, each in commands.items() if isinstance(each, ServiceCommand) and not each.reads}
    assert silent == {
        "import",  # needs the permission to add a release, also to try it
        "user",  # everybody sets their own time zone; `list` asks by itself
    }


def test_an_empty_name_acts_as_nobody_rather_than_as_the_first_administrator(administrator: User) -> None:
    said = refused("deactivate", "ann", "--as", "")
    assert "There is no user ''." in said
    assert administrator.is_active


def leaves(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    """Yield the parser of each command under `parser` that has none under itself."""
    below = [each for each in parser._actions if isinstance(each, _SubParsersAction)]
    yield from (leaf for each in below for one in each.choices.values() for leaf in leaves(one))
    if not below:
        yield parser


@pytest.mark.parametrize("name", [name for name, app in get_commands().items() if "apps." in app])
def test_no_command_takes_what_no_database_does(name: str) -> None:
    """Files may have such names: they are of type Path."""
    command = load_command_class(get_commands()[name], name)
    wrong = ["\udcff", "\0", str(10**30), f"-{10**30}"]
    for parser in leaves(command.create_parser("manage.py", name)):
        usual = {"help", *(action.dest for action in BaseCommand().create_parser("", "")._actions)}
        for action in parser._actions:
            if action.dest in usual or action.nargs == 0:
                continue
            for typed in wrong[:2] if action.type is None else wrong[2:] if action.type is int else ():
                with pytest.raises(ArgumentError, match=r"is no text|more than anything"):
                    parser._get_value(action, typed)


def test_an_argument_that_is_no_text_is_named() -> None:
    with pytest.raises(CommandError, match=r"argument name: 'x\\udcffy' is no text"):
        call_command("user", "deactivate", "x\udcffy")
    with pytest.raises(CommandError, match=r"argument TAG\.\.TAG: 'x\\udcff\.\.' is no text"):
        call_command("changelog", "x\udcff..")


def test_a_password_that_is_no_text_is_refused(administrator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("\udcffzxcvbn83kdkdk\n"))
    assert "This password will not do: It is no text" in refused("password", "ann", "--password-stdin")
