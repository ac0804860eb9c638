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


class DatabaseFailed(AccountRefusal):
    """The database is down, full, locked for too long, or may not be written to."""

    code = "database_failed"

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"The database did not do it: {str(error).strip()}. Nothing was changed.",
            next_step="Look whether it answers, has room and may be written to by this user "
            "(DATABASE_URL; without one, SQLite in DATA_DIR), then run the same command again.",
        )
