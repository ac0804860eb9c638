from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser
from django.utils.timezone import localtime

from apps.accounts.command_line import SubcommandsCommand
from apps.notifications.kinds import WHO_IS_TOLD
from apps.notifications.models import Webhook
from apps.notifications.selectors import deliveries_to, webhook_named, webhooks_with_counts
from apps.notifications.services import webhooks


class Command(SubcommandsCommand):
    help = "Tells other programs what happens here: adds, tests and disables the addresses that are told."
    reads = "notifications.view_webhook"

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        adding = add("add", self.add, help="add an address, and print its secret once")
        adding.add_argument("name")
        adding.add_argument("url", help="https://…; http:// for localhost alone")
        adding.add_argument(
            "--kind",
            action="append",
            default=[],
            metavar="KIND",
            help=f"only of this kind, may be given again: {', '.join(WHO_IS_TOLD)}",
        )
        add("list", self.list, help="list all webhooks")
        showing = self._named(add("show", self.show, help="show a webhook and what was sent to it"))
        showing.add_argument("--limit", type=int, default=20, help="deliveries shown (default: %(default)s)")
        self._named(add("test", self.test, help="send it a test"))
        self._named(add("disable", self.disable, help="tell it nothing more"))
        self._named(add("enable", self.enable, help="tell it again of what happens from now on"))
        self._named(add("renew-secret", self.renew_secret, help="give it a new secret, printed once"))

    def add(self, *, name: str, url: str, kind: list[str], **options: Any) -> object:
        webhook = webhooks.add_webhook(name=name, url=url, kinds=kind, actor=self.actor(options))
        self.say(f"Added {webhook}. `scripts/manage webhook test {webhook}` sends it a test.")
        return self._with_secret(webhook)

    def list(self, **options: Any) -> object:
        rows = list(webhooks_with_counts())
        for row in rows:
            counts = vars(row)
            self.say(
                f"{row.name:<24} {'active' if row.is_active else 'disabled':<9}"
                f" {counts['waiting']} waiting, {counts['given_up']} given up"
            )
        if not rows:
            self.say("None yet: `scripts/manage webhook add NAME https://…` adds one.")
        return [_as_json(row) | _counts(row) for row in rows]

    def show(self, *, name: str, limit: int, **options: Any) -> object:
        webhook = webhook_named(name)
        self.say(f"{webhook}: {webhook.url}, {'active' if webhook.is_active else 'disabled'}")
        self.say(f"  told of: {', '.join(webhook.kinds) or 'everything'}")
        deliveries = list(deliveries_to(webhook)[: max(limit, 0)])
        for each in deliveries:
            at = f"{localtime(each.event.at):%Y-%m-%d %H:%M:%S}"
            outcome = f": {each.outcome}" if each.outcome else ""
            self.say(
                f"  {at}  {each.event.kind:<18} {each.get_state_display()}, {each.attempts} tries{outcome}"
            )
        return _as_json(webhook) | {
            "deliveries": [
                {
                    "id": str(each.key),
                    "event": each.event.kind,
                    "state": each.state,
                    "outcome": each.outcome,
                    "attempts": [
                        {
                            "at": row.at.isoformat(),
                            "status": row.status,
                            "error": row.error,
                            "ms": row.took_ms,
                        }
                        for row in each.tries.all()
                    ],
                }
                for each in deliveries
            ]
        }

    def test(self, *, name: str, **options: Any) -> object:
        webhook = webhooks.test(webhook=webhook_named(name), actor=self.actor(options))
        self.say(f"A test is on its way. `scripts/manage webhook show {name}` says whether it arrived.")
        return _as_json(webhook)

    def disable(self, *, name: str, **options: Any) -> object:
        webhook = webhooks.disable(webhook=webhook_named(name), actor=self.actor(options))
        self.say(f"{name} is told nothing more. `scripts/manage webhook enable {name}` undoes it.")
        return _as_json(webhook)

    def enable(self, *, name: str, **options: Any) -> object:
        webhook = webhooks.enable(webhook=webhook_named(name), actor=self.actor(options))
        self.say(f"{name} is told of what happens from now on.")
        return _as_json(webhook)

    def renew_secret(self, *, name: str, **options: Any) -> object:
        webhook = webhooks.renew_secret(webhook=webhook_named(name), actor=self.actor(options))
        return self._with_secret(webhook)

    def _named(self, parser: CommandParser) -> CommandParser:
        parser.add_argument("name")
        return parser

    def _with_secret(self, webhook: Webhook) -> object:
        self.say(f"Its secret, shown only now: {webhook.secret}")
        return _as_json(webhook) | {"secret": webhook.secret}


def _as_json(webhook: Webhook) -> dict[str, object]:
    return {
        "webhook": webhook.name,
        "url": webhook.url,
        "kinds": webhook.kinds,
        "is_active": webhook.is_active,
    }


def _counts(webhook: Webhook) -> dict[str, object]:
    counts = vars(webhook)
    last = counts["last_sent"]
    return {
        "waiting": counts["waiting"],
        "given_up": counts["given_up"],
        "last_sent": last.isoformat() if last else None,
    }
