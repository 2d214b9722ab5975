"""What allauth asks the site: who may sign up, what counts as the same log-in, how secrets are stored."""

import logging
from base64 import b32encode
from secrets import token_bytes
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import haste, visits
from accounts.languages import remember_language
from accounts.preferences import remember_look
from cozechat.encryption import decrypt, encrypt

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    """The rules of this site for sign-up and log-in."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """New members are welcome unless `ALLOW_SIGNUP` says no."""
        return bool(settings.ALLOW_SIGNUP)

    @transaction.atomic
    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        """A visitor who signs up becomes the member: the same row, with its name at Coze and its chats."""
        kept = visits.take_over(request.POST.get("visit", ""))
        if kept is not None:
            kept.is_visitor, kept.date_joined = False, timezone.now()
        return super().save_user(request, kept or user, form, commit)

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse:
        """Whoever logs in meets the pages in their own language, on any device."""
        response: HttpResponse = super().post_login(request, user, **kwargs)
        remember_language(response, language=user.language)
        remember_look(response, user=user)
        return response

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse a password after too many wrong ones, and say when the next one may be tried."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            key = self._get_login_attempts_cache_key(request, **credentials)
            raise ValidationError(haste.guess_refusal(request, key=key)) from None

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # By name alone anybody could lock Alice out from afar (OWASP ASVS 6.3.1); what one address may try
        # is limited besides.
        key: str = super()._get_login_attempts_cache_key(request, **credentials)
        return f"{key}:{self.get_client_ip(request)}"


class SecondFactorAdapter(DefaultMFAAdapter):
    """Keeps the secrets of authenticator apps and recovery codes sealed in the database."""

    def encrypt(self, text: str) -> str:
        """Seal a secret with the site's newest key."""
        return encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """The secret; when its key is gone a random one, so that no code fits.

        An empty one would be worse than none: everybody can compute its codes.
        """
        secret = decrypt(encrypted_text)
        if secret is None:
            logger.error("a second factor cannot be read: its key is missing from TOKEN_ENCRYPTION_KEYS")
            return b32encode(token_bytes(20)).decode()
        return secret
