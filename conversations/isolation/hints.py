"""What to look at when a probe finds a leak."""

from django.utils.translation import gettext_lazy as _

TOLD = _(
    "The assistant forgot what it was told in the same conversation. Does the workflow read its conversation "
    "history, and does it run in the conversation it is sent?"
)
SAID = _(
    "The assistant said what only the other user had told it. Look at the workflow at Coze: a static conversation "
    "(CONVERSATION_NAME), long-term memory or variables that are not kept per user, and a knowledge base without "
    "“isolate by session”."
)
TOKENS = _(
    "Both users got the same token. Is session_name in the JWT, and is this an OAuth JWT app (no personal token)?"
)
CONVERSATIONS = _(
    "Both users got the same Coze conversation. Each must be created with its own user's token."
)
PERSONAL = _(
    "This Coze app signs in with a personal access token. To Coze that is one single user, so it cannot isolate anybody: "
    "this site hands it to one person alone. For more people set up an OAuth app (JWT)."
)
FOREIGN = _(
    "Coze let one user's token act on the other's conversation. Was the token made with session_name? Personal and "
    "service tokens cannot isolate."
)
CREATED = _(
    "Coze answered in another conversation than the one that was sent: the workflow uses a static conversation."
)
HERE = _("This site let one user reach the other's row: a bug of ours. Please report it with this output.")
CONTROL = _("The check did not notice a leak that was planted: do not trust its other results.")
