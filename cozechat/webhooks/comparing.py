"""`benefit.usage`: what Coze bills, beside our own usage records. Differences are kept to be seen; no money moves."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum

from cozechat.usage.models import UsageRecord
from cozechat.webhooks.facts import count, identifier, moment
from cozechat.webhooks.models import ID_LENGTH, CozeCharge, UsageComparison

# Coze's documentation has both spellings.
KINDS = ("benefit.usage", "benefit.usage.event")
# A record is written when its call has ended, which may be long after Coze has billed the first part of it.
_RECORD_COMES_WITHIN = timedelta(days=1)
_NEAR = timedelta(days=1)
_BATCH = 100

Verdict = UsageComparison.Verdict


def take(data: dict[str, Any], *, now: datetime) -> None:
    """Keep one entry of Coze's bill, once, and compare its call anew. Raises BadFact."""
    coze_id = identifier(data, "id", limit=ID_LENGTH)
    root_id = identifier(data, "record_root_id", limit=ID_LENGTH, required=False) or coze_id
    entry = {
        "consumed_at": moment(data, "consume_time", default=now),
        "resource": _resource(data),
        "input_tokens": count(data, "model_input_token"),
        "output_tokens": count(data, "model_output_token"),
        "points": identifier(data, "change_balance", limit=40, required=False),
    }
    if CozeCharge.objects.filter(coze_id=coze_id).exists():
        return
    with transaction.atomic():
        UsageComparison.objects.bulk_create(
            [UsageComparison(root_id=root_id, first_at=now, compared_at=now)], ignore_conflicts=True
        )
        comparison = UsageComparison.objects.select_for_update().get(root_id=root_id)
        CozeCharge.objects.create(coze_id=coze_id, comparison=comparison, **entry)
        _compare(comparison, now=now)


def _resource(data: dict[str, Any]) -> str:
    parts = [identifier(data, name, required=False) for name in ("resource_type", "model_id")]
    return " ".join(part for part in parts if part)[:ID_LENGTH]


def _compare(comparison: UsageComparison, *, now: datetime) -> None:
    sums = comparison.charges.aggregate(i=Sum("input_tokens"), o=Sum("output_tokens"))
    comparison.coze_input, comparison.coze_output = int(sums["i"] or 0), int(sums["o"] or 0)
    comparison.record, comparison.verdict = _record_of(comparison), Verdict.MISSING
    if comparison.record is not None:
        record = comparison.record
        comparison.our_input, comparison.our_output = record.input_tokens, record.output_tokens
        same = (record.input_tokens, record.output_tokens) == (comparison.coze_input, comparison.coze_output)
        comparison.verdict = Verdict.AGREES if same else Verdict.DIFFERS
    comparison.compared_at = now
    comparison.save()


def _record_of(comparison: UsageComparison) -> UsageRecord | None:
    """The record of the call that Coze names by its chat, its run or its log id; the time lets an index serve."""
    times = [charge.consumed_at for charge in comparison.charges.all()]
    root = comparison.root_id
    named = Q(coze_chat_id=root) | Q(execute_id=root) | Q(log_id=root)
    near = Q(created_at__gte=min(times) - _NEAR, created_at__lte=max(times) + _NEAR)
    return UsageRecord.objects.filter(near & named).first()


def compare_again(*, now: datetime) -> None:
    """Look once more for records that had not been written when Coze's bill came."""
    waiting = UsageComparison.objects.filter(
        verdict=Verdict.MISSING, first_at__gte=now - _RECORD_COMES_WITHIN
    )
    for pk in list(waiting.order_by("compared_at").values_list("pk", flat=True)[:_BATCH]):
        with transaction.atomic():
            comparison = UsageComparison.objects.select_for_update().filter(pk=pk).first()
            if comparison is not None and comparison.verdict == Verdict.MISSING:
                _compare(comparison, now=now)
