"""Faults are armed, listed and counted, by whoever holds the control token."""

from pathlib import Path
from typing import Any

import pytest

from cozechat.emulator.faults.board import BadFaultError, Board
from cozechat.emulator.faults.catalog import FAULTS
from cozechat.emulator.leaks import LEAKS
from cozechat.emulator.process import RunningEmulator

from .raw import Session, count_to, request


def test_faults_are_counted_listed_and_disarmed(emulator: RunningEmulator, alice: Session, arm: Any) -> None:
    before = emulator.ledger()["faults"].get("truncate", 0)
    arm("truncate", times=None)
    count_to(alice)
    count_to(alice)
    assert emulator.ledger()["faults"]["truncate"] == before + 2
    headers = {"Authorization": f"Bearer {emulator.control_token}"}
    listed = request(emulator, "GET", "/emulator/faults", headers=headers).json["faults"]
    assert {
        "name": "truncate",
        "path": "/v1/workflows/chat|/v3/chat$|/v3/chat/submit_tool_outputs|/v1/workflow/stream_",
        "session_name": alice.name,
        "times": None,
        "after": 3,
        "finish": 1,
    } in listed
    request(emulator, "DELETE", "/emulator/faults?name=truncate", headers=headers)
    assert count_to(alice).events[-1] == "done"


def test_faults_can_be_armed_on_the_command_line(start: Any) -> None:
    alice = Session(start(faults=["error-event:after=1,code=4009,times=1", "line-separators"]))
    assert count_to(alice).frames[-1] == ("error", '{"code":"4009","msg":"server error"}')
    assert "\u2028" in count_to(alice).body.decode()


def test_control_needs_the_control_token(emulator: RunningEmulator, alice: Session) -> None:
    for method, path in (
        ("GET", "/emulator/ledger"),
        ("POST", "/emulator/faults"),
        ("POST", "/emulator/revoke"),
    ):
        for headers in ({}, {"Authorization": f"Bearer {alice.token}"}, {"Authorization": "Bearer é"}):
            assert request(emulator, method, path, headers=headers).status == 401
    identity = request(emulator, "GET", "/emulator/identity").json
    assert identity["public_key_id"] == emulator.credentials.public_key_id


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"name":"x"}',
        b'{"name":"stall","after":"x"}',
        b'{"name":"stall","volume":1}',
        b"[",
        b'{"name":"stall","self":1}',
    ],
)
def test_a_fault_that_does_not_exist_is_refused(emulator: RunningEmulator, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {emulator.control_token}"}
    reply = request(emulator, "POST", "/emulator/faults", body=body, headers=headers)
    assert reply.json["code"] in (400, 4000)


def test_a_spec_is_read_with_its_types() -> None:
    fault = Board().arm_spec("stall:after=5,seconds=0.5,times=2,session_name=u_x")
    assert fault.settings == {"after": 5, "seconds": 0.5, "finish": 1}
    assert (fault.times, fault.session_name) == (2, "u_x")
    with pytest.raises(BadFaultError, match="no fault is called"):
        Board().arm_spec("earthquake")


def test_the_documentation_names_every_fault_and_leak() -> None:
    page = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text()
    assert [name for name in (*FAULTS, *LEAKS) if f"`{name}`" not in page] == []
