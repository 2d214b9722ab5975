"""`manage.py create_api_key USERNAME --name NAME`: makes a gateway key and prints it, this once."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from cozechat.catalog.models import Assistant
from cozechat.gateway import keys


class Command(BaseCommand):
    """A key for a program of somebody's."""

    help = "Makes a gateway key of a user's and prints it. It is stored nowhere and cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose, what for, and how much it may."""
        parser.add_argument("username")
        parser.add_argument("--name", required=True)
        parser.add_argument("--models", nargs="+", default=[], metavar="NAME", help="names, * for anything")
        parser.add_argument("--allow-unregistered", action="store_true", help="also ids that are not listed")
        parser.add_argument("--fallback", metavar="MODEL", help="the model that unknown plain names mean")
        parser.add_argument("--requests-per-minute", type=int)
        parser.add_argument("--tokens-per-minute", type=int)
        parser.add_argument("--concurrency", type=int)
        parser.add_argument("--json", action="store_true")

    def handle(self, **options: Any) -> None:
        """Make it, print it."""
        owner = User.objects.filter(username=options["username"], end_user_of=None, is_active=True).first()
        if owner is None:
            raise CommandError(f"There is no user {options['username']!r}.")
        try:
            key, secret = keys.create(
                owner,
                name=options["name"],
                models_allowed=options["models"],
                allows_unregistered=options["allow_unregistered"],
                fallback=self._fallback(options["fallback"]),
                requests_per_minute=options["requests_per_minute"],
                tokens_per_minute=options["tokens_per_minute"],
                concurrency=options["concurrency"],
            )
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"id": key.pk, "name": key.name, "key": secret}))
        else:
            self.stdout.write(secret)

    def _fallback(self, name: str | None) -> Assistant | None:
        if name is None:
            return None
        found = Assistant.objects.active().filter(gateway_name=name).first()
        if found is None:
            raise CommandError(f"No assistant has the gateway name {name!r}.")
        return found
