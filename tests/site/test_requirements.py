"""The locks hold exactly what the requirement files ask for, and can be installed anywhere."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["requirements", "requirements-scale", "requirements-dev"]
ALL = [*NAMES, "tests/gateway/langchain/requirements"]
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_for(name: str) -> dict[str, str]:
    """The pins of a requirement file and of those that it includes."""
    pins: dict[str, str] = {}
    for line in (ROOT / f"{name}.txt").read_text().splitlines():
        included = re.match(r"-r (.+)\.txt$", line)
        if included:
            pins |= asked_for(included[1])
        elif line and not line.startswith("#"):
            pin = PIN.match(line)
            assert pin, f"{name}.txt does not pin: {line}"
            pins[normal(pin[1])] = pin[2]
    return pins


def locked(name: str) -> dict[str, set[str]]:
    """Every version that a lock holds; a package may have one for each platform."""
    pins: dict[str, set[str]] = {}
    for line in (ROOT / f"{name}.lock").read_text().splitlines():
        pin = PIN.match(line)
        if pin:
            pins.setdefault(normal(pin[1]), set()).add(pin[2])
    return pins


@pytest.mark.parametrize("name", ALL)
def test_a_lock_holds_every_pin_of_its_requirements(name: str) -> None:
    held = locked(name)
    wrong = {
        package: held.get(package)
        for package, version in asked_for(name).items()
        if held.get(package) != {version}
    }
    assert wrong == {}, "run script/lock"


@pytest.mark.parametrize(("smaller", "larger"), list(pairwise(NAMES)))
def test_a_larger_lock_contains_the_smaller_one(smaller: str, larger: str) -> None:
    held = locked(larger)
    assert {
        package for package, versions in locked(smaller).items() if held.get(package) != versions
    } == set()


@pytest.mark.parametrize("name", ALL)
def test_every_locked_package_has_hashes(name: str) -> None:
    blocks = re.split(r"\n(?=\S)", (ROOT / f"{name}.lock").read_text())
    pins = [block for block in blocks if PIN.match(block)]
    assert pins
    assert [block.split()[0] for block in pins if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("name", ALL)
def test_a_lock_names_no_host(name: str) -> None:
    text = (ROOT / f"{name}.lock").read_text()
    assert "://" not in text
    assert "index" not in text.replace("--hash", "")
