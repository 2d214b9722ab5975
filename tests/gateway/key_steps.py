"""What a member does on the pages of API keys, for their tests."""

import re

from django.test import Client

from cozechat.gateway import keys
from cozechat.gateway.models import ApiKey

HOME = "/accounts/keys/"
LEAST = {"name": "laptop", "which": "every", "period": "month", "end_user_period": "month"}
PLACES = ["", "rotate/", "revoke/", "off/", "on/"]
SECRET = re.compile(r"sk-cc-[0-9a-f]{60}")


def browser_of(user, **options):
    browser = Client(**options)
    browser.force_login(user)
    return browser


def text_of(answer):
    return answer.content.decode()


def secret_in(answer):
    assert answer.status_code == 200, answer.get("Location")
    (found,) = SECRET.findall(text_of(answer))
    return found


def make(browser, **given):
    """A key's row and its secret, made on the page."""
    secret = secret_in(browser.post(HOME + "new/", LEAST | given))
    return ApiKey.objects.get(digest=keys.digest(secret)), secret


def models(secret):
    return Client().get("/v1/models", headers={"authorization": f"Bearer {secret}"})


def place_of(key, rest=""):
    return f"{HOME}{key.pk}/{rest}"


def ticket_in(answer):
    return re.search(r'name="ticket" value="([0-9a-f-]+)"', text_of(answer))[1]
