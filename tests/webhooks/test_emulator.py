"""The emulator calls a running site back as Coze does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cozechat.emulator.process import RunningEmulator
from tests.emulator.raw import request
from tests.processes import Site, site
from tests.webhooks.sending import look
from tests.webhooks.telling import VERIFY_TOKEN, encoded, usage_event


@pytest.fixture
def running_site(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as made:
        made.environment |= {"COZE_CALLBACK_VERIFY_TOKEN": VERIFY_TOKEN}
        yield made


def test_an_address_is_verified_and_a_bill_arrives_once(running_site: Site) -> None:
    url = running_site.start().url + "/callbacks/coze"
    coze = running_site.coze
    proven = coze.call_back(url, verify_token=VERIFY_TOKEN, event_type="url_verification")
    assert proven["status"] == 200
    assert proven["challenge"] in proven["answer"]
    unsigned = coze.call_back(url, verify_token="", event_type="url_verification", unsigned=True)
    assert (unsigned["status"], proven["challenge"] in unsigned["answer"]) == (200, False)
    bill = {"event_type": "benefit.usage", "event": usage_event("c-1", charge="b-1", tokens=(1, 2))}
    for _each in range(3):
        told = coze.call_back(url, verify_token=VERIFY_TOKEN, event_id="e-1", **bill)
        assert (told["status"], told["event_id"]) == (200, "e-1")
    assert coze.call_back(url, verify_token="wrong", **bill)["status"] == 401
    assert coze.call_back(url, verify_token=VERIFY_TOKEN, unsigned=True, **bill)["status"] == 401
    assert set(look(running_site)["events"]) == {"e-1"}


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "http://example.com/", "http://10.0.0.1/", "", "http://["]
)
def test_only_this_machine_is_called_back(url: str, coze_process: RunningEmulator) -> None:
    headers = {"Authorization": f"Bearer {coze_process.control_token}"}
    body: dict[str, Any] = {"url": url, "verify_token": "x", "event_type": "url_verification"}
    assert (
        request(coze_process, "POST", "/emulator/callbacks", body=encoded(body), headers=headers).status
        == 400
    )


def test_a_site_that_is_not_there_is_said_to_be_so(coze_process: RunningEmulator) -> None:
    told = coze_process.call_back("http://127.0.0.1:9/x", verify_token="x", event_type="bot.published")
    assert told["status"] == 0


def test_only_who_controls_the_emulator_calls_back(coze_process: RunningEmulator) -> None:
    body = {"url": "http://127.0.0.1:9/x", "verify_token": "x", "event_type": "bot.published"}
    assert request(coze_process, "POST", "/emulator/callbacks", body=encoded(body)).status == 401
