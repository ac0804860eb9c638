"""The tags of an HTML document with the places of their attributes (HTML, section 13.2.5).

Only what a browser takes for a tag is one: what stands in comments, in scripts, styles and other raw text
is not, nor is what a document breaks off in.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from apps.releases.references.located import Located, from_attribute

_WHITE = r"\t\n\f\r "
_NAME = re.compile(rf"[A-Za-z][^{_WHITE}/>]*")
_ATTRIBUTE = re.compile(
    rf"""[{_WHITE}/]*(?P<name>=?[^{_WHITE}/>=]*)"""
    rf"""(?:[{_WHITE}]*=[{_WHITE}]*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^{_WHITE}>"'][^{_WHITE}>]*)?))?"""
)
_COMMENT = re.compile(r"<!--(?:-?>|[\s\S]*?--!?>)")
_RAW = frozenset({"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"})
_FOREIGN = frozenset({"svg", "math"})
_SCRIPT_STEP = re.compile(rf"<!--|-->|<(?P<end>/?)script(?=[{_WHITE}/>])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute's value, decoded; where its name begins, and where its value stands between its quotes."""

    value: Located
    name_start: int
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.value.text.strip()


@dataclass(frozen=True, slots=True)
class Tag:
    """A start or end tag, names in lower case. `text` is what a raw one, such as a script, holds."""

    name: str
    is_end: bool
    attributes: dict[str, Attribute] = field(default_factory=dict)
    text: Located | None = None

    def value(self, name: str) -> str:
        """Return an attribute's value without the white space around it, "" where there is none."""
        return self.attributes[name].text if name in self.attributes else ""

    def words(self, name: str) -> set[str]:
        """Return the words of an attribute such as `rel`, in lower case."""
        return set(self.value(name).lower().split())


def tags(document: str) -> Iterator[Tag]:
    """Yield the tags of a document in order."""
    whole = Located.whole(document)
    at, foreign = 0, 0
    while (at := document.find("<", at)) >= 0:
        if found := _COMMENT.match(document, at):
            at = found.end()
            continue
        if document.startswith(("<!", "<?"), at):
            at = _after_declaration(document, at, is_foreign=foreign > 0)
            continue
        is_end = document.startswith("</", at)
        name = _NAME.match(document, at + 1 + is_end)
        if name is None:
            at += 1
            continue
        attributes, at, is_closed = _attributes(whole, name.end())
        if at < 0:
            return
        tag = Tag(name[0].lower(), is_end, attributes)
        if tag.name in _FOREIGN:
            foreign = max(0, foreign - 1) if is_end else foreign + (not is_closed)
        if tag.name in _RAW and not is_end and not foreign:
            end = _raw_end(document, at, tag.name)
            tag = Tag(tag.name, is_end, attributes, whole.part(at, end))
            at = end
        yield tag
        if tag.name == "plaintext":
            return


def _after_declaration(document: str, at: int, *, is_foreign: bool) -> int:
    """Return where a doctype, a bogus comment or a CDATA section ends; `<!--` that never ends, too."""
    if document.startswith("<!--", at):
        return len(document)
    is_cdata = is_foreign and document.startswith("<![CDATA[", at)
    closing = "]]>" if is_cdata else ">"
    end = document.find(closing, at)
    return len(document) if end < 0 else end + len(closing)


def _attributes(document: Located, at: int) -> tuple[dict[str, Attribute], int, bool]:
    """Return a tag's attributes, of one named twice the first; where the tag ends; whether with a slash.

    The end is -1 where the document ends within the tag: then there is no tag.
    """
    attributes: dict[str, Attribute] = {}
    text = document.text
    while at < len(text) and text[at] != ">":
        found = _ATTRIBUTE.match(text, at)
        if found is None or found.end() == at:
            at += 1
            continue
        if found["name"]:
            group = next((name for name in ("double", "single", "bare") if found[name] is not None), "name")
            start, end = found.span(group) if group != "name" else (found.end(), found.end())
            value = from_attribute(document.part(start, end))
            attribute = Attribute(value, found.start("name"), start, end)
            attributes.setdefault(found["name"].lower(), attribute)
        at = found.end()
    return (attributes, at + 1, text[at - 1] == "/") if at < len(text) else (attributes, -1, False)


def _raw_end(document: str, at: int, name: str) -> int:
    """Return where the end tag of a raw text element begins, or the document ends."""
    if name == "script":
        return _script_end(document, at)
    found = re.compile(rf"</{name}(?=[{_WHITE}/>])", re.IGNORECASE).search(document, at)
    return found.start() if found else len(document)


def _script_end(document: str, at: int) -> int:
    """Return where a script ends: not at an end tag that a comment with a start tag in it has before."""
    is_comment, is_nested = False, False
    while found := _SCRIPT_STEP.search(document, at):
        at = found.end()
        if found[0] == "<!--":
            is_comment = True
            at -= 2  # `<!-->` ends at once
        elif found[0] == "-->":
            is_comment, is_nested = False, False
        elif not found["end"]:
            is_nested = is_nested or is_comment
        elif is_nested:
            is_nested = False
        else:
            return found.start()
    return len(document)
