from typing import Any, ClassVar, cast

from django import forms
from django.contrib.auth.models import Group

from apps.accounts.models import User
from apps.releases.models import Channel, Release
from apps.releases.redirects.values import USUAL_STATUS
from apps.releases.review.brief import LABELS
from apps.releases.services.channels import ANSWERS, RANGES, REQUIREMENTS, value_of
from apps.releases.services.drafts import BRIEF_FIELDS


class BriefForm(forms.ModelForm[Release]):
    """What a release is for and how to take it back. It only reads; the service writes."""

    class Meta:
        model = Release
        fields = BRIEF_FIELDS
        labels: ClassVar[dict[str, str]] = LABELS
        widgets: ClassVar[dict[str, forms.Widget]] = {
            "title": forms.TextInput(attrs={"maxlength": 200}),
            "expected_result": forms.Textarea(attrs={"rows": 3}),
            "rollback_note": forms.Textarea(attrs={"rows": 3}),
            "route": forms.TextInput(),
            "expected_input": forms.Textarea(attrs={"rows": 2}),
            "failing_command": forms.Textarea(attrs={"rows": 2}),
            "noticed_at": forms.Textarea(attrs={"rows": 2}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        owner = cast("forms.ModelChoiceField[User]", self.fields["owner"])
        owner.queryset = User.objects.filter(is_active=True).order_by("first_name", "last_name", "username")
        owner.empty_label = "Nobody yet"

    def clean(self) -> dict[str, Any]:
        """Give lines the ends that they have everywhere else; browsers send CR LF."""
        typed = super().clean() or self.cleaned_data
        return {
            name: value.replace("\r\n", "\n") if isinstance(value, str) else value
            for name, value in typed.items()
        }

    @property
    def purpose(self) -> list[forms.BoundField]:
        """The fields that must be there before a review."""
        return [self[name] for name in BRIEF_FIELDS[:4]]

    @property
    def present_state(self) -> list[forms.BoundField]:
        """The fields on what the system does now."""
        return [self[name] for name in BRIEF_FIELDS[4:]]


class ReasonForm(forms.Form):
    """A reason. That it is there is for the service to say, in its own words."""

    reason = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3, "required": True}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})


class RequirementsForm(forms.Form):
    """What a channel asks for before something goes live on it."""

    required_approvals = forms.TypedChoiceField(
        coerce=int,
        choices=[
            (0, "None: whoever may publish decides alone"),
            (1, "One other person"),
            (2, "Two other people"),
            (3, "Three other people"),
        ],
        label="Before a release goes live, it is approved by",
    )
    approver_group = forms.ChoiceField(
        required=False,
        label="Who may approve",
        help_text="Of those whose role lets them approve, only members of this group.",
    )
    requires_baseline = forms.BooleanField(
        required=False,
        label="Baseline asked for",
        help_text="A brief also says what the system does now, before it can be reviewed.",
    )
    is_protected = forms.BooleanField(
        required=False,
        label="Protected",
        help_text="Nobody publishes on it alone, only another administrator opens it again after a hold, and"
        " it cannot be removed.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        names = Group.objects.order_by("name").values_list("name", flat=True)
        groups = cast("forms.ChoiceField", self.fields["approver_group"])
        groups.choices = [("", "Everybody whose role lets them"), *((name, name) for name in names)]

    @classmethod
    def of(cls, channel: Channel) -> "RequirementsForm":
        initial = {name: value_of(channel, name) for name in REQUIREMENTS}
        return cls(initial={"required_approvals": channel.required_approvals, **initial})


class OptionsForm(forms.Form):
    """How a channel answers. What a page's path may be is for the service to say."""

    clean_urls = forms.BooleanField(
        required=False,
        label="Clean URLs",
        help_text="/about serves about.html, and /about.html leads to /about.",
    )
    not_found_page = forms.CharField(
        required=False,
        label="Page of a 404",
        help_text="A path of the site. Without it, or where a release lacks it, a 404 is one plain line.",
    )
    names_release = forms.BooleanField(
        required=False,
        label="Name release and cache rule",
        help_text="Answers carry Assetsite-Release and Assetsite-Rule, to be looked up here.",
    )
    early_hints = forms.BooleanField(
        required=False,
        label="Early hints",
        help_text="A page's style sheets and scripts are named in a 103 before the page is sent, for what is"
        " built from now on.",
    )
    fingerprints = forms.BooleanField(
        required=False,
        label="Fingerprinted names",
        help_text="Pages, style sheets and scripts refer to files by names that change with the content, and"
        " that caches keep for a year. It takes effect with the next release that is submitted: what is live"
        " stays as it is.",
    )
    retention_days = forms.IntegerField(
        label="Days that these names are kept",
        min_value=RANGES["retention_days"][0],
        max_value=RANGES["retention_days"][1],
    )
    retention_publications = forms.IntegerField(
        label="Publications that these names are kept",
        min_value=RANGES["retention_publications"][0],
        max_value=RANGES["retention_publications"][1],
        help_text="A name answers until both are over, also after a roll back.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})

    @classmethod
    def of(cls, channel: Channel) -> "OptionsForm":
        return cls(initial={name: value_of(channel, name) for name in ANSWERS})


class RedirectForm(forms.Form):
    """A redirect as it is typed. What it may be is for the service to say, at the field."""

    source = forms.CharField(
        label="From", help_text="A path such as /old, or /old/* for everything below it."
    )
    target = forms.CharField(
        label="To",
        help_text="A path such as /new, or an address with https://. :splat stands for what the * matched.",
    )
    status = forms.TypedChoiceField(
        label="Kind",
        coerce=int,
        initial=USUAL_STATUS,
        choices=[
            (308, "308: for good, also for forms"),
            (301, "301: for good"),
            (307, "307: for now, also for forms"),
            (302, "302: for now"),
        ],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", "auto_id": "id_redirect_%s", **kwargs})
