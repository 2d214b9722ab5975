"""Which price a call pays, and which prices there can be."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from cozechat.catalog.models import Assistant, CozeApp
from cozechat.usage.models import Price, PriceGroup, PriceNotConfigured
from tests.usage.books import MODEL, NOW, price

DAY = timedelta(days=1)


@pytest.fixture
def assistant(db) -> Assistant:
    app = CozeApp.objects.create(name="coze")
    return Assistant.objects.create(app=app, name="A", workflow_id="1", bot_id="2")


def found(assistant: Assistant | None = None, *, route: str = "", model: str = MODEL, now=NOW) -> int:
    """The input price of the price that is found."""
    ids = {"assistant_id": assistant and assistant.pk, "app_id": assistant and assistant.app_id}
    return Price.objects.for_call(route=route, model=model, **ids, now=now).input_price


def test_the_narrowest_price_wins(assistant):
    for wanted in (
        {"scope": "app", "app": assistant.app, "name": "", "input_price": 4},
        {"scope": "assistant", "assistant": assistant, "name": "", "input_price": 3},
        {"input_price": 2},
        {"scope": "route", "name": "special", "input_price": 1},
    ):
        price(**wanted)
        assert found(assistant, route="special") == wanted["input_price"]
    assert found(assistant) == 2
    assert found(assistant, model="other") == 3


def test_a_models_name_is_exact_and_no_routes_name(assistant):
    price(name="special")
    for name in ("Special", "special-2", "spec", "special "):
        with pytest.raises(PriceNotConfigured) as refusal:
            found(model=name)
        assert refusal.value.args == (name,)
    with pytest.raises(PriceNotConfigured):
        found(route="special", model="other")


def test_a_call_without_a_route_does_not_find_another_routes_price(assistant):
    price(scope="route", name="special")
    with pytest.raises(PriceNotConfigured):
        found(assistant)


def test_a_version_holds_from_its_time_on(assistant):
    price(input_price=1, valid_from=NOW - DAY)
    price(input_price=3, valid_from=NOW + DAY)
    price(input_price=2, valid_from=NOW)
    assert [found(now=NOW + shift) for shift in (-DAY / 2, DAY / 2, 2 * DAY)] == [1, 2, 3]
    with pytest.raises(PriceNotConfigured):
        found(now=NOW - 2 * DAY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"output_price": 5},
        {"completion_ratio": None},
        {"input_price": 0},
        {"is_free": True},
        {"input_price": -1},
        {"completion_ratio": Decimal(1001)},
        {"name": ""},
        {"scope": "assistant"},
        {"scope": "app", "name": ""},
        {"scope": "assistant", "name": ""},
    ],
    ids=str,
)
def test_a_price_that_makes_no_sense_is_refused_by_the_database(wrong, db):
    with pytest.raises(IntegrityError), transaction.atomic():
        price(**wrong)


@pytest.mark.parametrize(
    "right",
    [
        {"output_price": 5, "completion_ratio": None},
        {"output_price": 0, "completion_ratio": None},
        {"input_price": 0, "output_price": 5, "completion_ratio": None},
        {"input_price": 0, "per_call": 1},
        {"input_price": 0, "minimum": 1},
        {"input_price": 0, "is_free": True},
        {"input_price": 0, "output_price": 0, "completion_ratio": None, "is_free": True},
    ],
    ids=str,
)
def test_a_price_that_makes_sense_is_stored(right, db):
    assert price(**right).snapshot() == Price.objects.get().snapshot()


def test_there_is_one_price_a_name_and_moment(assistant):
    for scope in ({}, {"scope": "assistant", "assistant": assistant, "name": ""}):
        price(**scope)
        with pytest.raises(IntegrityError), transaction.atomic():
            price(**scope)


def test_a_priced_assistant_is_not_deleted_by_accident(assistant):
    price(scope="assistant", assistant=assistant, name="")
    from django.db.models import ProtectedError

    with pytest.raises(ProtectedError):
        assistant.delete()


def test_a_ratio_comes_back_as_it_was_written(db):
    @given(st.decimals(0, 1000, places=6))
    def comes_back(ratio: Decimal) -> None:
        group, _made = PriceGroup.objects.update_or_create(name="x", defaults={"ratio": ratio})
        assert PriceGroup.objects.get(pk=group.pk).ratio == ratio

    comes_back()
