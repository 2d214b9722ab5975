"""The name under which a browser keeps a person's drafts: random, one each, also for those of before."""

import re

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from accounts.models import User


@pytest.mark.django_db
def test_a_browser_key_is_random_and_says_nothing(alice, bob):
    keys = {alice.browser_key, bob.browser_key}
    assert len(keys) == 2
    assert all(re.fullmatch(r"[0-9a-f]{32}", key) for key in keys)
    assert not keys & {alice.session_name.removeprefix("u_"), bob.session_name.removeprefix("u_")}


@pytest.mark.django_db
def test_two_users_cannot_have_one_browser_key(alice, bob):
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=bob.pk).update(browser_key=alice.browser_key)


@pytest.mark.django_db(transaction=True)
def test_users_from_before_there_were_keys_get_one_each():
    before = [("accounts", "0001_initial")]
    executor = MigrationExecutor(connection)
    executor.migrate(before)
    try:
        users = executor.loader.project_state(before).apps.get_model("accounts", "User").objects
        for number in range(3):
            users.create(username=f"old{number}")
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
    keys = set(User.objects.values_list("browser_key", flat=True))
    assert len(keys) == 3
    assert all(re.fullmatch(r"[0-9a-f]{32}", key) for key in keys)
