import re
from collections.abc import Iterable
from typing import Any

from django import forms

from apps.assets.services.tagging import MAX_REASON_CHARACTERS

_MOST_TYPED = 2_000


class _Named(forms.MultipleChoiceField):
    """Boxes for what is carried now; one that somebody else has taken away meanwhile is no mistake."""

    def valid_value(self, value: Any) -> bool:
        return True


class TagForm(forms.Form):
    """Which tags are to be given, and which are to be taken away. What a tag may be the service says."""

    add = forms.CharField(
        label="Give",
        required=False,
        max_length=_MOST_TYPED,
        help_text="One tag, or several with commas between them: summer-sale, hero",
        widget=forms.TextInput(attrs={"list": "known-tags", "autocomplete": "off", "data-several": ""}),
    )
    remove = _Named(label="Take away", required=False, widget=forms.CheckboxSelectMultiple)
    reason = forms.CharField(
        required=False,
        max_length=MAX_REASON_CHARACTERS,
        help_text="It may stay empty. Whoever asks later why finds it in the history.",
    )

    def __init__(self, *args: Any, carried: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        boxes = self.fields["remove"]
        assert isinstance(boxes, forms.MultipleChoiceField)  # noqa: S101 - for the types
        boxes.choices = list(carried)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        typed = cleaned.get("add", "")
        cleaned["add"] = [name for name in re.split("[,\n]", typed) if name.strip()]
        if not (cleaned["add"] or cleaned.get("remove") or self.errors):
            self.add_error("add", "Name a tag to give, or choose one to take away.")
        return cleaned
