from apps.refusals import Refusal


class CannotStart(Refusal):
    code = "cannot_start"
