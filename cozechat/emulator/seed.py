"""Fixed ids of the little world that every emulator starts with: its assistants of every kind."""

from dataclasses import dataclass

ACCOUNT_ID = "7480012345678901001"
USER_ID = "7480012345678901002"
WORKSPACE_ID = "7480012345678901003"

WORKFLOW_ID = "7480012345678902001"
# The input of its start node that takes a file.
FILE_INPUT = "attachment"
UNPUBLISHED_WORKFLOW_ID = "7480012345678902002"
QUESTION_WORKFLOW_ID = "7480012345678902003"
REASONING_WORKFLOW_ID = "7480012345678902004"
RUN_WORKFLOW_ID = "7480012345678902005"
LONG_WORKFLOW_ID = "7480012345678902006"
TRIP_WORKFLOW_ID = "7480012345678902007"
ORDER_WORKFLOW_ID = "7480012345678902008"
APP_ID = "7480012345678903001"
BOT_ID = "7480012345678904001"
TOOL_BOT_ID = "7480012345678904002"
UNPUBLISHED_BOT_ID = "7480012345678904003"

SINCE = 1_735_000_000
"""When all of it was made."""
TOOL = "coffee_knowledge_query"
"""What the tool bot asks its caller to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A workflow, a bot or an app, as the lists show it."""

    id: str
    name: str
    description: str
    published: bool = True
    chatflow: bool = False


WORKFLOWS = (
    Listed(id=WORKFLOW_ID, name="chat", description="Remembers what it is told.", chatflow=True),
    Listed(
        id=UNPUBLISHED_WORKFLOW_ID,
        name="draft",
        description="Never published.",
        published=False,
        chatflow=True,
    ),
    Listed(id=QUESTION_WORKFLOW_ID, name="question", description="Asks back before it ends.", chatflow=True),
    Listed(
        id=REASONING_WORKFLOW_ID, name="reasoning", description="Thinks aloud and suggests.", chatflow=True
    ),
    Listed(id=RUN_WORKFLOW_ID, name="run", description="Answers its input at once."),
    Listed(id=LONG_WORKFLOW_ID, name="long_run", description="Takes its time."),
    Listed(id=TRIP_WORKFLOW_ID, name="trip", description="Plans a trip, node by node."),
    Listed(id=ORDER_WORKFLOW_ID, name="order", description="Asks for a size, then for a name."),
)
BOT_LIST = (
    Listed(id=BOT_ID, name="assistant", description="Remembers what it is told."),
    Listed(id=TOOL_BOT_ID, name="barista", description="Asks its caller to look things up."),
    Listed(id=UNPUBLISHED_BOT_ID, name="draft", description="Never published.", published=False),
)
APP_LIST = (Listed(id=APP_ID, name="chat_app", description="The home of the workflows."),)

PUBLISHED = frozenset(each.id for each in WORKFLOWS if each.published)
CHATFLOWS = frozenset(each.id for each in WORKFLOWS if each.published and each.chatflow)
"""Published chatflows; an id that is not here answers like one that was never published: 4200."""
APPS = frozenset(each.id for each in APP_LIST)
BOTS = frozenset(each.id for each in BOT_LIST if each.published)

USER = {
    "user_id": USER_ID,
    "user_name": "emulator",
    "nick_name": "Coze emulator",
    "avatar_url": "https://example.invalid/emulator.png",
}
