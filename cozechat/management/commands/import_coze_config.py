"""`manage.py import_coze_config FILE`: makes or changes a Coze app from the JSON file that Coze hands out."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from cozechat.catalog import keys
from cozechat.catalog.configurations import LARGEST, read_configuration
from cozechat.catalog.models import CozeApp
from cozechat.coze import oauth
from cozechat.coze.credentials import KeyPair
from cozechat.coze.errors import CozeError


class Command(BaseCommand):
    """What the admin does with the same file, for scripts."""

    help = "Makes a Coze app from the JSON file that Coze hands out; with the name of one that is there, changes it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`FILE` or `-` for stdin, `--name` of the app, `--next` to keep the file's key as the next one."""
        parser.add_argument("file", help="the JSON file, or - to read it from stdin")
        parser.add_argument("--name", default="", help="the app's name (default: the client id)")
        parser.add_argument(
            "--next",
            action="store_true",
            help="keep the key beside the one in use, until it is made that in the admin",
        )

    def handle(self, **options: Any) -> None:
        """Read, check, store, say which key it is; the key itself is never printed."""
        try:
            found = read_configuration(_text(options["file"]))
            oauth.parse_private_key(found["private_key"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except (CozeError, ValueError) as error:
            raise CommandError(
                f"The private key in the file cannot be read: {error}. Save the file again as Coze hands it out."
            ) from None
        app = _named(options["name"] or found["client_id"])
        if options["next"]:
            self._keep_as_next(app, found)
        else:
            app = _stored(app or CozeApp(name=options["name"] or found["client_id"]), found)
            self.stdout.write(f"Coze app {app.name}: client id {app.client_id}, at {app.base_url}.")
        self.stdout.write(f"Its key's fingerprint: {keys.fingerprint(found['private_key'])}")
        self.stdout.write(f"Try it: manage.py check_coze --app {app.name!r}" if app else "")

    def _keep_as_next(self, app: CozeApp | None, found: dict[str, str]) -> None:
        if app is None:
            raise CommandError("There is no such app to keep a next key for. Name it with --name.")
        if app.client_id != found["client_id"]:
            raise CommandError(
                f"The file belongs to another OAuth app ({found['client_id']}) than {app.name} ({app.client_id})."
            )
        if app.public_key_id == found["public_key_id"]:
            raise CommandError("The file holds the key that is in use already. Make a new one at Coze.")
        keys.add_other(app, KeyPair(found["public_key_id"], found["private_key"]))
        self.stdout.write(
            f"Coze app {app.name}: the next key is kept. Test it in the admin, and make it the key in use."
        )


def _text(name: str) -> str:
    try:
        content = (
            sys.stdin.buffer.read(LARGEST + 1) if name == "-" else Path(name).read_bytes()[: LARGEST + 1]
        )
        if len(content) > LARGEST:
            raise CommandError(
                "This file is too large to be a configuration. Is it the JSON file of an OAuth app?"
            )
        return content.decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CommandError(f"{name} is no text. Is it the JSON file of an OAuth app?") from None


def _named(name: str) -> CozeApp | None:
    app = CozeApp.objects.filter(name=name).first()
    if app and app.source == CozeApp.Source.ENVIRONMENT:
        raise CommandError(f"{name} is the environment's app: it is changed there (COZE_CLIENT_ID …).")
    return app


def _stored(app: CozeApp, found: dict[str, str]) -> CozeApp:
    """The app with what the file says; what it does not say stays."""
    for field, value in found.items():
        setattr(app, field, value)
    app.personal_token, app.key_refusal, app.key_refused_at = "", "", None
    try:
        app.full_clean()
    except ValidationError as error:
        lines = [f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items()]
        raise CommandError("\n".join(lines)) from None
    if not app.base_url:
        raise CommandError(
            'The file names no address: add "coze_api_base", https://api.coze.cn or https://api.coze.com.'
        )
    app.save()
    return app
