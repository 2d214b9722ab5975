"""Personal access tokens: one person's, or nobody's.

Such a token is the Coze account itself. It cannot tell users apart, so it is handed out in one place, here, and only
while nobody but its one user could talk on this site.
"""

from django.db.models import Q, QuerySet

from accounts.leases import Held, Wanted, row_of
from accounts.models import AccessToken, User
from cozechat.coze.errors import CozeError

# How long it is taken to be good; Coze alone knows when it ends. It is looked at again every half minute anyway.
LENT_SECONDS = 24 * 3600.0


class TokenOfOnePerson(CozeError):
    """A personal access token was wanted where more than one user could get it."""

    kind = "auth"
    retryable = False
    nothing_sent = True


def who_can_talk() -> QuerySet[User]:
    """Everybody who could put a question: members and visitors who may log in, and the end users of their API keys."""
    return User.objects.filter(Q(is_active=True) | Q(end_user_of__is_active=True))


def lend(wanted: Wanted, *, token: str, now: float) -> Held:
    """The app's personal token for this user, if there is nobody else. Raises TokenOfOnePerson.

    Somebody else who had this very token counts as well, even if they cannot log in any more: what they said may be
    in Coze's memory of the account. Deleting their access token in the admin gives it free.
    """
    others = who_can_talk().exclude(pk=wanted.user_id).count()
    if others:
        raise TokenOfOnePerson(
            f"a personal access token serves one person, and {others + 1} accounts could talk here: "
            "set up an OAuth app, or deactivate the others"
        )
    had = AccessToken.objects.filter(app_id=wanted.app_id, origin=wanted.origin).exclude(
        user_id=wanted.user_id
    )
    if had.exists():
        raise TokenOfOnePerson(
            "this personal access token has served somebody else, and Coze may remember what they said: "
            "set up an OAuth app, or delete their access token in the admin"
        )
    row = row_of(wanted)
    AccessToken.objects.filter(pk=row.pk).update(origin=wanted.origin, token="")
    return Held(wanted.session_name, token, now, now + LENT_SECONDS)
