"""The soak in small: it passes on a healthy site, and fails on each fault that is put into one."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.load.sites import ROOT

# What each fault is found as: a line of the table.
FOUND_AS = {
    "abandon": "turns that never ended",
    "ask-twice": "doubled POSTs",
    "close-oddly": "unexplained closes",
    "drop": "answers shown otherwise than stored",
    "end-twice": "double ends",
    "forget": "lost questions",
    "lose": "answers stored otherwise than Coze sent them",
    "miswrite": "answers stored otherwise than Coze sent them",
    "repeat": "doubled questions",
    "stray": "foreign frames",
}
AFTER_A_KILL = {"abandon"}


def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.load.soak", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def wrong(printed: str) -> dict[str, int]:
    """The lines of the verdict that do not count 0."""
    table = printed.partition("must be 0\n")[2].partition("\n\n")[0]
    lines = re.findall(r"^ +(\d+)  (.+), of \d+ ", table, re.MULTILINE)
    assert len(lines) == 15, printed
    return {what: int(count) for count, what in lines if int(count)}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_site_whose_process_is_killed_and_ended_loses_doubles_and_mixes_up_nothing():
    done = soak("--seconds", "120", "--kill-every", "20")
    sys.stdout.write(done.stdout)
    assert wrong(done.stdout) == {}, done.stdout
    assert done.returncode == 0, done.stderr
    assert re.search(r"seconds to recover from kill", done.stdout)
    assert re.search(r"seconds to recover from term", done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_planted_fault_makes_it_fail():
    def run(plant: str) -> subprocess.CompletedProcess[str]:
        seconds, kill_every = ("16", "6") if plant in AFTER_A_KILL else ("8", "0")
        return soak("--seconds", seconds, "--kill-every", kill_every, "--people", "10", "--plant", plant)

    with ThreadPoolExecutor(3) as threads:
        outcomes = dict(zip(FOUND_AS, threads.map(run, FOUND_AS), strict=True))
    for plant, done in outcomes.items():
        assert done.returncode == 1, (plant, done.stdout, done.stderr)
        assert any(what.startswith(FOUND_AS[plant]) for what in wrong(done.stdout)), (plant, done.stdout)
