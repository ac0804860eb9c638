"""What RFC 9110 and its neighbours ask of a served asset, through every front door alike.

A class is a chapter, a test is a requirement, named after its section.
"""

import base64
import gzip
import hashlib
import re
import secrets
from email.utils import formatdate

import pytest

from tests.delivery.conftest import (
    LARGE,
    PAGE,
    SITE,
    STYLE,
    STYLE_BR,
    STYLE_GZIP,
    TEN,
)
from tests.delivery.doors import Ask, Live, Reply, ask_respond
from tests.serving import FIRST_RELEASED, HOUR, sha256

TEN_TAG = f'"{sha256(TEN)}"'
RELEASED = formatdate(FIRST_RELEASED, usegmt=True)
EARLIER = formatdate(FIRST_RELEASED - 1, usegmt=True)
LATER = formatdate(FIRST_RELEASED + 1, usegmt=True)
NO_STORE = "no-store"


class TestRepresentations:
    def test_8_3_content_type_says_the_charset_of_text(self, ask: Ask) -> None:
        assert ask("/").headers["content-type"] == "text/html; charset=utf-8"

    def test_8_4_the_content_coding_is_named_and_its_bytes_are_sent(self, ask: Ask) -> None:
        reply = ask("/css/site.css", accept_encoding="gzip")
        assert (reply.headers["content-encoding"], reply.body) == ("gzip", STYLE_GZIP)

    def test_8_6_content_length_counts_what_is_sent(self, ask: Ask) -> None:
        for coding in ("gzip", "br", "identity"):
            reply = ask("/css/site.css", accept_encoding=coding)
            assert int(reply.headers["content-length"]) == len(reply.body)

    def test_8_8_2_last_modified_is_when_the_content_went_live(self, ask: Ask, site: Live) -> None:
        site.publish(2, SITE, kept_from={"ten.txt": 1})
        assert ask("/ten.txt").headers["last-modified"] == RELEASED
        assert ask("/").headers["last-modified"] == formatdate(FIRST_RELEASED + HOUR, usegmt=True)

    def test_8_8_3_etag_is_strong_and_differs_by_coding(self, ask: Ask) -> None:
        tags = {ask("/css/site.css", accept_encoding=c).headers["etag"] for c in ("gzip", "br", "identity")}
        assert tags == {f'"{sha256(body)}"' for body in (STYLE_GZIP, STYLE_BR, STYLE)}

    def test_8_8_3_etag_is_the_same_again_after_a_roll_back(self, ask: Ask, site: Live) -> None:
        before = ask("/ten.txt")
        site.publish(2, SITE | {"ten.txt": b"other"})
        assert ask("/ten.txt").body == b"other"
        site.point_at(1)
        after = ask("/ten.txt")
        assert (after.headers["etag"], after.headers["last-modified"]) == (
            before.headers["etag"],
            before.headers["last-modified"],
        )

    def test_rfc_9530_repr_digest_is_of_the_representation(self, ask: Ask) -> None:
        reply = ask("/css/site.css", accept_encoding="br")
        digest = base64.b64encode(hashlib.sha256(STYLE_BR).digest()).decode()
        assert reply.headers["repr-digest"] == f"sha-256=:{digest}:"

    def test_rfc_9530_repr_digest_of_a_part_is_of_the_whole(self, ask: Ask) -> None:
        assert (
            ask("/ten.txt", range="bytes=0-1").headers["repr-digest"]
            == ask("/ten.txt").headers["repr-digest"]
        )

    def test_nosniff_is_sent_whatever_the_status(self, ask: Ask) -> None:
        for reply in (ask("/"), ask("/no"), ask("/%00"), ask("/docs"), ask("/", method="POST")):
            assert reply.headers["x-content-type-options"] == "nosniff"

    def test_release_and_rule_are_named(self, ask: Ask) -> None:
        headers = ask("/").headers
        assert (headers["assetsite-release"], headers["assetsite-rule"]) == ("1", "pages")

    def test_an_empty_file_is_served(self, ask: Ask) -> None:
        reply = ask("/empty.txt")
        assert (reply.status, reply.headers["content-length"], reply.body) == (200, "0", b"")

    def test_no_cookie_is_ever_set(self, ask: Ask) -> None:
        for target in ("/", "/no", "/-/healthz", "/-/no", "/admin/", "/admin/login/"):
            assert "set-cookie" not in ask(target).headers


class TestMethods:
    def test_9_3_2_head_has_the_headers_of_get_and_no_body(self, ask: Ask) -> None:
        for target in ("/", "/css/site.css", "/large.bin", "/empty.txt", "/no", "/no.js", "/docs", "/%00"):
            got, head = ask(target, accept_encoding="br"), ask(target, method="HEAD", accept_encoding="br")
            assert (head.status, head.headers, head.body) == (got.status, got.headers, b"")

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"if_none_match": TEN_TAG}, 304),
            ({"if_modified_since": RELEASED}, 304),
            ({"if_match": '"other"'}, 412),
            ({"host": "elsewhere.example"}, 404),
            ({"host": "a b"}, 400),
        ],
    )
    def test_9_3_2_head_is_judged_as_get_is(self, ask: Ask, fields: dict[str, str], status: int) -> None:
        if "host" in fields and ask is ask_respond:
            pytest.skip("respond knows no hosts")
        got, head = ask("/ten.txt", **fields), ask("/ten.txt", method="HEAD", **fields)
        assert got.status == head.status == status
        assert (head.headers, head.body) == (got.headers, b"")

    @pytest.mark.parametrize("target", ["/", "/no", "*"])
    def test_9_3_7_options_says_which_methods_there_are(self, ask: Ask, target: str) -> None:
        reply = ask(target, method="OPTIONS")
        assert (reply.status, reply.headers["allow"], reply.body) == (204, "GET, HEAD, OPTIONS", b"")

    @pytest.mark.parametrize("target", ["/data.json", "/ten.txt", "/no", "/%", "*"])
    def test_a_preflight_hears_what_the_rule_of_the_file_allows(self, ask: Ask, target: str) -> None:
        """Fetch standard, CORS-preflight fetch: without it a browser does not send the request itself."""
        said = {"origin": "https://a.example", "access_control_request_headers": "x-part"}
        reply = ask(target, method="OPTIONS", access_control_request_method="GET", **said)
        assert (reply.status, reply.headers["allow"], reply.body) == (204, "GET, HEAD, OPTIONS", b"")
        assert reply.headers["cache-control"] == NO_STORE
        allowed = [value for name, value in reply.headers.items() if name.startswith("access-control-")]
        assert allowed == (["*", "X-Part"] if target == "/data.json" else [])
        assert "access-control-allow-headers" not in ask(target, method="OPTIONS").headers

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
    def test_15_5_6_other_methods_get_405_with_allow(self, ask: Ask, method: str) -> None:
        reply = ask("/", method=method)
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert reply.headers["cache-control"] == NO_STORE

    def test_9_3_1_a_get_may_say_that_it_has_no_content(self, ask: Ask) -> None:
        assert ask("/ten.txt", content_length="0") == ask("/ten.txt")

    def test_7_8_an_upgrade_that_is_not_known_is_ignored(self, ask: Ask) -> None:
        reply = ask("/ten.txt", connection="Upgrade", upgrade="h2c")
        assert (reply.status, reply.body) == (200, TEN)


class TestNegotiation:
    def test_12_5_3_without_the_header_the_bytes_come_as_they_are(self, ask: Ask) -> None:
        assert ask("/css/site.css").body == STYLE

    def test_12_5_3_of_equals_the_smaller_wins(self, ask: Ask) -> None:
        assert ask("/css/site.css", accept_encoding="gzip, br").headers["content-encoding"] == "br"

    def test_12_5_3_weights_decide_before_sizes(self, ask: Ask) -> None:
        reply = ask("/css/site.css", accept_encoding="br;q=0.5, gzip;q=0.8")
        assert reply.headers["content-encoding"] == "gzip"

    def test_12_5_3_a_weight_of_zero_is_not_acceptable(self, ask: Ask) -> None:
        assert ask("/css/site.css", accept_encoding="br;q=0, gzip").headers["content-encoding"] == "gzip"

    def test_12_5_3_identity_is_refused_where_another_fits(self, ask: Ask) -> None:
        reply = ask("/css/site.css", accept_encoding="gzip;q=0.1, identity;q=0")
        assert reply.headers["content-encoding"] == "gzip"

    @pytest.mark.parametrize(
        ("accept", "coding"),
        [
            ("", None),
            ("*", "br"),
            ("*;q=0.5, br;q=0", "gzip"),
            ("GZIP", "gzip"),
            ("x-gzip", "gzip"),
            ("deflate", None),
            ("gzip;q=0.5, identity;q=0.8", None),
            ("gzip ; q=1.000", "gzip"),
            (" ,gzip,, ", "gzip"),
            ("gzip;q=1.001", None),
            ("gzip;q=0.1234", None),
            ("gzip;q=-1", None),
            ("gzip;q=", None),
            ("br;q=0.001, gzip;q=0.000", "br"),
        ],
    )
    def test_12_4_2_weights_have_a_grammar(self, ask: Ask, accept: str, coding: str | None) -> None:
        assert ask("/css/site.css", accept_encoding=accept).headers.get("content-encoding") == coding

    def test_15_5_7_never_406(self, ask: Ask) -> None:
        reply = ask("/ten.txt", accept_encoding="identity;q=0, *;q=0")
        assert (reply.status, reply.body) == (200, TEN)

    def test_12_5_5_vary_stands_exactly_where_there_is_a_choice(self, ask: Ask) -> None:
        assert ask("/css/site.css").headers["vary"] == "Accept-Encoding"
        assert "vary" not in ask("/ten.txt").headers

    def test_12_5_5_vary_is_merged_with_what_a_rule_adds(self, ask: Ask) -> None:
        assert ask("/data.json").headers["vary"] == "Origin, Accept-Encoding"


class TestPreconditions:
    @pytest.mark.parametrize(
        "value",
        [TEN_TAG, f"W/{TEN_TAG}", f'"a", {TEN_TAG}', f'W/"a",,"b" , W/{TEN_TAG}', "*", ' "a,b", ' + TEN_TAG],
    )
    def test_13_1_2_if_none_match_compares_weakly_in_lists(self, ask: Ask, value: str) -> None:
        assert ask("/ten.txt", if_none_match=value).status == 304

    @pytest.mark.parametrize("value", ['"other"', 'W/"other"', "", sha256(TEN), f'"a" {TEN_TAG}'])
    def test_13_1_2_if_none_match_of_another_gets_the_whole(self, ask: Ask, value: str) -> None:
        assert ask("/ten.txt", if_none_match=value).status == 200

    @pytest.mark.parametrize("value", [TEN_TAG, f'"a", {TEN_TAG}', "*"])
    def test_13_1_1_if_match_that_holds_proceeds(self, ask: Ask, value: str) -> None:
        assert ask("/ten.txt", if_match=value).status == 200

    @pytest.mark.parametrize("value", ['"other"', f"W/{TEN_TAG}", ""])
    def test_13_1_1_if_match_compares_strongly(self, ask: Ask, value: str) -> None:
        reply = ask("/ten.txt", if_match=value)
        assert (reply.status, reply.headers["cache-control"]) == (412, NO_STORE)

    @pytest.mark.parametrize(("moment", "status"), [(EARLIER, 200), (RELEASED, 304), (LATER, 304)])
    def test_13_1_3_if_modified_since(self, ask: Ask, moment: str, status: int) -> None:
        assert ask("/ten.txt", if_modified_since=moment).status == status

    @pytest.mark.parametrize("value", ["yesterday", "", "2026-09-22", f"{RELEASED}, {RELEASED}", "0"])
    def test_13_1_3_what_is_no_date_is_ignored(self, ask: Ask, value: str) -> None:
        assert ask("/ten.txt", if_modified_since=value).status == 200
        assert ask("/ten.txt", if_unmodified_since=value).status == 200

    @pytest.mark.parametrize(("moment", "status"), [(EARLIER, 412), (RELEASED, 200), (LATER, 200)])
    def test_13_1_4_if_unmodified_since(self, ask: Ask, moment: str, status: int) -> None:
        assert ask("/ten.txt", if_unmodified_since=moment).status == status

    def test_13_2_1_conditions_do_not_count_where_the_answer_is_no_success(self, ask: Ask) -> None:
        assert ask("/no", if_none_match="*").status == 404
        assert ask("/docs", if_match='"other"').status == 308

    def test_13_2_2_the_etag_decides_before_the_date(self, ask: Ask) -> None:
        assert ask("/ten.txt", if_none_match='"other"', if_modified_since=LATER).status == 200
        assert ask("/ten.txt", if_none_match=TEN_TAG, if_modified_since=EARLIER).status == 304
        assert ask("/ten.txt", if_match=TEN_TAG, if_unmodified_since=EARLIER).status == 200
        assert ask("/ten.txt", if_match='"other"', if_unmodified_since=LATER).status == 412

    def test_13_2_2_if_match_comes_before_if_none_match(self, ask: Ask) -> None:
        assert ask("/ten.txt", if_match='"other"', if_none_match=TEN_TAG).status == 412

    def test_13_2_2_a_condition_comes_before_the_range(self, ask: Ask) -> None:
        assert ask("/ten.txt", if_none_match=TEN_TAG, range="bytes=0-1").status == 304
        assert ask("/ten.txt", if_match=TEN_TAG, range="bytes=0-1").status == 206

    def test_13_1_2_a_tag_of_another_coding_gets_the_whole(self, ask: Ask) -> None:
        tag = ask("/css/site.css", accept_encoding="br").headers["etag"]
        assert ask("/css/site.css", accept_encoding="gzip", if_none_match=tag).status == 200

    def test_13_1_3_after_a_roll_back_the_date_in_between_is_no_304(self, ask: Ask, site: Live) -> None:
        site.publish(2, SITE | {"ten.txt": b"other"})
        site.point_at(1)
        of_release_2 = formatdate(FIRST_RELEASED + HOUR, usegmt=True)
        since_the_roll_back = formatdate(FIRST_RELEASED + 2 * HOUR, usegmt=True)
        assert ask("/ten.txt", if_modified_since=of_release_2).body == TEN
        assert ask("/ten.txt", if_modified_since=since_the_roll_back).status == 304
        assert ask("/ten.txt", if_unmodified_since=of_release_2, range="bytes=5-").status == 412

    def test_15_4_5_a_304_repeats_what_a_cache_updates(self, ask: Ask) -> None:
        whole = ask("/data.json", accept_encoding="gzip").headers
        reply = ask("/data.json", accept_encoding="gzip", if_none_match=whole["etag"])
        assert (reply.status, reply.body) == (304, b"")
        for name in ("etag", "cache-control", "vary", "access-control-allow-origin", "assetsite-release"):
            assert reply.headers[name] == whole[name]

    def test_15_4_5_a_304_says_nothing_of_a_body(self, ask: Ask) -> None:
        reply = ask("/css/site.css", if_none_match="*")
        assert not {"content-length", "content-type", "content-encoding"} & set(reply.headers)


class TestRanges:
    @pytest.mark.parametrize(
        ("asked", "body", "content_range"),
        [
            ("bytes=0-0", b"0", "bytes 0-0/10"),
            ("bytes=2-4", b"234", "bytes 2-4/10"),
            ("bytes=7-", b"789", "bytes 7-9/10"),
            ("bytes=-3", b"789", "bytes 7-9/10"),
            ("bytes=-99", TEN, "bytes 0-9/10"),
            ("bytes=8-99", b"89", "bytes 8-9/10"),
            ("Bytes=0-1", b"01", "bytes 0-1/10"),
            ("bytes=5-6, 20-30", b"56", "bytes 5-6/10"),
        ],
    )
    def test_14_1_2_one_range(self, ask: Ask, asked: str, body: bytes, content_range: str) -> None:
        reply = ask("/ten.txt", range=asked)
        assert (reply.status, reply.body, reply.headers["content-range"]) == (206, body, content_range)
        assert reply.headers["content-length"] == str(len(body))

    @pytest.mark.parametrize(
        "asked", ["lines=1-2", "bytes=", "bytes=4-2", "bytes=a-b", "bytes=-", "bytes 0-1", "bytes=1-2-3"]
    )
    def test_14_2_what_is_not_understood_is_ignored(self, ask: Ask, asked: str) -> None:
        reply = ask("/ten.txt", range=asked)
        assert (reply.status, reply.body) == (200, TEN)

    def test_14_2_only_get_has_ranges(self, ask: Ask) -> None:
        assert ask("/ten.txt", method="HEAD", range="bytes=0-1").status == 200

    def test_14_3_every_asset_says_that_it_has_ranges(self, ask: Ask) -> None:
        assert ask("/").headers["accept-ranges"] == "bytes"

    @pytest.mark.parametrize("asked", ["bytes=10-", "bytes=99-100", "bytes=-0", "bytes=10-,-0"])
    def test_15_5_17_nothing_there_is_416_with_the_size(self, ask: Ask, asked: str) -> None:
        reply = ask("/ten.txt", range=asked)
        assert (reply.status, reply.headers["content-range"]) == (416, "bytes */10")
        assert reply.headers["cache-control"] == NO_STORE

    def test_15_5_17_an_empty_file_has_no_first_byte(self, ask: Ask) -> None:
        assert ask("/empty.txt", range="bytes=0-").status == 416
        assert ask("/empty.txt", range="bytes=-5").status == 200

    def test_14_6_several_ranges_come_as_parts_in_the_order_asked(self, ask: Ask) -> None:
        reply = ask("/ten.txt", range="bytes=7-8,0-1,-1")
        assert reply.status == 206
        assert "content-range" not in reply.headers
        assert parts_of(reply) == [("bytes 7-8/10", b"78"), ("bytes 0-1/10", b"01"), ("bytes 9-9/10", b"9")]
        assert reply.headers["content-length"] == str(len(reply.body))

    def test_14_6_large_parts_come_whole(self, ask: Ask) -> None:
        reply = ask("/large.bin", range="bytes=1-100000,200000-260000")
        assert [body for _, body in parts_of(reply)] == [LARGE[1:100001], LARGE[200000:260001]]

    def test_14_2_too_many_ranges_get_the_whole(self, ask: Ask) -> None:
        asked = ",".join(f"{number}-{number}" for number in range(17))
        assert ask("/large.bin", range=f"bytes={asked}").status == 200
        assert ask("/large.bin", range=f"bytes={asked[: asked.rindex(',')]}").status == 206

    def test_14_2_ranges_larger_than_the_whole_get_the_whole(self, ask: Ask) -> None:
        assert ask("/ten.txt", range="bytes=0-9,0-9").body == TEN

    def test_14_2_a_range_is_of_the_selected_representation(self, ask: Ask) -> None:
        reply = ask("/css/site.css", accept_encoding="gzip", range="bytes=0-3")
        assert (reply.body, reply.headers["content-encoding"]) == (STYLE_GZIP[:4], "gzip")
        assert reply.headers["content-range"].endswith(f"/{len(STYLE_GZIP)}")

    def test_14_6_several_ranges_of_a_coding_get_the_whole(self, ask: Ask) -> None:
        reply = ask("/css/site.css", accept_encoding="gzip", range="bytes=0-3,5-6")
        assert (reply.status, reply.body, reply.headers["content-encoding"]) == (200, STYLE_GZIP, "gzip")

    def test_13_1_5_if_range_with_the_same_tag_gets_the_part(self, ask: Ask) -> None:
        assert ask("/ten.txt", range="bytes=0-1", if_range=TEN_TAG).status == 206

    @pytest.mark.parametrize("value", ['"other"', f"W/{TEN_TAG}", "*", LATER, EARLIER, "nonsense"])
    def test_13_1_5_if_range_with_another_validator_gets_the_whole(self, ask: Ask, value: str) -> None:
        reply = ask("/ten.txt", range="bytes=0-1", if_range=value)
        assert (reply.status, reply.body) == (200, TEN)

    def test_13_1_5_if_range_with_the_very_date_gets_the_part(self, ask: Ask) -> None:
        assert ask("/ten.txt", range="bytes=0-1", if_range=RELEASED).status == 206

    def test_13_1_5_a_part_of_another_release_is_never_spliced(self, ask: Ask, site: Live) -> None:
        before = ask("/ten.txt").headers
        site.publish(2, SITE | {"ten.txt": b"abcdefghij"})
        for validator in (before["etag"], before["last-modified"]):
            reply = ask("/ten.txt", range="bytes=5-", if_range=validator)
            assert (reply.status, reply.body) == (200, b"abcdefghij")

    def test_15_3_7_a_206_repeats_what_a_cache_needs(self, ask: Ask) -> None:
        whole, part = ask("/data.json").headers, ask("/data.json", range="bytes=0-1").headers
        for name in ("etag", "cache-control", "vary", "last-modified", "access-control-allow-origin"):
            assert part[name] == whole[name]

    def test_13_1_5_if_range_without_a_range_does_not_count(self, ask: Ask) -> None:
        assert ask("/ten.txt", if_range='"other"').body == TEN

    def test_13_2_2_a_range_that_cannot_be_is_no_matter_where_a_condition_has_decided(self, ask: Ask) -> None:
        assert ask("/ten.txt", if_none_match=TEN_TAG, range="bytes=99-").status == 304
        assert ask("/ten.txt", if_match='"other"', range="bytes=99-").status == 412
        assert ask("/ten.txt", if_range='"other"', range="bytes=99-").status == 200

    def test_15_3_7_1_a_part_says_what_it_is_of_and_no_more(self, ask: Ask) -> None:
        whole, part = ask("/ten.txt").headers, ask("/ten.txt", range="bytes=2-4").headers
        assert part == whole | {"content-range": "bytes 2-4/10", "content-length": "3"}

    def test_14_6_each_part_has_the_type_and_its_range_and_the_whole_has_neither(self, ask: Ask) -> None:
        reply = ask("/ten.txt", range="bytes=0-0,-2")
        boundary = reply.headers["content-type"].removeprefix("multipart/byteranges; boundary=")
        head = "Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes"
        assert reply.body.decode() == (
            f"--{boundary}\r\n{head} 0-0/10\r\n\r\n0\r\n"
            f"--{boundary}\r\n{head} 8-9/10\r\n\r\n89\r\n--{boundary}--\r\n"
        )
        whole = ask("/ten.txt").headers
        assert reply.headers == whole | {
            "content-type": f"multipart/byteranges; boundary={boundary}",
            "content-length": str(len(reply.body)),
        }

    def test_a_large_file_comes_whole_and_in_part(self, ask: Ask) -> None:
        assert ask("/large.bin").body == LARGE
        assert ask("/large.bin", range="bytes=70000-200000").body == LARGE[70000:200001]


class TestPaths:
    def test_a_folder_serves_its_index(self, ask: Ask) -> None:
        assert ask("/").body == PAGE
        assert ask("/docs/").body == SITE["docs/index.html"]

    def test_15_4_9_a_missing_slash_is_sent_after_it_with_the_query(self, ask: Ask) -> None:
        reply = ask("/docs?page=2&x=%20")
        assert (reply.status, reply.headers["location"]) == (308, "/docs/?page=2&x=%20")
        assert reply.headers["cache-control"] == "public, max-age=0, s-maxage=10"

    def test_the_query_names_no_other_file(self, ask: Ask) -> None:
        assert ask("/ten.txt?v=3").body == TEN

    def test_rfc_9112_3_2_2_a_target_may_be_a_whole_url(self, ask: Ask) -> None:
        assert ask("http://localhost/ten.txt").body == TEN
        assert ask("HTTP://localhost").body == PAGE

    def test_rfc_3986_a_path_is_decoded_exactly_once(self, ask: Ask) -> None:
        assert ask("/caf%C3%A9/menu%20%c3%bc.txt").body == b"coffee"
        assert ask("/%74en.txt").body == TEN
        assert ask("/%2574en.txt").status == 404

    def test_rfc_3986_6_2_2_an_escape_names_what_it_stands_for_in_either_case(self, ask: Ask) -> None:
        for target in ("/docs%2Findex.html", "/docs/index%2ehtml", "/docs/index%2Ehtml", "/%64ocs/"):
            assert ask(target).body == SITE["docs/index.html"]

    def test_what_a_target_is_to_a_shell_or_a_template_is_a_name_here(self, ask: Ask) -> None:
        for target in ("/;ls", "/$HOME", "/~root", "/{{x}}", "/%7B%25", "/a%26b", "/a+b", "/a%2Bb", "/%3F"):
            assert ask(target).status == 404

    def test_a_path_in_another_unicode_form_leads_to_the_one_that_is_kept(self, ask: Ask) -> None:
        reply = ask("/cafe%CC%81/menu%20u%CC%88.txt?q")
        assert (reply.status, reply.headers["location"]) == (308, "/caf%C3%A9/menu%20%C3%BC.txt?q")

    def test_case_counts(self, ask: Ask) -> None:
        assert ask("/TEN.txt").status == 404

    @pytest.mark.parametrize(
        "target",
        [
            "/../ten.txt",
            "/docs/../ten.txt",
            "/%2e%2e/ten.txt",
            "/docs/%2E./ten.txt",
            "/./ten.txt",
            "/docs/..",
            "//ten.txt",
            "/docs//index.html",
            "/docs//",
            "/ten.txt%00",
            "/docs%5cindex.html",
            "/docs\\index.html",
            "/%",
            "/%zz",
            "/%c3",
            "/a%0d%0ab",
            "/ten.txt#end",
            "/docs?page=2#end",
            "/ten.txt?page=2#end",
        ],
    )
    def test_15_5_1_what_is_no_path_is_400_and_not_kept(self, ask: Ask, target: str) -> None:
        reply = ask(target)
        assert (reply.status, reply.headers["cache-control"]) == (400, NO_STORE)

    @pytest.mark.parametrize("target", ["ten.txt", "*", "localhost:80", "/\xe9"])
    def test_rfc_9112_3_2_a_target_in_another_form_is_400(self, ask: Ask, target: str) -> None:
        reply = ask(target)
        # gunicorn's plain worker refuses these itself; unsaid, a 400 is not kept either (RFC 9110, 15.1).
        assert (reply.status, reply.headers.get("cache-control", NO_STORE)) == (400, NO_STORE)


class TestMissing:
    def test_15_5_5_a_404_is_kept_shortly_by_shared_caches_only(self, ask: Ask) -> None:
        reply = ask("/no")
        assert (reply.status, reply.headers["cache-control"]) == (404, "public, max-age=0, s-maxage=10")
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"

    def test_the_releases_own_page_is_sent(self, ask: Ask, site: Live) -> None:
        site.publish(2, SITE | {"404.html": b"<h1>Gone fishing</h1>"})
        reply = ask("/no/such/page")
        assert (reply.status, reply.body) == (404, b"<h1>Gone fishing</h1>")
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        assert reply.headers["cache-control"] == "public, max-age=0, s-maxage=10"

    def test_12_5_5_the_releases_own_page_is_negotiated(self, ask: Ask, site: Live) -> None:
        coded = {"404.html": {"gzip": gzip.compress(b"<h1>Gone fishing</h1>", mtime=0)}}
        site.publish(2, SITE | {"404.html": b"<h1>Gone fishing</h1>"}, coded=coded)
        reply = ask("/no", accept_encoding="gzip")
        assert (reply.status, reply.headers["content-encoding"]) == (404, "gzip")
        assert reply.headers["vary"] == ask("/no").headers["vary"] == "Accept-Encoding"
        assert gzip.decompress(reply.body) == b"<h1>Gone fishing</h1>"

    @pytest.mark.parametrize("door", ["middleware", "worker", "threads"], indirect=True)
    @pytest.mark.parametrize("size", [10, 1_000_000])
    def test_15_6_4_what_storage_lacks_is_503_until_it_is_back(self, ask: Ask, site: Live, size: int) -> None:
        content = secrets.token_bytes(size)
        site.publish(2, SITE | {"late.bin": content})
        blob = site.blob(content)
        blob.unlink()
        reply = ask("/late.bin")
        assert (reply.status, reply.headers["cache-control"]) == (503, NO_STORE)
        assert reply.headers["retry-after"] == "5"
        site.blob(content)
        assert ask("/late.bin").body == content

    def test_the_404_page_has_no_validators_and_no_ranges(self, ask: Ask, site: Live) -> None:
        site.publish(2, SITE | {"404.html": b"<h1>Gone fishing</h1>"})
        reply = ask("/no", range="bytes=0-1", if_none_match="*")
        assert (reply.status, reply.body) == (404, b"<h1>Gone fishing</h1>")
        assert not {"etag", "last-modified", "accept-ranges"} & set(reply.headers)

    @pytest.mark.parametrize("name", ["app.js", "app.3f2a9c41.css", "deep/module.mjs"])
    def test_a_missing_part_of_a_page_is_never_kept(self, ask: Ask, site: Live, name: str) -> None:
        site.publish(2, SITE | {"404.html": b"<h1>Gone fishing</h1>"})
        reply = ask(f"/{name}")
        assert (reply.status, reply.headers["cache-control"]) == (404, NO_STORE)
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"

    @pytest.mark.parametrize("target", ["/admin/", "/admin/login/", "/api/v1/", "/static/admin/css/base.css"])
    def test_what_the_staff_has_is_not_here(self, ask: Ask, target: str) -> None:
        assert ask(target).status == 404


def parts_of(reply: Reply) -> list[tuple[str, bytes]]:
    """Read a multipart/byteranges body strictly: (Content-Range, bytes) of each part."""
    boundary = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", reply.headers["content-type"])
    assert boundary
    mark = f"--{boundary[1]}".encode()
    assert reply.body.startswith(mark + b"\r\n")
    assert reply.body.endswith(b"\r\n" + mark + b"--\r\n")
    pieces = reply.body[len(mark) + 2 : -len(mark) - 6].split(b"\r\n" + mark + b"\r\n")
    parts = []
    for piece in pieces:
        head, _, body = piece.partition(b"\r\n\r\n")
        names = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        assert set(names) == {"Content-Type", "Content-Range"}
        parts.append((names["Content-Range"], body))
    return parts
