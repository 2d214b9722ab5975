"""One call from its admission to its settlement, in a task that no client can cancel."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, aclosing
from typing import Any

from django.conf import settings

from accounts import tokens
from cozechat import database
from cozechat.catalog.clients import coze_client
from cozechat.coze.errors import ConversationNotFound, CozeError, TokenRefused
from cozechat.coze.polling import Pace, PollsSpent
from cozechat.coze.types import Caller
from cozechat.gateway import books, errors, memory, rates
from cozechat.gateway.admitted import Admitted
from cozechat.gateway.answers import Accepted, Answer, Suggestion, Text
from cozechat.gateway.asking import Asking
from cozechat.gateway.books import Ending
from cozechat.gateway.errors import Refusal
from cozechat.gateway.outlet import Outlet, Piece
from cozechat.gateway.places import Place
from cozechat.gateway.questions import Question, question_for
from cozechat.gateway.stopwatch import Stopwatch
from cozechat.usage.estimating import tokens_in, weight

logger = logging.getLogger(__name__)
Spawn = Callable[[Coroutine[Any, Any, Any]], object]


class Call:
    """A call while it runs; whoever reads it looks at `outlet`."""

    def __init__(self, admitted: Admitted, *, spawn: Spawn) -> None:
        self.admitted = admitted
        self.outlet = Outlet(on_leave=self._left)
        self.answer = Answer()
        self.pace = rates.Pace(admitted.key)
        self.accepted = False
        self.canceled = False
        self.abandoned = False
        # Which call is told: an earlier one, if this repeats it.
        self.told_id = admitted.request_id
        self._spawn = spawn
        self.watch = Stopwatch()
        self._asking: Asking | None = None
        # Joined once: a long answer comes in a hundred thousand pieces.
        self._said: list[Text] = []
        self._length = 0
        self._place = Place(admitted.route, user=admitted.user, conversation=admitted.conversation)
        self._question: Question = question_for(
            admitted.route, asked=admitted.asked, sticky=self._place.is_known
        )
        self.input_estimate = tokens_in(self._question.weight)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Parameters that were taken and change nothing."""
        return self._question.ignored

    @property
    def request_id(self) -> str:
        """What logs, headers, holds and records call it."""
        return self.admitted.request_id

    # From outside

    def _left(self) -> None:
        """The client is gone: finish all the same, or stop, as the assistant's policy says."""
        if self.admitted.route.drains or self.admitted.remembered is not None:
            return
        self.canceled = True
        self._stop()

    def abandon(self) -> None:
        """The process ends: what Coze has taken is settled later, by whoever asks Coze how it ended."""
        self.abandoned = True
        self.outlet.end(errors.restarting())
        self._stop()

    def _stop(self) -> None:
        if self._asking is not None:
            self._spawn(self._asking.stop())

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
        if self.admitted.remembered is not None and await self._is_told_again():
            return
        try:
            async with AsyncExitStack() as admission:
                await self._admit(admission)
                outcome = await self._carry_out()
        except Refusal as refusal:
            await books.refuse(self, refusal=refusal)
            if self.admitted.remembered is not None:
                await database.run(memory.forget, self.request_id)
            outcome = refusal
        # Whoever hears the end may call again at once: slot and conversation are free by now.
        self.outlet.end(outcome)
        await self._place.leave(self._asking, keep=self.abandoned)

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

    async def _admit(self, admission: AsyncExitStack) -> None:
        """Pace, a slot, the conversation, the money; nothing of it is Coze's business. Raises Refusal."""
        await self.pace.begin(tokens=self.input_estimate + self.output_estimate)
        await admission.enter_async_context(rates.slot(self.admitted.key, request_id=self.request_id))
        await admission.enter_async_context(self._place.claimed(self.request_id))
        await books.reserve(self)

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
            return errors.restarting()
        await self._complete()
        return self.answer

    async def _failure(self) -> Refusal | None:
        """Why there is no answer, if there is none."""
        try:
            async with asyncio.timeout(self._patience):
                await self._ask()
        except PollsSpent as error:
            self.abandoned = True
            return errors.from_coze(error, accepted=True, execute_id=self.execute_id)
        except CozeError as error:
            logger.warning("call %s: %s", self.request_id, error)
            return errors.from_coze(error, accepted=self.accepted, execute_id=self.execute_id)
        except TimeoutError:
            return errors.took_too_long()
        except Refusal as refusal:
            return refusal
        stopped = self.canceled or self.abandoned
        return None if stopped or self._length else errors.empty_response()

    @property
    def _patience(self) -> float:
        """A long run has its own measure: so many polls."""
        return float(settings.TURN_SECONDS) + 30

    @property
    def execute_id(self) -> str:
        """Which run it is at Coze, if it is one."""
        return self._asking.execute_id if self._asking else ""

    async def _ask(self) -> None:
        """Ask; once more after a refusal before anything ran: of the token, or of a conversation Coze has lost."""
        left: dict[type[CozeError], int] = {
            TokenRefused: 1,
            ConversationNotFound: 1 if self._place.is_known else 0,
        }
        while not self._is_over:
            try:
                return await self._ask_once()
            except (TokenRefused, ConversationNotFound) as error:
                kind = TokenRefused if isinstance(error, TokenRefused) else ConversationNotFound
                left[kind] -= 1
                if left[kind] < 0 or self.accepted:
                    raise
                await self._mend(error)
        return None

    async def _mend(self, error: CozeError) -> None:
        route, user = self.admitted.route, self.admitted.user
        if isinstance(error, TokenRefused) and self._asking is not None:
            await tokens.discard(user, app=route.app, token=self._asking.caller.token)
        elif isinstance(error, ConversationNotFound):
            await self._place.forget()
            self._question = question_for(route, asked=self.admitted.asked, sticky=False)

    @property
    def _is_over(self) -> bool:
        """Whether nobody wants an answer before Coze was even asked."""
        return self.canceled or self.abandoned

    async def _ask_once(self) -> None:
        route, user = self.admitted.route, self.admitted.user
        token = await tokens.access_token(user, app=route.app)
        asking = self._asking = Asking(
            client=coze_client(route.app),
            caller=Caller(token=token, session_name=user.session_name),
            user=user,
            route=route,
            question=self._question,
            streams=self.admitted.asked.stream,
            pace=Pace(interval=settings.GATEWAY_POLL_SECONDS, attempts=settings.GATEWAY_POLLS),
        )
        await self._place.enter(asking)
        if self._is_over:
            return
        async with aclosing(asking.pieces()) as pieces:
            async for piece in pieces:
                await self._take(piece)

    async def _take(self, piece: Piece) -> None:
        match piece:
            case Accepted():
                self.accepted = True
                await books.accepted(self, ids=piece.ids)
            case Text():
                self.watch.first_words()
                self._said.append(piece)
                self._length += len(piece.content) + len(piece.reasoning)
                if self._length > settings.TURN_ANSWER_LIMIT:
                    raise errors.too_long()
            case Suggestion():
                self.answer.suggestions.append(piece.content[:500])
        await self.outlet.put(piece)

    # The ends of it

    async def _complete(self) -> None:
        self.answer.text = "".join(piece.content for piece in self._said)
        self.answer.reasoning = "".join(piece.reasoning for piece in self._said)
        self.answer.execute_id = self.execute_id
        self.answer.conversation_id = self._place.public_id
        await books.settle(self, ending=Ending.COMPLETED)
        await self._remember(self.answer)

    async def _fail(self, failure: Refusal) -> None:
        if not self.accepted:
            await books.release(self, code=failure.code)
            if self.admitted.remembered is not None:
                await database.run(memory.forget, self.request_id)
        elif not self.abandoned:
            await books.settle(self, ending=Ending.FAILED, code=failure.code)
            await self._remember(failure)
        # Else it goes on at Coze: its hold stays open until somebody has heard how it ended.

    async def _break_off(self) -> None:
        if not self.accepted:
            await books.release(self, code="client_left" if self.canceled else "restarting")
        elif self.canceled:
            await self._place.cancel(self._asking)
            await books.settle(self, ending=Ending.CANCELED, code="client_left")

    async def _remember(self, outcome: Answer | Refusal) -> None:
        if self.admitted.remembered is not None:
            await database.run(memory.finish, self.request_id, outcome=outcome)

    # For the books

    @property
    def asking(self) -> Asking | None:
        """What is being asked, if it has come to that."""
        return self._asking

    @property
    def input_weight(self) -> int:
        """How much is asked."""
        return self._question.weight

    @property
    def output_weight(self) -> int:
        """How much has been said so far."""
        return sum(weight(piece.content) + weight(piece.reasoning) for piece in self._said)
