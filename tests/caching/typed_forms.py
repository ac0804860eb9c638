"""What a browser without script sends of a form: each field as the page shows it."""

from html.parser import HTMLParser


class _Fields(HTMLParser):
    def __init__(self, form: str) -> None:
        super().__init__()
        self.form, self.is_inside, self.templates = form, False, 0
        self.fields: dict[str, str] = {}
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("id") == self.form:
            self.is_inside = True
        if tag == "template":
            self.templates += 1
        name = given.get("name", "")
        if not self.is_inside or self.templates:
            return
        if tag == "input" and (given.get("type") not in {"checkbox", "radio"} or "checked" in given):
            self.fields[name] = given.get("value", "on" if given.get("type") == "checkbox" else "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in given or self._select not in self.fields):
            self.fields[self._select] = given.get("value", "")
        elif tag == "textarea":
            self._area, self.fields[name] = name, ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.is_inside = False
        elif tag == "template":
            self.templates -= 1
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] += data


def typed_form(page: str, form: str) -> dict[str, str]:
    """Return the fields of the form with that id, by name, as they are sent unchanged."""
    parser = _Fields(form)
    parser.feed(page)
    # The line break behind <textarea> is none of its content (HTML, 13.1.2.5).
    return {
        name: value.removeprefix("\r").removeprefix("\n") for name, value in parser.fields.items() if name
    }
