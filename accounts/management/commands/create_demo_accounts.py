"""`manage.py create_demo_accounts`: alice, bob and an admin, to try the site with."""

import json
import secrets
from argparse import ArgumentParser
from typing import Any, TypedDict

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from cozechat.catalog import environment
from cozechat.env import kept_secret
from cozechat.usage import crediting
from cozechat.usage.models import Price
from cozechat.usage.money import CREDIT

# Reserved by RFC 2606: no mail ever arrives there, and nobody signs up with it by chance.
DEMO_DOMAIN = "demo.invalid"
RIGHTS: dict[str, dict[str, bool]] = {
    "alice": {},
    "bob": {},
    "admin": {"is_staff": True, "is_superuser": True},
}


class DemoAccount(TypedDict):
    """One log-in; no password when its owner has changed it."""

    username: str
    password: str | None
    created: bool


class Command(BaseCommand):
    """Creates the demo accounts, or says again what they are; refuses where real Coze credentials are set."""

    help = "Creates alice, bob and admin for trying the site, and prints how to log in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--remove", action="store_true", help="delete the demo accounts and all that is theirs"
        )
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.add_argument("--force", action="store_true", help="even with real Coze credentials")

    def handle(self, *_: Any, **options: Any) -> None:
        """Print what was made or removed."""
        if options["remove"]:
            self._print_removed(_remove(), as_json=options["json"])
            return
        if not settings.COZE_EMULATED and not options["force"]:
            raise CommandError(
                "Demo accounts belong to the emulator; with real Coze credentials say --force."
            )
        accounts = [_ensure(name, password=_demo_password()) for name in RIGHTS]
        if settings.COZE_EMULATED:
            _stock([account["username"] for account in accounts if account["created"]])
        self._print_accounts(accounts, as_json=options["json"])

    def _print_removed(self, names: list[str], *, as_json: bool) -> None:
        self.stdout.write(
            json.dumps({"removed": names}) if as_json else f"Removed: {', '.join(names) or 'nothing'}"
        )

    def _print_accounts(self, accounts: list[DemoAccount], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"accounts": accounts}))
            return
        for account in accounts:
            password = account["password"] or "(changed by its owner)"
            self.stdout.write(f"{account['username']:<8} {password}")


def _demo_password() -> str:
    """Drawn once for each installation, and kept so that a later start can print it again."""
    return kept_secret(settings.VAR_DIR / "demo_password", make=secrets.token_urlsafe(9))


@transaction.atomic
def _ensure(name: str, *, password: str) -> DemoAccount:
    user = User.objects.filter(username__iexact=name).first()
    if user:
        fits = user.email.endswith(f"@{DEMO_DOMAIN}") and user.check_password(password)
        return DemoAccount(username=user.username, password=password if fits else None, created=False)
    email = f"{name}@{DEMO_DOMAIN}"
    user = User.objects.create_user(name, email, password, **RIGHTS[name])
    # Confirmed, so that they can log in where confirmation is mandatory.
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return DemoAccount(username=name, password=password, created=True)


def _stock(names: list[str]) -> None:
    """A price and a few credits, so that a key that is made on the page can be used at once."""
    assistant = environment.default_assistant()
    if not names or assistant is None:
        return
    if not Price.objects.exists():
        Price.objects.create(
            scope=Price.Scope.APP, app=assistant.app, input_price=CREDIT // 1000, output_price=CREDIT // 500
        )
    for user in User.objects.filter(username__in=names):
        crediting.top_up(user.pk, amount=10 * CREDIT, ref=f"demo {user.pk}", now=timezone.now())


def _remove() -> list[str]:
    """Delete them, and nobody who merely has such a name."""
    demo = User.objects.filter(username__in=RIGHTS, email__endswith=f"@{DEMO_DOMAIN}")
    names = sorted(demo.values_list("username", flat=True))
    demo.delete()
    return names
