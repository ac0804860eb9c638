import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from apps.releases.markdown import code, inline, quoted

# What a reader of Markdown makes of it: a parser of CommonMark, with tables and strikethrough as well.
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE = [
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![pixel](https://evil.example/p.png)",
    "<https://evil.example>",
    "# a heading",
    "- a list",
    "1. a list",
    "12) a list",
    "+ a list",
    "> a quotation",
    "`code`",
    "**bold** __bold__ ~~gone~~",
    "a | b\n--|--\n1 | 2",
    "&lt;b&gt; &amp;",
    "===",
    "---",
    "[a]: https://evil.example",
    "\\* a backslash",
    "```\nfence",
    "    indented",
    "line\n\n# heading after a break",
    "\u202egnp.exe",
]


def shown(markdown: str) -> str:
    """Return the words that a reader sees; fail where Markdown does anything but show them."""
    (opening, content, closing) = PARSER.parse(markdown)
    assert (opening.type, closing.type) == ("paragraph_open", "paragraph_close")
    assert {child.type for child in content.children or []} <= {"text", "text_special"}
    return "".join(child.content for child in content.children or [])


@pytest.mark.parametrize("text", HOSTILE)
def test_what_was_typed_is_shown_and_does_nothing(text: str) -> None:
    assert shown(inline(text)) == " ".join(text.split()).replace("\u202e", "⟨U+202E⟩")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn"]), max_size=60))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    if words := " ".join(text.split()):
        assert shown(inline(words)) == words


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([*HOSTILE, ""]), max_size=4))
def test_a_quotation_holds_nothing_but_words(lines: list[str]) -> None:
    tokens = PARSER.parse("\n".join(quoted("\n".join(lines))))
    kinds = {token.type for token in tokens}
    assert kinds <= {
        "blockquote_open", "blockquote_close", "paragraph_open", "paragraph_close", "inline"
    }  # fmt: skip
    children = [child.type for token in tokens for child in token.children or []]
    assert set(children) <= {"text", "text_special", "softbreak"}


def test_ordinary_words_stay_readable() -> None:
    assert inline("Hero is 40 % lighter; p95 of / is 20 ms.") == "Hero is 40 % lighter; p95 of / is 20 ms."
    assert quoted("One.\n\nTwo.") == ["> One.", ">", "> Two."]
    assert quoted("  ") == []


@pytest.mark.parametrize("text", ["plain", "a ` tick", "`` two ``", "``` three"])
def test_code_is_shown_whatever_ticks_it_holds(text: str) -> None:
    (_, content, _) = PARSER.parse(code(text))
    assert [(child.type, child.content) for child in content.children or []] == [("code_inline", text)]
