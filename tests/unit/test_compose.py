"""Messages composed: locales, missing values, Markdown and HTML that no value can change."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from innkeeper.content.addresses import is_email
from innkeeper.content.compose import check_markdown, choose_variant, render_message
from innkeeper.content.errors import MissingValue, TemplateFailed, UnsafeHeader
from innkeeper.content.plain import to_text
from innkeeper.content.types import Message, Variant


def message(
    body: str,
    *,
    subject: str = "Hello",
    form: Literal["markdown", "html", "text"] = "markdown",
    missing: Literal["abort", "default"] = "default",
    defaults: dict[str, str] | None = None,
) -> Message:
    variant = Variant(locale="en", subject=subject, body=body, format=form)
    return Message(
        name="welcome", channel="email", purpose="care", missing=missing, defaults=defaults or {}, variants=(variant,),
        version="v",
    )  # fmt: skip


class Reader(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_markdown_gives_text_and_html() -> None:
    out = render_message(
        message("# Hi {{ profile.first_name }}\n\nSee **[the guide]({{ event.url }})**.\n"),
        {"profile": {"first_name": "Ana_Maria *B*"}, "event": {"url": "https://e.example/?a=1&b=2"}},
    )
    assert out.text == "# Hi Ana_Maria *B*\n\nSee **[the guide](https://e.example/?a=1&b=2)**.\n"
    assert out.html is not None
    assert "<h1>Hi Ana_Maria *B*</h1>" in out.html
    assert '<strong><a href="https://e.example/?a=1&amp;b=2">the guide</a></strong>' in out.html


@pytest.mark.parametrize(
    "value",
    [
        "[x](javascript:alert(1))", "<b>bold</b>", "<script>alert(1)</script>", "![x](https://evil.example/p.png)",
        "**x**",
        "# x", "1. x", "- x", "> x", "`x`", "a\n\n# b", "a\n===", "a\n---", "a | b", "~~x~~", "&lt;b&gt;",
        "&#42;x&#42;",
        "\\*x\\*", "<https://evil.example>", "[a]: https://evil.example", "    code", "\tcode", "```\nx\n```", "_x_",
        "* * *",
        "+ x", "2) x", "a\\", "]( https://evil.example )", "\"'><img src=x>", "{{ 7 | times: 7 }}", "a\r\n\r\n- b",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "place", ["{{ v }}", "Hi {{ v }}!", "- {{ v }}", "**{{ v }}**", "[{{ v }}](https://ok.example)"]
)
def test_a_value_in_markdown_is_text(value: str, place: str) -> None:
    out = render_message(message(f"Before\n\n{place.replace('v', 'profile.v')}\n\nAfter"), {"profile": {"v": value}})
    plain = render_message(message(f"Before\n\n{place.replace('v', 'profile.v')}\n\nAfter"), {"profile": {"v": "V"}})
    assert out.html is not None
    assert plain.html is not None
    seen, expected = Reader(out.html), Reader(plain.html)
    assert [tag for tag in seen.tags if tag != "br"] == expected.tags
    assert seen.attributes == expected.attributes
    assert seen.text.split() == expected.text.replace("V", value).split()


PLACES = ["{{ v }}", "x {{ v }} y", "# {{ v }}", "> {{ v }}", "- a\n- {{ v }}\n- b", "**{{ v }}**", "a\n{{ v }}\nb"]


@settings(max_examples=300, deadline=None)
@given(
    value=st.text(alphabet="ab1 \n*_[]()<>`#-+=.!\\&;|~:\"'>", min_size=1, max_size=12), place=st.sampled_from(PLACES)
)
def test_no_value_makes_markup(value: str, place: str) -> None:
    template = message(place.replace("v", "profile.v"))
    out = render_message(template, {"profile": {"v": f"a{value}z"}})
    assert out.html is not None
    expected = render_message(template, {"profile": {"v": "V"}})
    assert expected.html is not None
    assert [tag for tag in Reader(out.html).tags if tag != "br"] == Reader(expected.html).tags
    assert "".join(Reader(out.html).text.split()) == "".join(
        Reader(expected.html).text.replace("V", f"a{value}z").split()
    )


def test_html_escapes_values_and_makes_a_text() -> None:
    body = '<h1>Hi {{ profile.n }}</h1><p title="{{ profile.n }}">x<br>y</p><style>p {}</style><ul><li>one<li>two</ul>'
    out = render_message(message(body, form="html"), {"profile": {"n": '<b>"O\'Neil" & co</b>'}})
    assert out.html is not None
    assert Reader(out.html).tags == ["h1", "p", "br", "style", "ul", "li", "li"]
    assert dict(Reader(out.html).attributes)["title"] == '<b>"O\'Neil" & co</b>'
    assert out.text == 'Hi <b>"O\'Neil" & co</b>\n\nx\ny\n\n- one\n- two\n'


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " JAVAscript:alert(1)", "data:text/html,<script>", "vbscript:x"]
)
def test_a_link_that_runs_something_is_refused(url: str) -> None:
    with pytest.raises(TemplateFailed):
        render_message(message('<a href="{{ profile.url }}">x</a>', form="html"), {"profile": {"url": url}})
    out = render_message(message("[x]({{ profile.url }})"), {"profile": {"url": url}})
    assert out.html is not None
    assert "a" not in Reader(out.html).tags


def test_lines_of_a_value_are_kept_where_asked_for() -> None:
    for form, body in (
        ("markdown", "{{ profile.n | newline_to_br }}"),
        ("html", "<p>{{ profile.n | newline_to_br }}</p>"),
    ):
        out = render_message(message(body, form=form), {"profile": {"n": "a*\n<b>"}})  # type: ignore[arg-type]
        assert out.html is not None
        assert "<p>a*<br" in out.html
        assert Reader(out.html).text.split() == ["a*", "<b>"]
    assert render_message(message("{{ profile.n | newline_to_br }}"), {"profile": {"n": "a\nb"}}).text == "a\nb"


def test_text_is_left_alone() -> None:
    out = render_message(message("Hi {{ profile.n }}", form="text"), {"profile": {"n": "<b>*x*</b>"}})
    assert (out.text, out.html) == ("Hi <b>*x*</b>", None)


def test_missing_aborts_with_the_path_or_defaults() -> None:
    with pytest.raises(MissingValue) as caught:
        render_message(message("Hi {{ profile.first_name }}", missing="abort"), {"profile": {}})
    assert caught.value.path == "profile.first_name"
    with pytest.raises(MissingValue):
        render_message(message("x", subject="{{ event.total }}", missing="abort"), {"profile": {}, "event": {}})
    kept = message("Hi {{ profile.first_name }}{{ profile.x }}", defaults={"profile.first_name": "guest"})
    assert render_message(kept, {"profile": {}}).text == "Hi guest"
    inline = message("Hi {{ profile.first_name | default: 'you' }}", missing="abort")
    assert render_message(inline, {"profile": {}}).text == "Hi you"


def test_locale_falls_back_to_the_language_and_then_the_default() -> None:
    variants = tuple(Variant(locale=name, subject=name, body=name, format="text") for name in ("en", "nl", "pt-BR"))
    whole = Message(name="w", channel="email", purpose="p", variants=variants, version="v")
    for wanted, found in [
        ("nl-BE", "nl"), ("nl_be", "nl"), ("NL", "nl"), ("pt-BR", "pt-BR"), ("pt", "en"), ("pt-PT", "en"), ("fr", "en"),
        (None, "en"), ("", "en"), ("zh-Hant-TW", "en"),
    ]:  # fmt: skip
        assert choose_variant(whole, wanted).locale == found
    assert render_message(whole, {"profile": {"locale": "nl-BE"}}).text == "nl"
    assert render_message(whole, {"profile": {"locale": "nl-BE"}, "locale": "en"}).text == "en"


@pytest.mark.parametrize(
    "value",
    ["x\r\nBcc: a@b.example", "x\nBcc: a", "x\rBcc: a", "x\x00y", "x\u2028Bcc: a", "x\u2029y", "x\x85y", "x\x0by",
     "=?utf-8?q?x?=", "=?UTF-8?B?eA==?=", "x\n ", "\n", "y" * 2000],
)  # fmt: skip
def test_a_subject_with_another_header_in_it_is_refused(value: str) -> None:
    with pytest.raises(UnsafeHeader):
        render_message(message("x", subject="Hi {{ profile.n }}!"), {"profile": {"n": value}})


@pytest.mark.parametrize(
    "address",
    ["a@b.example", "a.b+c@sub.b-c.example", "x_y@münchen.example", "o'neil@x.example", "1@2.example"],
)
def test_addresses(address: str) -> None:
    assert is_email(address)


@pytest.mark.parametrize(
    "address",
    [None, "", 7, "a", "a@", "@b.example", "a@b", "a b@c.example", "a@b..example", ".a@b.example", "a.@b.example",
     "a..b@c.example", "a@-b.example", "a@b-.example", "a@b.example\nBcc: x@y.example", "a@[127.0.0.1]", "a@1.2.3.4",
     '"a b"@c.example', "a@b.example,c@d.example", "a@b.example ", "Ana <a@b.example>", "a" * 65 + "@b.example",
     "a@" + "b" * 64 + ".example", "a@" + "b." * 130 + "example", "a@b@c.example", "a\x00@b.example", "ä@b.example"],
)  # fmt: skip
def test_what_is_no_address(address: object) -> None:
    assert not is_email(address)


def test_text_of_html_survives_broken_html() -> None:
    assert to_text("a<b") == "a\n"
    assert to_text("<script>x") == "\n"
    assert to_text("<!-- x --><p>a</p><!-- y") == "a\n"
    assert to_text("<p>2 &lt; 3</p>") == "2 < 3\n"


def test_html_in_markdown_is_found_with_its_line() -> None:
    body = "# Hi {{ profile.n }}\n\none\ntwo <b>three</b>\n\n`<code>` <https://a.example> 2 < 3\n\n<div>\nx\n</div>\n"
    assert [line for line, _ in check_markdown(body)] == [4, 4, 8]
    assert check_markdown("{% if profile.n < 3 %}a{% endif %} {{ 'x' | default: '<' }}") == []
