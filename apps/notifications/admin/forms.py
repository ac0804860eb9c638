from typing import Any

from django import forms
from django.forms.boundfield import BoundWidget

from apps.accounts.local_times import zone_names
from apps.notifications.kinds import WHO_IS_TOLD

KINDS = [(kind.value, kind.label) for kind in WHO_IS_TOLD]


class WebhookForm(forms.Form):
    """A new webhook as it is typed. What it may be is for the service to say."""

    name = forms.CharField(max_length=60, help_text="Small letters, digits, - and _, such as chat-releases.")
    url = forms.CharField(
        label="Address",
        max_length=500,
        help_text="https://…; what is sent there is signed, with a new secret.",
    )
    kinds = forms.MultipleChoiceField(
        label="Told of",
        choices=KINDS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: of everything, also of what is added later.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})


class SettingsForm(forms.Form):
    """What a person is told, and in which zone they read times."""

    time_zone = forms.ChoiceField(required=False, help_text="Times are shown, and typed, in this zone.")
    told = forms.MultipleChoiceField(
        choices=KINDS, required=False, widget=forms.CheckboxSelectMultiple, label="Mail me about"
    )

    def __init__(self, *args: Any, site_zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        zone = self.fields["time_zone"]
        assert isinstance(zone, forms.ChoiceField)  # noqa: S101 - for the types
        zone.choices = [("", f"The site's: {site_zone}"), *((name, name) for name in zone_names())]

    @property
    def rows(self) -> list[tuple[BoundWidget, str]]:
        """Each kind's box, and who is told of it."""
        boxes = list(self["told"])
        return list(zip(boxes, WHO_IS_TOLD.values(), strict=True))
