"""What to mend at which failure of Coze, for whoever runs this site."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cozechat.coze import errors
from cozechat.coze.errors import CozeError

_KEY = _(
    "Compare client id, public key id (kid) and private key with the OAuth app at Coze: they belong together. Is the "
    "PEM whole, with its lines or with \\n, and is the audience (aud) the host of the API?"
)
# The first that fits the error says what to do; subclasses therefore stand before their parents.
_ADVICE: tuple[tuple[type[CozeError], Promise], ...] = (
    (errors.Untrusted, _("The certificate is not Coze's. Is a proxy in between, or is the base URL wrong?")),
    (
        errors.Unreachable,
        _("Nothing answers at the base URL. Is it right, does its name resolve here, is HTTPS let out?"),
    ),
    (
        errors.ConnectionLost,
        _("Coze closed the connection. Try again; if it stays so, look at the base URL."),
    ),
    (errors.TimedOut, _("Coze did not answer in time. Try again, and look at Coze's own status page.")),
    (errors.InvalidKey, _("The private key cannot be used. Paste the whole PEM file that Coze handed out.")),
    (errors.ExchangeFailed, _("Coze's token service failed by itself. Try again later.")),
    (errors.ExchangeRefused, _KEY),
    (errors.TokenRefused, _KEY),
    (
        errors.PermissionDenied,
        _("The OAuth app may not do this. Give it the permissions for conversations, chats and workflows."),
    ),
    (
        errors.NotPublished,
        _("Publish the workflow or bot, as an API, in the space that the OAuth app belongs to."),
    ),
    (errors.NotFound, _("Compare the ids of workflow, app and bot with those in their addresses at Coze.")),
    (errors.QuotaExceeded, _("The account at Coze has nothing left. Top it up there.")),
    (errors.RateLimited, _("Coze is asked too often. Wait, or ask Coze for more.")),
    (errors.Busy, _("Coze has too much to do. Try again later.")),
    (errors.ContentRefused, _("Coze refused the content. Try another question.")),
    (errors.BadRequest, _("Coze did not understand us. Compare the kind of the assistant with its ids.")),
    (errors.BadResponse, _("What answers at the base URL is not Coze's API.")),
    (errors.Truncated, _("The answer broke off. Does a proxy in between end long answers?")),
)
_OTHERWISE = _("Look the error up by its log id at Coze.")


def advice_for(error: CozeError) -> str:
    """What can be done about it, in the language that is active."""
    return str(next((text for kind, text in _ADVICE if isinstance(error, kind)), _OTHERWISE))
