"""One call from its admission to its settlement, in a task that no client can cancel."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from django.conf import settings

from cozechat import database
from cozechat.coze.errors import CozeError
from cozechat.coze.polling import PollsSpent
from cozechat.gateway import books, errors, interruptions, memory, rates, sessions
from cozechat.gateway.admitted import Admitted
from cozechat.gateway.answers import Answer, Text
from cozechat.gateway.books import Ending
from cozechat.gateway.drains import Drains
from cozechat.gateway.errors import Refusal
from cozechat.gateway.inquiry import Inquiry
from cozechat.gateway.outlet import Outlet
from cozechat.gateway.places import Place
from cozechat.gateway.routes import Manner
from cozechat.usage.estimating import tokens_in
from cozechat.usage.reserving import CozeIds

logger = logging.getLogger(__name__)
Spawn = Callable[[Coroutine[Any, Any, Any]], object]


class Call:
    """A call while it runs; whoever reads it looks at `outlet`."""

    def __init__(self, admitted: Admitted, *, spawn: Spawn, drains: Drains) -> None:
        self.admitted = admitted
        self.outlet = Outlet(on_leave=self._left, on_heard=self._heard)
        self.answer = Answer()
        self.pace = rates.Pace(admitted.key)
        self.canceled = False
        self.abandoned = False
        # Why it failed, while nobody knows yet what it cost.
        self._unpaid: Refusal | None = None
        # Which call is told: an earlier one, if this repeats it.
        self.told_id = admitted.request_id
        self._spawn = spawn
        self._drains = drains
        self._user = admitted.user
        self._place = Place(admitted.route, conversation=admitted.conversation)
        self.inquiry = Inquiry(admitted, place=self._place, hear=self.outlet.put, note=self._accepted)
        self.input_estimate = tokens_in(self.inquiry.question.weight)

    async def _accepted(self, ids: CozeIds) -> None:
        await books.accepted(self, ids=ids)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Parameters that were taken and change nothing."""
        return self.inquiry.question.ignored

    @property
    def conversation_id(self) -> str:
        """What the client calls the conversation that goes on, if there is one."""
        return self._place.public_id

    @property
    def request_id(self) -> str:
        """What logs, headers, holds and records call it."""
        return self.admitted.request_id

    # From outside

    def _left(self) -> None:
        """The client is gone: finish all the same, or stop, as the assistant's policy says."""
        route = self.admitted.route
        if not route.manner.is_chat or self.admitted.remembered is not None:
            return
        if route.drains and self._drains.begin(self.request_id, key=self.admitted.key):
            return
        self.canceled = True
        self._stop()

    def _heard(self) -> None:
        """Who asks the same from now on wants it once more."""
        if self.admitted.remembered is not None:
            self._spawn(database.run(memory.hear, self.told_id, now=books.now()))

    def abandon(self) -> None:
        """The process ends: what Coze has taken is settled later, by whoever asks Coze how it ended."""
        self.abandoned = True
        self.outlet.end(errors.restarting(accepted=self.inquiry.posted))
        self._stop()

    def _stop(self) -> None:
        self.inquiry.over = True
        if self.inquiry.asking is not None:
            self._spawn(self.inquiry.asking.stop())

    # The life of it

    async def run(self) -> None:
        """From admission to settlement; whatever happens, the reader hears an end."""
        try:
            await self._run()
        except Exception:
            logger.exception("call %s failed here", self.request_id)
        finally:
            self.outlet.end(errors.internal())

    async def _run(self) -> None:
        async with AsyncExitStack() as conversation:
            outcome = await self._outcome(conversation)
            if outcome is None:
                return
            # Whoever hears the end may call again at once, unless a chat may still run in this conversation.
            if self._unpaid is None:
                await conversation.aclose()
            self.outlet.end(outcome)
            if self._unpaid is not None:
                await self._pay_late(self._unpaid)
        await self._place.leave(self.inquiry.asking, keep=self.abandoned)

    async def _outcome(self, conversation: AsyncExitStack) -> Answer | Refusal | None:
        """How the call ends; its slot is free by then. None if it was told again instead of made."""
        try:
            await self.pace.count_request()
            if self.admitted.remembered is not None and await self._is_told_again():
                return None
            async with AsyncExitStack() as slot:
                await self._admit(slot, conversation)
                return await self._carry_out()
        except Refusal as refusal:
            await books.refuse(self, refusal=refusal)
            await self._forget()
            return refusal

    async def _forget(self) -> None:
        if self.admitted.remembered is not None:
            await database.run(memory.forget, self.request_id)

    async def _is_told_again(self) -> bool:
        assert self.admitted.remembered is not None  # noqa: S101 - for the type checker
        try:
            stored = await database.run(memory.claim, self.admitted.remembered, now=books.now())
        except Refusal as refusal:
            self.outlet.end(refusal)
            return True
        if stored is None:
            return False
        self.told_id = stored.request_id
        outcome = await memory.ended(stored)
        if isinstance(outcome, Answer):
            await self.outlet.put(Text(outcome.text, outcome.reasoning))
        self.outlet.end(outcome)
        return True

    async def _admit(self, slot: AsyncExitStack, conversation: AsyncExitStack) -> None:
        """Pace, a slot, the conversation, the money; nothing of it is Coze's business. Raises Refusal."""
        try:
            await self.pace.take_tokens(self.input_estimate + self.output_estimate)
            await slot.enter_async_context(rates.slot(self.admitted.key, request_id=self.request_id))
            await conversation.enter_async_context(self._place.claimed(self.request_id))
            await self._reserve()
        except Refusal:
            raise
        except Exception:
            logger.exception("call %s could not be let in", self.request_id)
            raise errors.internal() from None

    async def _reserve(self) -> None:
        """Set the money aside, and give it back if there is no call after all. Raises Refusal."""
        await books.reserve(self)
        try:
            await self._make_room()
            self.inquiry.put_question()
        except Exception as error:
            await books.release(self, code=error.code if isinstance(error, Refusal) else "internal_error")
            raise

    async def _make_room(self) -> None:
        """Rows for whoever is new: only now, when pace and money have let the call in. Raises Refusal."""
        self._user = await database.run(sessions.stored, self.admitted.user, key=self.admitted.key)
        await self._place.begin(self._user, request_id=self.request_id)

    @property
    def output_estimate(self) -> int:
        """For how much output money is set aside."""
        manners = self.admitted.route.manners
        return min(self.admitted.asked.most_output or manners.usual_output, manners.most_output)

    async def _carry_out(self) -> Answer | Refusal:
        """Ask Coze and settle. The money has been set aside."""
        try:
            failure = await self._failure()
        except Exception:
            logger.exception("call %s failed here", self.request_id)
            failure = errors.internal()
        if failure is not None:
            await self._fail(failure)
            return failure
        if self.canceled or self.abandoned:
            await self._break_off()
            return errors.restarting(accepted=self.inquiry.posted)
        await self._complete()
        return self.answer

    async def _failure(self) -> Refusal | None:
        """Why there is no answer, if there is none."""
        try:
            async with asyncio.timeout(self._patience):
                await self.inquiry.ask(self._user)
        except PollsSpent as error:
            self.abandoned = True
            return errors.from_coze(error, accepted=True, execute_id=self.inquiry.execute_id)
        except CozeError as error:
            logger.warning("call %s: %s", self.request_id, error)
            return errors.from_coze(error, accepted=self.inquiry.accepted, execute_id=self.inquiry.execute_id)
        except TimeoutError:
            return errors.took_too_long()
        except Refusal as refusal:
            return refusal
        stopped = self.canceled or self.abandoned
        return None if stopped or self.inquiry.length else errors.empty_response()

    @property
    def _patience(self) -> float | None:
        """A long run has its own measure: so many polls."""
        is_long = self.admitted.route.manner is Manner.LONG_RUN
        return None if is_long else float(settings.TURN_SECONDS) + 30

    # The ends of it

    async def _complete(self) -> None:
        self.answer.text, self.answer.reasoning = self.inquiry.text, self.inquiry.reasoning
        self.answer.suggestions = self.inquiry.suggestions
        self.answer.execute_id = self.inquiry.execute_id
        self.answer.conversation_id = self.conversation_id
        await books.settle(self, ending=Ending.COMPLETED)
        await self._remember(self.answer)

    async def _fail(self, failure: Refusal) -> None:
        if not self.inquiry.accepted:
            await books.release(self, code=failure.code)
            await self._forget()
        elif not self.abandoned:
            await self._note(failure)
            await self._remember(failure)
            if self.inquiry.asking is None or not self.inquiry.asking.cost_is_open:
                await books.settle(self, ending=Ending.FAILED, code=failure.code)
            elif self._drains.begin(self.request_id, key=self.admitted.key):
                self._unpaid = failure
            else:
                # Too many wait for Coze's counts already: this one is looked up with the deserted ones.
                self.abandoned = True
        # Else it goes on at Coze: its hold stays open until somebody has heard how it ended.

    async def _pay_late(self, failure: Refusal) -> None:
        """What it cost may be known in half a minute only; the client and its slot do not wait for that."""
        assert self.inquiry.asking is not None  # noqa: S101 - see `_fail`
        if await self._place.learn_cost(self.inquiry.asking):
            await books.settle(self, ending=Ending.FAILED, code=failure.code)
        else:
            self.abandoned = True

    async def _note(self, failure: Refusal) -> None:
        """A run that waits is remembered before its client hears how to go on."""
        route = self.admitted.route
        await database.run(
            interruptions.note,
            failure,
            end_user=self._user.session_name,
            app_id=route.app.pk,
            workflow_id=route.workflow_id,
            now=books.now(),
        )

    async def _break_off(self) -> None:
        if not self.inquiry.posted:
            await books.release(self, code="client_left" if self.canceled else "restarting")
        elif self.canceled:
            await self._place.cancel(self.inquiry.asking)
            await books.settle(self, ending=Ending.CANCELED, code="client_left")

    async def _remember(self, outcome: Answer | Refusal) -> None:
        if self.admitted.remembered is not None:
            await database.run(memory.finish, self.request_id, outcome=outcome)
