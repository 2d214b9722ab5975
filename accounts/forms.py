"""What people may write about themselves."""

from django import forms
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from accounts.models import User

# One box takes a user name or an e-mail address at log-in, so a name must not look like an address.
USERNAME_VALIDATORS = [
    UnicodeUsernameValidator(),
    RegexValidator(r"@", _("A username must not contain “@”."), code="at_sign", inverse_match=True),
]


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """How the pages greet a member, and in which language."""

    class Meta:
        model = User
        fields = ("display_name", "language")
        help_texts = {"language": _("Empty: the browser's language.")}
