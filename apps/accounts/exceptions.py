from datetime import datetime

from apps.refusals import Refusal


class AccountRefusal(Refusal):
    code = "account_refused"


class Forbidden(AccountRefusal):
    code = "forbidden"


class UnknownUser(AccountRefusal):
    code = "unknown_user"


class UserExists(AccountRefusal):
    code = "user_exists"


class WrongName(AccountRefusal):
    code = "wrong_name"


class WeakPassword(AccountRefusal):
    code = "weak_password"


class OwnAccount(AccountRefusal):
    """Nobody decides about their own role, or locks themselves out."""

    code = "own_account"


class LastAdministrator(AccountRefusal):
    code = "last_administrator"


class UnknownTimeZone(AccountRefusal):
    code = "unknown_time_zone"


class WrongTime(AccountRefusal):
    """What was typed is no time, or none that a clock of that zone ever shows, or shows twice.

    `choices` are the moments that it may mean, where there are two.
    """

    code = "wrong_time"

    def __init__(self, message: str, *, next_step: str, choices: tuple[datetime, ...] = ()) -> None:
        super().__init__(message, next_step=next_step)
        self.choices = choices


class DatabaseFailed(AccountRefusal):
    """The database is down, full, locked for too long, or may not be written to."""

    code = "database_failed"

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"The database did not do it: {str(error).strip()}. Nothing was changed.",
            next_step="Look whether it answers, has room and may be written to by this user "
            "(DATABASE_URL; without one, SQLite in DATA_DIR), then run the same command again.",
        )
