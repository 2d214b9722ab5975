"""What to mend at which failure of Coze, for whoever runs this site."""

import re

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cozechat.coze import errors
from cozechat.coze.errors import CozeError

_KEY = _(
    "Compare client id, public key id (kid) and private key with the OAuth app at Coze: they belong together. Is the "
    "PEM whole, with its lines or with \\n, and is the audience (aud) the host of the API?"
)
# Coze's words for a refused exchange are not all documented; what fits none of these gets `_KEY`.
_EXCHANGE: tuple[tuple[str, Promise], ...] = (
    (
        r"\bkid\b",
        _(
            "Coze does not know this public key id (kid). Compare it with the fingerprint on the page of the OAuth app; "
            "the key may have been deleted there, or the app belongs to the other site (api.coze.cn, api.coze.com)."
        ),
    ),
    (
        r"\bsignature\b",
        _(
            "The private key does not belong to this public key id (kid). Enter both from the same file of Coze's."
        ),
    ),
    (
        r"expired|before issued|\b(?:iat|exp)\b",
        _("This machine's clock differs from Coze's. Set it right, best by NTP."),
    ),
    (
        r"\baud\b|\bjwt empty\b",
        _(
            "The audience (aud) is not the host of Coze's API. Leave it empty with the base URL https://api.coze.cn or "
            "https://api.coze.com: the one on which the OAuth app was made."
        ),
    ),
    (
        r"\biss\b",
        _(
            "The client id is not that of the OAuth app to which the key was uploaded, or it is a bot's or a workspace's."
        ),
    ),
    (
        r"deactivated|app type",
        _("The OAuth app is switched off, not authorised, or of another type than a service app (JWT)."),
    ),
)
_PERSONAL = _(
    "The personal access token has ended, was revoked, or belongs to the other site (api.coze.cn, api.coze.com). Make a "
    "new one at Coze and enter it here."
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


def advice_for(error: CozeError, *, personal: bool = False) -> str:
    """What can be done about it, in the language that is active; `personal`: there is no key, but a personal token."""
    if personal and isinstance(error, errors.TokenRefused):
        return str(_PERSONAL)
    if isinstance(error, errors.ExchangeRefused) and not isinstance(error, errors.ExchangeFailed):
        words = f"{error.error_code} {error.message}".lower()
        return str(next((text for pattern, text in _EXCHANGE if re.search(pattern, words)), _KEY))
    return str(next((text for kind, text in _ADVICE if isinstance(error, kind)), _OTHERWISE))
