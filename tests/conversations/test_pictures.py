"""Pictures in answers: nothing is fetched from a host that the site has not named."""

import time

import pytest
from django.conf import settings as configured
from django.test import Client

from conversations import rendering
from conversations.rendering import render
from cozechat.checks import check_picture_hosts

DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


@pytest.fixture
def trusting(settings):
    settings.REMOTE_IMAGE_HOSTS = ["pictures.example", "*.cdn.example"]


def test_a_picture_of_another_host_is_a_link_that_says_so():
    html = render("![a <cat>](https://evil.example/cat.png?q=1&r=2)")
    assert "<img" not in html
    assert 'href="https://evil.example/cat.png?q=1&amp;r=2"' in html
    assert '<span class="picture-host">evil.example</span>' in html
    assert "a &lt;cat&gt;" in html
    assert 'rel="noopener noreferrer nofollow"' in html


@pytest.mark.parametrize("host", ["pictures.example", "PICTURES.example", "a.cdn.example", "a.b.cdn.example"])
def test_a_picture_of_a_host_that_the_site_names_is_shown(trusting, host):
    html = render(f"![cat](https://{host}/cat.png)")
    assert "<img" in html
    assert 'referrerpolicy="no-referrer"' in html
    assert 'alt="cat"' in html


@pytest.mark.parametrize(
    "address",
    [
        "http://pictures.example/cat.png",
        "https://pictures.example.evil.example/cat.png",
        "https://evil.example/pictures.example",
        "https://pictures.example@evil.example/cat.png",
        "https://evil.example#pictures.example",
        "https://pictures.example:8443/cat.png",
        "https://evil.example\\@pictures.example/",
        "https:\\\\evil.example/",
        "https://cdn.example/cat.png",
        "https://evilcdn.example/cat.png",
        "//pictures.example/cat.png",
        "/api/conversations/",
        "cat.png",
        "javascript:alert(1)",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:text/html;base64,PHN2Zz4=",
        "ftp://pictures.example/cat.png",
    ],
)
def test_no_other_address_becomes_a_picture(trusting, address):
    html = render(f"![cat]({address})")
    assert "<img" not in html
    assert 'href="data:' not in html
    assert 'href="javascript:' not in html


def test_inside_a_link_there_is_no_other(trusting):
    html = render(
        "[![badge](https://evil.example/b.svg)](https://there.example/) [![c](https://pictures.example/c)](https://there.example/)"
    )
    assert html.count("<a ") == 2
    assert "<img" in html


def test_a_small_picture_in_the_text_is_shown_and_no_link_carries_one():
    assert f'src="{DOT}"' in render(f"![dot]({DOT})")
    assert "data:" not in render(f"[dot]({DOT})").replace(f"({DOT})", "")
    assert "<img" not in render(f"![dot](data:image/png;base64,{'A' * 70_000})")


def test_what_was_rendered_for_other_hosts_is_rendered_anew(settings):
    before = rendering.version()
    settings.REMOTE_IMAGE_HOSTS = ["pictures.example"]
    assert rendering.version() != before
    assert rendering.version() < 2**15


def test_the_page_s_policy_fetches_nothing_from_elsewhere(client: Client):
    policy = client.get("/accounts/login/").headers["Content-Security-Policy"]
    (images,) = [part for part in policy.split(";") if part.strip().startswith("img-src")]
    assert images.split() == ["img-src", "'self'", "data:", "blob:"]
    assert configured.REMOTE_IMAGE_HOSTS == []


@pytest.mark.parametrize(
    "host", ["https://a.example", "a.example/", "*", "*.*.example", "a b", "'self'", "data:", ";"]
)
def test_what_is_no_host_is_refused_by_the_checks(settings, host):
    settings.REMOTE_IMAGE_HOSTS = ["a.example", "*.a.example", host]
    assert [found.id for found in check_picture_hosts()] == ["cozechat.E061"]


@pytest.mark.parametrize(
    "seed", ["![", "![](", "![a](b", "![a](https://x.example/", "![![a](b)](c)", "!", "![a](<", '![a](b "']
)
def test_pictures_that_never_end_cost_no_time(seed):
    text = (seed * 65_536)[:65_536]
    began = time.process_time()
    render(text)
    assert time.process_time() - began < 0.5 * 4  # The machine of the tests may be four times slower.
