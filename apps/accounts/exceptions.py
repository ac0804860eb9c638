from apps.refusals import Refusal


class AccountRefusal(Refusal):
    code = "account_refused"


class Forbidden(AccountRefusal):
    code = "forbidden"


class UnknownUser(AccountRefusal):
    code = "unknown_user"


class UserExists(AccountRefusal):
    code = "user_exists"


class WeakPassword(AccountRefusal):
    code = "weak_password"
