import pytest

from apps.origins import origin_of


@pytest.mark.parametrize(
    "url", ["https://www.example.com", "http://10.0.0.5:8080", "http://[::1]:8000", "https://a.example:443"]
)
def test_scheme_host_and_port_are_kept_as_they_are_written(url: str) -> None:
    assert origin_of(url) == origin_of(f"{url}/") == url


@pytest.mark.parametrize(
    "url",
    [
        "", "*", "www.example.com", "//www.example.com", "ftp://www.example.com", "https://", "https:///path",
        "https://www.example.com/shop", "https://www.example.com//", "https://www.example.com?a=1",
        "https://www.example.com#top", "https://ann@www.example.com", "https://:secret@www.example.com",
        "https://www.example.com:0", "https://www.example.com:99999", "https://www.example.com:port",
        "https://[::1",
    ],
)  # fmt: skip
def test_what_is_less_or_more_is_none(url: str) -> None:
    assert origin_of(url) == ""
