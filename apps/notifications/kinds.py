"""What people and programs are told of: kinds of events, and which act of the audit log is which."""

from enum import StrEnum


class Kind(StrEnum):
    REVIEW_ASKED = "review_asked"
    COMMENTED = "commented"
    CHANGES_REQUESTED = "changes_requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    SCHEDULE_FAILED = "schedule_failed"
    ROLLED_BACK = "rolled_back"
    HELD = "held"
    RESUMED = "resumed"
    EMERGENCY = "emergency"
    DRIFTED = "drifted"
    JOB_FAILED = "job_failed"
    TEST = "test"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ").capitalize()


# What a person can be told by mail, and who is, unless they mute it.
WHO_IS_TOLD = {
    Kind.REVIEW_ASKED: "who may approve it",
    Kind.COMMENTED: "its owner and authors",
    Kind.CHANGES_REQUESTED: "its owner and authors",
    Kind.APPROVED: "its owner and authors",
    Kind.REJECTED: "its owner and authors",
    Kind.SCHEDULED: "its owner and authors",
    Kind.PUBLISHED: "its owner and authors, and who scheduled it",
    Kind.SCHEDULE_FAILED: "who scheduled it, its owner and authors",
    Kind.ROLLED_BACK: "owner and authors of what was taken away, and who may roll back",
    Kind.HELD: "who may publish",
    Kind.RESUMED: "who may publish",
    Kind.EMERGENCY: "who may publish",
    Kind.DRIFTED: "who may publish",
    Kind.JOB_FAILED: "administrators",
}

KIND_OF_ACTION = {
    "release.submit": Kind.REVIEW_ASKED,
    "release.comment": Kind.COMMENTED,
    "release.answer": Kind.COMMENTED,
    "release.request_changes": Kind.CHANGES_REQUESTED,
    "release.approve": Kind.APPROVED,
    "release.reject": Kind.REJECTED,
    "release.schedule": Kind.SCHEDULED,
    "release.publish": Kind.PUBLISHED,
    "release.schedule_failed": Kind.SCHEDULE_FAILED,
    "release.schedule_void": Kind.SCHEDULE_FAILED,
    "channel.roll_back": Kind.ROLLED_BACK,
    "channel.hold": Kind.HELD,
    "channel.stop": Kind.EMERGENCY,
    "channel.resume": Kind.RESUMED,
    "channel.drift": Kind.DRIFTED,
    "release.ask_emergency": Kind.EMERGENCY,
    "release.publish_in_emergency": Kind.EMERGENCY,
    "webhook.test": Kind.TEST,
}
