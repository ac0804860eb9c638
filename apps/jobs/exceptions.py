from apps.refusals import Refusal


class JobRefusal(Refusal):
    code = "job_refused"


class UnknownKind(JobRefusal):
    """No handler is registered for a job's kind."""

    code = "unknown_job_kind"


class NotFailed(JobRefusal):
    """Only a job that failed is run again by hand."""

    code = "job_not_failed"


class JobLost(JobRefusal):
    """Another worker has taken the job over: whoever still runs it has to stop."""

    code = "job_lost"
