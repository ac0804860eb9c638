"""A number with its unit, as people say durations and sizes: two fields that make one."""

from collections.abc import Sequence
from typing import Any

from django import forms

from apps.tag_names import typed_tag

type Units = Sequence[tuple[int, str]]

DURATIONS: Units = (
    (1, "seconds"),
    (60, "minutes"),
    (3_600, "hours"),
    (86_400, "days"),
    (604_800, "weeks"),
    (31_536_000, "years"),
)
SIZES: Units = ((1, "bytes"), (1_000, "kB"), (1_000_000, "MB"))
_DIGITS = 10


class QuantityInput(forms.MultiWidget):
    """Shows a quantity in the largest unit in which it is a whole number."""

    def __init__(self, units: Units, usual: int) -> None:
        self.units, self.usual = units, usual
        number = forms.NumberInput(attrs={"min": 0, "inputmode": "numeric", "class": "quantity-number"})
        super().__init__([number, forms.Select(choices=units, attrs={"aria-label": "Unit"})])

    def decompress(self, value: Any) -> list[int | None]:
        if not isinstance(value, int):
            return [None, self.usual]
        size = max((size for size, _ in self.units if value and value % size == 0), default=self.usual)
        return [value // size, size]

    def id_for_label(self, id_: str) -> str:
        return f"{id_}_0" if id_ else id_


class QuantityField(forms.MultiValueField):
    """A whole number of seconds or bytes, or None where nothing is typed."""

    def __init__(self, units: Units = DURATIONS, *, usual: int = 3_600, **kwargs: Any) -> None:
        self.usual = usual
        number = forms.IntegerField(required=False, min_value=0, max_value=10**_DIGITS)
        unit = forms.TypedChoiceField(required=False, coerce=int, choices=units)
        super().__init__(
            fields=(number, unit),
            widget=QuantityInput(units, usual),
            **{"required": False, "require_all_fields": False, **kwargs},
        )

    def compress(self, data_list: list[int | None]) -> int | None:
        number, unit = data_list or (None, None)
        return None if number is None else number * (unit or self.usual)


class LinesField(forms.CharField):
    """One entry a line; empty lines are none. `known` are some that are suggested."""

    known: Sequence[str] = ()

    def __init__(self, *, rows: int = 2, **kwargs: Any) -> None:
        area = forms.Textarea(attrs={"rows": rows, "spellcheck": "false", "class": "code-lines"})
        super().__init__(**{"required": False, "widget": area, "max_length": 20_000, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip(" \t\r") for line in (super().to_python(value) or "").split("\n") if line.strip()]

    def run_validators(self, value: Any) -> None:
        super().run_validators("\n".join(value))


class TagLinesField(LinesField):
    """Tags, one a line, taken as they are meant: "Summer sale" is `summer-sale`."""

    def to_python(self, value: Any) -> Any:
        return [typed_tag(line) for line in super().to_python(value)]


class HeaderLinesField(LinesField):
    """Headers, one a line: `Name: value`."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return "\n".join(line if isinstance(line, str) else f"{line[0]}: {line[1]}" for line in value)
        return value

    def clean(self, value: Any) -> Any:
        lines = super().clean(value)
        wrong = [line for line in lines if ":" not in line]
        if wrong:
            raise forms.ValidationError(f"Write each header as Name: value. This is not one: {wrong[0][:80]}")
        return [[part.strip() for part in line.split(":", 1)] for line in lines]
