"""From where and with what: enough to recognise oneself, too little to follow anybody."""

import pytest
from django.test import RequestFactory

from cozechat import logs
from cozechat.audit import circumstances
from cozechat.audit.models import Verb
from cozechat.audit.recording import record


@pytest.mark.parametrize(("address", "network"), [
    ("203.0.113.77", "203.0.113.0/24"),
    ("::ffff:203.0.113.77", "203.0.113.0/24"),
    ("2001:db8:1:2:3::9", "2001:db8:1::/48"),
    ("fe80::1%eth0", "fe80::/48"),
    ("", ""), ("rubbish", ""), ("1.2.3.4.5", ""), ("\x00", ""),
])  # fmt: skip
def test_an_address_is_cut_to_its_network(address, network):
    assert circumstances.network_of(address) == network


@pytest.mark.parametrize(("header", "program"), [
    ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140", "Edge, Windows"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit Version/18 Safari/604.1", "Safari, iOS"),
    ("Mozilla/5.0 (Linux; Android 15) AppleWebKit Chrome/140 Mobile Safari MicroMessenger/8.0", "WeChat, Android"),
    ("curl/8.5.0", "curl"), ("", ""), ("\x00\xff" * 4000, "?"),
])  # fmt: skip
def test_a_program_is_told_by_its_kind(header, program):
    assert circumstances.program_of(header) == program


def test_the_proxy_is_believed_only_if_there_is_one(settings):
    request = RequestFactory().get("/", headers={"x-forwarded-for": "198.51.100.9, 203.0.113.5"})
    assert circumstances.of(request).address == "127.0.0.0/24"
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert circumstances.of(request).address == "203.0.113.0/24"


@pytest.mark.django_db
def test_the_id_of_a_request_is_the_one_in_the_log(alice):
    with logs.also(request_id="req_7"):
        event = record(Verb.OPENED, subject_id=alice.pk)
    assert (event.request_id, record(Verb.OPENED, subject_id=alice.pk).request_id) == ("req_7", "")


def test_outside_of_a_request_nobody_acts():
    assert circumstances.current() == circumstances.Circumstances()
