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
