from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from apps.accounts.command_line import SubcommandsCommand
from apps.releases.history import signing
from apps.releases.history.signatures import PublicKey
from apps.releases.services import keys


class Command(SubcommandsCommand):
    help = "Show the keys that pointers and publications are signed with, and replace them."
    reads = "releases.view_publication"

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        add("show", self.show, help="show the public keys: of this machine, and those that it trusts")
        add("rotate", self.rotate, help="sign with a new key from now on, and trust the one before still")
        distrust = add("distrust", self.distrust, help="follow nothing any more that a former key has signed")
        distrust.add_argument("key", metavar="KEY", help="its id, as `show` says it")

    def show(self, **options: Any) -> object:
        own, trusted = signing.signing_key().public, signing.trusted_keys().values()
        origin = "the environment" if signing.is_key_set() else "DATA_DIR/signing.key"
        for key in trusted:
            use = f"signs here; from {origin}" if key == own else "trusted"
            self.say(f"{key.id}  {key.text}  {use}")
        self.say(own.pem.rstrip())
        return {
            "key": own.id,
            "from": "environment" if signing.is_key_set() else "file",
            "keys": [_report(key) for key in trusted],
        }

    def rotate(self, **options: Any) -> object:
        rotation = keys.rotate(actor=self.actor(options))
        self.say(f"Key {rotation.new.id} signs from now on; {rotation.before.id} is trusted still.")
        for channel in rotation.channels:
            self.say(f"The pointer of {channel} is signed anew.")
        self.say(
            f"→ Machines that serve the same storage need it too: SIGNING_TRUSTED_KEYS={rotation.new.text}"
        )
        return {"key": _report(rotation.new), "before": rotation.before.id, "channels": rotation.channels}

    def distrust(self, *, key: str, **options: Any) -> object:
        keys.distrust(key_id=key, actor=self.actor(options))
        self.say(f"What key {key} has signed is followed no longer, and `release verify` names it.")
        return {"key": key}


def _report(key: PublicKey) -> dict[str, str]:
    return {"key": key.id, "ed25519": key.text, "pem": key.pem}
