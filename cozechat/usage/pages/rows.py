"""Stored rows as lines of a page."""

from collections.abc import Iterable
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from cozechat.usage.models import LedgerEntry, TopUpRequest, UsageRecord
from cozechat.usage.money import Nano, exact, short
from cozechat.usage.pages.wording import NOTHING, clock, key_name, number, seconds, source
from cozechat.usage.pricing import Snapshot

Kind = LedgerEntry.Kind
# Statuses with the sign and colour of the site's badges.
TONES = {"completed": "good", "failed": "bad", "lost": "bad", "refused": "warn", "canceled": ""}
STATES = {"open": "warn", "granted": "good", "refused": "bad", "withdrawn": ""}


def call(record: UsageRecord, *, zone: tzinfo) -> dict[str, Any]:
    """One line of the log."""
    return {
        "time": clock(record.created_at, zone=zone),
        "iso": record.created_at.isoformat(),
        "request_id": record.request_id,
        "model": record.model,
        "key": key_name(record.api_key_id, name=record.api_key_name),
        "kind": record.get_kind_display() or NOTHING,
        "stream": record.stream,
        "input_tokens": number(record.input_tokens),
        "output_tokens": number(record.output_tokens),
        "cost": short(record.cost),
        "source": source(record),
        "latency": seconds(record.latency_ms),
        "first_token": seconds(record.first_token_ms),
        "status": record.get_status_display(),
        "tone": TONES.get(record.status, ""),
        "error_code": record.error_code,
    }


def details(record: UsageRecord, *, zone: tzinfo) -> dict[str, Any]:
    """Everything that is known of one call."""
    ids = {
        _("Chat at Coze"): record.coze_chat_id,
        _("Conversation at Coze"): record.coze_conversation_id,
        _("Execution at Coze"): record.execute_id,
        _("Log id at Coze"): record.log_id,
        _("End user (digest)"): record.end_user,
    }
    return {
        **call(record, zone=zone),
        "cost": exact(record.cost),
        "source": record.get_usage_source_display(),
        "settled_late": record.settled_late,
        "odd_counts": record.odd_counts,
        "ids": [(label, value) for label, value in ids.items() if value],
        "price": _price(record),
        "group_ratio": _plain(record.group_ratio),
        "agrees": record.recomputed_cost() == record.cost,
    }


def _price(record: UsageRecord) -> list[tuple[str, str]]:
    """The price of the moment the call began; empty for a call that was never priced."""
    if not record.price:
        return []
    price = Snapshot.from_json(record.price)
    parts = [(_("Input, for 1000 tokens"), short(price.input_price))]
    if price.output_price is not None:
        parts.append((_("Output, for 1000 tokens"), short(price.output_price)))
    if price.completion_ratio is not None:
        parts.append((_("Completion ratio"), f"× {_plain(price.completion_ratio)}"))
    if price.per_call:
        parts.append((_("Each call"), short(price.per_call)))
    if price.minimum:
        parts.append((_("At least"), short(price.minimum)))
    return parts


def _plain(ratio: Decimal) -> str:
    return f"{ratio.normalize():f}"


def entries(found: Iterable[LedgerEntry], *, zone: tzinfo) -> list[dict[str, Any]]:
    """Lines of the ledger; what a call cost leads to the call."""
    return [
        {
            "time": clock(entry.created_at, zone=zone),
            "iso": entry.created_at.isoformat(),
            "kind": entry.get_kind_display(),
            "amount": signed(entry.amount),
            "is_income": entry.amount > 0,
            "request_id": entry.ref if entry.kind in {Kind.USAGE, Kind.CORRECTION} else "",
            # A code's digest and an adjustment's number say nothing to anybody.
            "ref": entry.ref if entry.kind == Kind.TOP_UP else "",
            "reason": entry.reason,
        }
        for entry in found
    ]


def signed(amount: Nano) -> str:
    """With its sign; the minus as wide as the plus."""
    return f"{'+' if amount > 0 else '−'}{short(abs(amount))}"


def wish(request: TopUpRequest, *, zone: tzinfo) -> dict[str, Any]:
    """A request for credits and what became of it."""
    return {
        "pk": request.pk,
        "time": clock(request.created_at, zone=zone),
        "amount": short(request.amount),
        "note": request.note,
        "state": request.get_state_display(),
        "tone": STATES.get(request.state, ""),
        "is_open": request.state == TopUpRequest.State.OPEN,
        "answer": request.answer,
        "decided": clock(request.decided_at, zone=zone) if request.decided_at else "",
    }
