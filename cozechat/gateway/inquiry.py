"""What Coze is asked for one call and what it has said so far; asked once more where nothing had run yet."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing

from django.conf import settings

from accounts import tokens
from accounts.models import User
from cozechat.catalog.clients import coze_client
from cozechat.coze.errors import ConversationNotFound, CozeError, TokenRefused
from cozechat.coze.polling import Pace
from cozechat.coze.types import Caller
from cozechat.gateway import errors
from cozechat.gateway.admitted import Admitted
from cozechat.gateway.answers import Accepted, Suggestion, Text
from cozechat.gateway.asking import Asking
from cozechat.gateway.outlet import Piece
from cozechat.gateway.places import Place
from cozechat.gateway.questions import Question, question_for
from cozechat.gateway.stopwatch import Stopwatch
from cozechat.usage.estimating import weight
from cozechat.usage.reserving import CozeIds

Hear = Callable[[Piece], Awaitable[None]]
Note = Callable[[CozeIds], Awaitable[None]]


class Inquiry:
    """One question on its way; `over` is set when nobody wants an answer any more."""

    def __init__(self, admitted: Admitted, *, place: Place, hear: Hear, note: Note) -> None:
        self.watch = Stopwatch()
        self.accepted = False
        self.over = False
        self.asking: Asking | None = None
        self.suggestions: list[str] = []
        self.length = 0
        self._admitted = admitted
        self._place = place
        self._hear, self._note = hear, note
        # Joined once: a long answer comes in a hundred thousand pieces.
        self._said: list[Text] = []
        self.question: Question
        self.put_question()

    def put_question(self) -> None:
        """What is sent depends on what Coze remembers. Raises Refusal for what the route cannot pass on."""
        admitted = self._admitted
        self.question = question_for(admitted.route, asked=admitted.asked, sticky=self._place.is_known)

    async def ask(self, user: User) -> None:
        """Ask; once more after a refusal before anything ran: of the token, or of a conversation Coze has lost."""
        left: dict[type[CozeError], int] = {
            TokenRefused: 1,
            ConversationNotFound: 1 if self._place.is_known else 0,
        }
        while not self.over:
            try:
                return await self._ask_once(user)
            except (TokenRefused, ConversationNotFound) as error:
                kind = TokenRefused if isinstance(error, TokenRefused) else ConversationNotFound
                left[kind] -= 1
                if left[kind] < 0 or self.accepted:
                    raise
                if self.asking is not None:
                    self.asking.posted = False
                await self._mend(error, user=user)
        return None

    async def _mend(self, error: CozeError, *, user: User) -> None:
        if isinstance(error, TokenRefused) and self.asking is not None:
            await tokens.discard(user, app=self._admitted.route.app, token=self.asking.caller.token)
        elif isinstance(error, ConversationNotFound):
            await self._place.forget()
            self.put_question()

    async def _ask_once(self, user: User) -> None:
        route = self._admitted.route
        token = await tokens.access_token(user, app=route.app)
        asking = self.asking = Asking(
            client=coze_client(route.app),
            caller=Caller(token=token, session_name=user.session_name),
            user=user,
            route=route,
            question=self.question,
            streams=self._admitted.asked.stream,
            interruption=self._admitted.interruption,
            pace=Pace(interval=settings.GATEWAY_POLL_SECONDS, attempts=settings.GATEWAY_POLLS),
        )
        await self._place.enter(asking)
        if self.over:
            return
        async with aclosing(asking.pieces()) as pieces:
            async for piece in pieces:
                await self._take(piece)

    async def _take(self, piece: Piece) -> None:
        match piece:
            case Accepted():
                self.accepted = True
                await self._note(piece.ids)
            case Text():
                self.watch.first_words()
                self._said.append(piece)
                self.length += len(piece.content) + len(piece.reasoning)
                if self.length > settings.TURN_ANSWER_LIMIT:
                    raise errors.too_long()
            case Suggestion():
                self.suggestions.append(piece.content[:500])
        await self._hear(piece)

    @property
    def posted(self) -> bool:
        """Whether Coze may have taken it: the request is out, and was not refused."""
        return self.accepted or (self.asking is not None and self.asking.posted)

    @property
    def text(self) -> str:
        """What has been said."""
        return "".join(piece.content for piece in self._said)

    @property
    def reasoning(self) -> str:
        """What has been thought before it."""
        return "".join(piece.reasoning for piece in self._said)

    @property
    def weight(self) -> int:
        """How much has been said so far."""
        return sum(weight(piece.content) + weight(piece.reasoning) for piece in self._said)

    @property
    def execute_id(self) -> str:
        """Which run it is at Coze, if it is one."""
        return self.asking.execute_id if self.asking else ""
