"""What a person does in a browser, for the tests of pages."""

import re

PASSWORD = "correct horse battery"


def sign_up(client, **changes):
    form = {"username": "carol", "email": "carol@example.com", "password1": PASSWORD, "password2": PASSWORD}
    return client.post("/accounts/signup/", form | changes)


def log_in(client, login, *, password=PASSWORD, **extra):
    return client.post("/accounts/login/", {"login": login, "password": password}, **extra)


def link_in(message, path):
    return re.search(rf"https?://testserver({path}\S+)", message.body)[1]


def is_logged_in(client):
    return "_auth_user_id" in client.session
