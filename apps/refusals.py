"""What every part says when it will not do something, in one shape for admin, CLI and API."""

from typing import ClassVar


class Refusal(Exception):
    """A request that was understood and not carried out; nothing has changed.

    `code` is stable and meant for programs, `message` says what happened to what, `next_step` says
    what the person can do about it.
    """

    code: ClassVar[str] = "refused"

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()

    def as_json(self) -> dict[str, dict[str, str]]:
        return {"error": {"code": self.code, "message": self.message, "next": self.next_step}}
