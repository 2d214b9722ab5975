"""People talk with a real site while its processes are killed; afterwards three books are compared.

script/soak                                       two minutes, one process on SQLite, a kill every 20 s
script/soak --processes 2 --seconds 600           two processes on PostgreSQL and Redis
script/soak --seconds 20 --plant lose             with a fault in the site: this must fail
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from cozechat.emulator import process
from cozechat.emulator.process import RunningEmulator
from tests.load import books, fastest_loop, verdict
from tests.load.books import Row
from tests.load.planted import PLANTS
from tests.load.sites import ROOT, Site, SoakError, Weather, environment, own_database, storm
from tests.load.talkers import Crowd, Person
from tests.load.verdict import Books, Line
from tests.reader import ENDS

# After the last question: the longest answer, and the longest recovery.
PATIENCE = 60.0
_COUNTED = (
    "questions sent", "stops", "connections dropped", "frames", "deltas", "syncs", "resumes", "gaps",
    "repeated deltas suppressed", "ends that needed a look", "silences ended by asking",
)  # fmt: skip


class Soak:
    """One run in a directory of its own; every process that it starts it also ends."""

    def __init__(self, options: argparse.Namespace, *, directory: Path, stack: ExitStack) -> None:
        self.options = options
        self.state_dir = directory / "coze"
        self.emulator: RunningEmulator = stack.enter_context(process.start(self.state_dir, pace=options.rate))
        shared = options.processes > 1
        database_url = stack.enter_context(own_database(os.environ["DATABASE_URL"] if shared else ""))
        self.environment = environment(
            directory,
            emulator=self.emulator,
            database_url=database_url,
            redis_url=os.environ["REDIS_URL"] if shared else "",
        )
        program = ("-m", "tests.load.planted", options.plant) if options.plant else ("manage.py",)
        self.sites = [
            Site(number=number, directory=directory, settings=self.environment, program=program)
            for number in range(options.processes)
        ]
        for site in self.sites:
            stack.callback(site.abandon)
        self.weather = Weather()

    async def run(self) -> Books:
        """Let everybody talk, and gather the books."""
        options = self.options
        sessions = await asyncio.to_thread(self._python, "tests.load.people", "make", str(options.people))
        for site in self.sites:
            await site.start()
        crowd = Crowd([site.url for site in self.sites])
        chance = random.Random(options.seed)
        people = [
            Person(number, session=session, crowd=crowd, chance=random.Random(chance.random()))
            for number, session in enumerate(sessions)
        ]
        living = [asyncio.create_task(person.live()) for person in people]
        try:
            async with asyncio.timeout(options.seconds + 200):
                await self._talking(crowd, people=people)
        finally:
            crowd.over = True
            for task in living:
                task.cancel()
            for outcome in await asyncio.gather(*living, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome
        for site in self.sites:
            await site.end()
        return await asyncio.to_thread(self._gather, crowd, people)

    async def _talking(self, crowd: Crowd, *, people: list[Person]) -> None:
        options = self.options
        blows = asyncio.create_task(
            storm(self.sites, weather=self.weather, seconds=options.seconds, every=options.kill_every)
        )
        await asyncio.sleep(options.seconds)
        await blows
        crowd.closing = True
        await _until(lambda: all(_is_quiet(person) for person in people), seconds=PATIENCE)
        await self._last_look(people)

    async def _last_look(self, people: list[Person]) -> None:
        """Every tab asks for every answer whose end it has not seen; it was dropped, or shows another thread."""
        tabs = [tab for person in people for tab in person.tabs]

        def missing() -> list[tuple[Any, str]]:
            return [
                (tab, turn)
                for tab in tabs
                for turn in {question.turn for question in tab.person.questions.values()}
                if turn and not tab.shown_of(turn).ended
            ]

        for _each in range(8):
            for number, (tab, turn) in enumerate(missing()):
                await tab.resume(turn)
                if number % 40 == 39:
                    await asyncio.sleep(0.5)
            await _until(lambda: not missing(), seconds=4.0)

    def _gather(self, crowd: Crowd, people: list[Person]) -> Books:
        rows = [Row(**row) for row in self._python("tests.load.books")]
        books.wait_until_silent(self.state_dir, seconds=20)
        ledger = self.emulator.ledger()
        return Books(
            people=people,
            crowd=crowd,
            weather=self.weather,
            rows=rows,
            chats=books.told(self.state_dir),
            ledger_chats=sum(ledger["chats"].values()),
            logs=[site.log for site in self.sites],
        )

    def _python(self, module: str, *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            stdout=subprocess.PIPE,
            env=self.environment,
            cwd=ROOT,
            timeout=180,
            check=False,
        )
        if done.returncode:
            raise SoakError(f"{module} ended with {done.returncode}")
        return json.loads(done.stdout)


def _is_quiet(person: Person) -> bool:
    return all(question.ended in ENDS for question in person.questions.values() if question.sent)


async def _until(condition: Any, *, seconds: float) -> None:
    given_up = time.monotonic() + seconds
    while not condition() and time.monotonic() < given_up:  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(0.1)


def report(books: Books, *, lines: list[Line]) -> str:
    """The verdict as a table: what must be 0 with its n beside it, then what was counted, then what was wrong."""
    counts, recoveries = books.tally.counts, verdict.recoveries(books)
    tabs = sum(len(person.tabs) for person in books.people)
    text = [f"{len(books.people)} users, {tabs} tabs", "", "must be 0"]
    text += [f"  {line.count:>6}  {line.what}, of {line.chances} {line.of}" for line in lines]
    text += ["", "counted", f"  {len(books.rows):>6}  turns: {verdict.statuses(books.rows)}"]
    text += [f"  {counts['deltas at Coze']:>6}  deltas at Coze"]
    text += [f"  {counts[name]:>6}  {name}" for name in _COUNTED]
    text += [f"  {count:>6}  {name}" for name, count in sorted(counts.items()) if name.startswith("error ")]
    text += [f"  {seconds:>6.1f}  seconds to recover from {blow}" for blow, seconds in recoveries]
    for kind, wrong in books.tally.breaches.items():
        text += ["", f"{kind}: {counts[kind]}", *(f"  {what}" for what in wrong)]
    verdict_word = "FAILED" if any(line.count for line in lines) else "passed"
    return "\n".join([*text, "", f"The soak has {verdict_word}."])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120, help="how long people ask")
    parser.add_argument("--processes", type=int, choices=(1, 2), default=1)
    parser.add_argument("--kill-every", type=float, default=20, help="seconds between blows; 0: none")
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--rate", type=float, default=20, help="deltas a second of each answer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plant", choices=sorted(PLANTS), default="", help="put this fault into the site")
    parser.add_argument("--keep", type=Path, help="a directory for logs and databases that stays")
    options = parser.parse_args()
    with ExitStack() as stack:
        kept = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        kept.mkdir(parents=True, exist_ok=True)
        soak = Soak(options, directory=kept, stack=stack)
        with asyncio.Runner(loop_factory=fastest_loop()) as runner:
            gathered = runner.run(soak.run())
        lines = verdict.judge(gathered)
        sys.stdout.write(report(gathered, lines=lines) + "\n")
    return 1 if any(line.count for line in lines) else 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
