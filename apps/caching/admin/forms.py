"""The form of a rule, in the words of its owner. It only reads; the services judge and write."""

from typing import Any, cast

from django import forms

from apps.accounts.models import User
from apps.caching.admin.quantities import SIZES, HeaderLinesField, LinesField, QuantityField, TagLinesField
from apps.caching.rules import BypassKind, RuleState, Visibility

NO_RULE = "-"
_DAY, _YEAR = 86_400, 31_536_000
_STATES = (
    (RuleState.ACTIVE.value, "Active: it ships with the releases begun from now on"),
    (RuleState.DRAFT.value, "Draft: it waits, and releases ship as if this version were not there"),
    (RuleState.DISABLED.value, "Disabled: releases begun from now on ship without it"),
)
_VISIBILITIES = (
    (Visibility.PUBLIC.value, "Browsers and shared caches"),
    (Visibility.PRIVATE.value, "Only the visitor's own browser"),
    (Visibility.NO_STORE.value, "Nobody"),
)
_FINGERPRINTS = (
    ("", "Either way"),
    ("true", "Only files with a content hash in their name, such as app.3f2a9c.css"),
    ("false", "Only files without one"),
)
_KINDS = (
    ("", "Choose what"),
    (BypassKind.QUERY.value, "The address has the parameter"),
    (BypassKind.COOKIE.value, "The request carries the cookie"),
    (BypassKind.HEADER.value, "The request has the header"),
    (BypassKind.PREVIEW.value, "It is a preview of a release"),
)
_IS_CACHED = (("true", "may be cached"), ("false", "is not cached"))


def _text(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


class RuleForm(forms.Form):
    """Everything of a rule but its lists of conditions and examples."""

    based_on = forms.IntegerField(required=False, widget=forms.HiddenInput)

    name = forms.CharField(required=False, max_length=120, label="Name", help_text="As people will say it.")
    slug = forms.SlugField(
        max_length=60,
        label="Short name",
        help_text="It stands in headers, exports and the log, and never changes: letters, digits and dashes.",
    )
    owner = forms.ModelChoiceField(
        User.objects.none(), required=True, label="Owner", empty_label="Choose who answers for it"
    )
    description = forms.CharField(required=False, label="Description", widget=_text(2))
    state = forms.ChoiceField(label="State", choices=_STATES, widget=forms.RadioSelect, initial="active")
    order = forms.IntegerField(
        label="Tried as number",
        min_value=0,
        max_value=32_767,
        help_text="Rules with a smaller number are tried before it.",
    )

    paths = LinesField(
        rows=3,
        label="Paths",
        help_text="One pattern a line, such as css/**. * stays within a folder, ** does not.",
    )
    folders = LinesField(label="Folders", help_text="One a line, such as img/icons: all that lies in it.")
    tags = TagLinesField(
        label="Tags", help_text="One a line, such as summer-sale: files that carry one of them."
    )
    extensions = LinesField(label="Ends of names", help_text="One a line, without the dot: css")
    media_types = LinesField(label="Types", help_text="One a line: text/css, or image/* for all pictures.")
    is_fingerprinted = forms.ChoiceField(required=False, label="Content hash", choices=_FINGERPRINTS)
    min_size_bytes = QuantityField(SIZES, usual=1_000, label="At least as large as")
    max_size_bytes = QuantityField(SIZES, usual=1_000, label="At most as large as")
    expressions = LinesField(
        label="Expressions", help_text="One RE2 expression a line, which has to match the whole path."
    )

    visibility = forms.ChoiceField(
        label="Who may keep a copy", choices=_VISIBILITIES, widget=forms.RadioSelect, initial="public"
    )
    browser_ttl_seconds = QuantityField(
        label="Browsers keep it for",
        help_text="Empty or 0: they ask before each use whether it is still right.",
    )
    shared_ttl_seconds = QuantityField(
        label="Shared caches keep it for", help_text="Empty: as long as browsers do."
    )
    stale_while_revalidate_seconds = QuantityField(
        usual=_DAY, label="Afterwards the old copy may be shown, while checking, for"
    )
    stale_if_error_seconds = QuantityField(
        usual=_DAY, label="While the origin fails, the old copy may be shown for"
    )
    is_immutable = forms.BooleanField(
        required=False, label="The content under this address never changes: do not even ask on reload"
    )
    must_revalidate = forms.BooleanField(
        required=False, label="Once the time is over, never show an old copy without asking"
    )
    is_trusted_active_content = forms.BooleanField(
        required=False, label="Trust HTML, SVG, XML and PDF files: let the scripts in them run"
    )

    cdn_ttl_seconds = QuantityField(
        label="CDNs keep it for",
        help_text="For those that read CDN-Cache-Control; all others go by the rest.",
    )
    vary = LinesField(label="A copy for each value of", help_text="Request headers, one a line (Vary).")
    surrogate_keys = LinesField(label="Surrogate keys", help_text="Labels to purge by, one a line.")
    allowed_origin = forms.CharField(
        required=False,
        max_length=300,
        label="Scripts that may read it are those of",
        help_text="* for every site, or one origin: https://example.com",
    )
    forbids_transform = forms.BooleanField(
        required=False, label="Nobody on the way may change the file (no-transform)"
    )
    extra_headers = HeaderLinesField(rows=3, label="Other headers", help_text="One a line, as Name: value.")

    expected_result = forms.CharField(
        required=False, label="Expected result", widget=_text(3), help_text="What should be better with it?"
    )
    rollback_note = forms.CharField(
        required=False,
        label="Rollback note",
        widget=_text(3),
        help_text="When to go back to the version before, and whom to tell.",
    )
    reason = forms.CharField(
        required=False,
        max_length=1_000,
        label="Why this version",
        help_text="A line for the history.",
    )

    def __init__(self, *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        if not is_new:
            del self.fields["slug"]
        owner = cast("forms.ModelChoiceField[User]", self.fields["owner"])
        owner.queryset = User.objects.filter(is_active=True).order_by("first_name", "last_name", "username")
        owner.error_messages["invalid_choice"] = "That person has left, or is not known. Choose who is here."

    @property
    def what_it_is(self) -> list[forms.BoundField]:
        names = ("name", "slug", "owner", "description", "order")
        return [self[name] for name in names if name in self.fields]

    @property
    def usual_match(self) -> list[forms.BoundField]:
        return [self[name] for name in ("paths", "folders", "tags", "extensions", "is_fingerprinted")]

    @property
    def other_match(self) -> list[forms.BoundField]:
        return [self[name] for name in ("media_types", "min_size_bytes", "max_size_bytes", "expressions")]

    @property
    def times(self) -> list[forms.BoundField]:
        return [
            self[name]
            for name in (
                "browser_ttl_seconds",
                "shared_ttl_seconds",
                "stale_while_revalidate_seconds",
                "stale_if_error_seconds",
            )
        ]

    @property
    def promises(self) -> list[forms.BoundField]:
        return [self[name] for name in ("is_immutable", "must_revalidate", "is_trusted_active_content")]

    @property
    def advanced(self) -> list[forms.BoundField]:
        names = ("cdn_ttl_seconds", "vary", "surrogate_keys", "allowed_origin", "extra_headers")
        return [self[name] for name in names]

    @property
    def has_other_match(self) -> bool:
        return any(field.errors or field.value() not in _EMPTY for field in self.other_match)

    @property
    def has_advanced(self) -> bool:
        fields = [*self.advanced, self["forbids_transform"]]
        return any(field.errors or field.value() not in _EMPTY for field in fields)


_EMPTY: tuple[Any, ...] = (None, "", [], (), False)


class BypassForm(forms.Form):
    """One condition under which a cache must not answer."""

    kind = forms.ChoiceField(required=False, label="When", choices=_KINDS)
    name = forms.CharField(required=False, max_length=200, label="Named")
    reason = forms.CharField(required=False, max_length=1_000, label="Because")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or self.cleaned_data
        if not typed.get("kind") and (typed.get("name") or typed.get("reason")):
            self.add_error("kind", "Choose what makes caches step aside.")
        return typed


class ExampleForm(forms.Form):
    """One request, and what has to become of it."""

    url = forms.CharField(
        required=False,
        max_length=2_000,
        label="Address",
        widget=forms.TextInput(attrs={"list": "known-addresses", "autocomplete": "off"}),
    )
    is_cached = forms.TypedChoiceField(
        label="Outcome", choices=_IS_CACHED, coerce=lambda value: value == "true", initial="true"
    )
    rule = forms.ChoiceField(required=False, label="Decided by")
    browser_ttl_seconds = QuantityField(label="In browsers for")
    shared_ttl_seconds = QuantityField(label="In shared caches for")
    request_headers = HeaderLinesField(label="Request headers", help_text="One a line, as Name: value.")
    size_bytes = QuantityField(SIZES, usual=1_000, label="Size of the file", initial=10_000)
    tags = TagLinesField(label="Tags of the file", help_text="One a line, where no file lies there yet.")

    def __init__(self, *args: Any, rules: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        choice = cast("forms.ChoiceField", self.fields["rule"])
        choice.choices = [("", "this rule"), *rules, (NO_RULE, "no rule")]

    @property
    def has_more(self) -> bool:
        fields = (self["shared_ttl_seconds"], self["request_headers"], self["tags"])
        return bool(self["size_bytes"].errors) or any(
            field.errors or field.value() not in (*_EMPTY, ["", "3600"]) for field in fields
        )


BypassFormSet = forms.formset_factory(BypassForm, extra=2, max_num=30, absolute_max=40, can_delete=True)
ExampleFormSet = forms.formset_factory(ExampleForm, extra=2, max_num=50, absolute_max=60, can_delete=True)
