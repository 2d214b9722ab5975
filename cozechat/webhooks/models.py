"""Events as they came, and what Coze says that calls have cost beside what we counted."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from conversations.models import Conversation
from cozechat.usage.models import UsageRecord

ID_LENGTH = 100


class EventQuerySet(models.QuerySet["Event"]):
    """Questions to the table of events, which many processes share."""

    def due(self, now: datetime) -> "EventQuerySet":
        """Events that nobody handles now and somebody should."""
        return self.filter(state=Event.State.WAITING, due_at__lte=now)

    def waiting(self) -> "EventQuerySet":
        """Events that have no end yet."""
        return self.filter(state=Event.State.WAITING)

    def held(self, event: "Event") -> "EventQuerySet":
        """This row, as long as its claim is still the one that was read."""
        return self.filter(pk=event.pk, state=Event.State.WAITING, claim=event.claim)

    def claim(self, *, now: datetime, lease: timedelta, most: int) -> list["Event"]:
        """Take some of the due events for a while; of many processes one gets each."""
        wanted = list(self.due(now).order_by("due_at", "pk").values_list("pk", flat=True)[:most])
        if not wanted:
            return []
        claim = uuid.uuid4()
        taken = self.due(now).filter(pk__in=wanted)
        taken.update(claim=claim, due_at=now + lease)
        return list(self.filter(claim=claim, state=Event.State.WAITING).order_by("pk"))

    def replay(self, *, now: datetime) -> int:
        """Let these be handled once more; those that wait already are left alone."""
        ended = self.exclude(state=Event.State.WAITING)
        return ended.update(
            state=Event.State.WAITING, due_at=now, ended_at=None, claim=None, attempts=0, reason=""
        )


class Event(models.Model):
    """Something that Coze or an automation told us, once for each event id.

    `due_at` is when it may be handled; whoever claims it moves that on, so the claim of a process that died runs out.
    """

    class Source(models.TextChoices):
        """The door through which it came."""

        WEBHOOK = "webhook", _("webhook")
        CALLBACK = "callback", _("Coze callback")

    class State(models.TextChoices):
        """What became of it."""

        WAITING = "waiting", _("waiting")
        HANDLED = "handled", _("handled")
        IGNORED = "ignored", _("ignored")
        FAILED = "failed", _("failed")

    source = models.CharField(_("source"), max_length=8, choices=Source.choices, editable=False)
    event_id = models.CharField(_("event id"), max_length=ID_LENGTH, editable=False)
    kind = models.CharField(_("type"), max_length=ID_LENGTH, editable=False)
    # The JSON as it came, word for word.
    body = models.TextField(_("body"), editable=False)
    state = models.CharField(
        _("state"), max_length=8, choices=State.choices, default=State.WAITING, editable=False
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, editable=False)
    claim = models.UUIDField(null=True, editable=False)
    due_at = models.DateTimeField(_("due"), editable=False)
    received_at = models.DateTimeField(_("received"), editable=False)
    ended_at = models.DateTimeField(_("handled at"), null=True, editable=False)
    # Whose words it carries: with the conversation they go, too.
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.CASCADE,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("conversation"),
    )

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("-received_at", "-pk")
        indexes = (
            models.Index(fields=["due_at"], name="events_due", condition=Q(state="waiting")),
            models.Index(fields=["-received_at"], name="events_by_time"),
            models.Index(fields=["ended_at"], name="events_by_end"),
        )
        constraints = (
            models.UniqueConstraint(fields=["source", "event_id"], name="one_row_an_event"),
            models.CheckConstraint(
                condition=Q(state="waiting", ended_at=None)
                | (~Q(state="waiting") & Q(ended_at__isnull=False)),
                name="an_event_ended_or_waits",
            ),
        )

    def __str__(self) -> str:
        return self.event_id

    def end(self, state: "Event.State", *, now: datetime, reason: str = "", **fields: Any) -> bool:
        """The one end of it; False: somebody else has claimed it meanwhile."""
        held = Event.objects.held(self)
        return bool(held.update(state=state, ended_at=now, reason=reason[:300], claim=None, **fields))

    def begin(self, *, until: datetime) -> bool:
        """Taken in hand, which counts as an attempt even if nobody lives to tell how it went.

        False: somebody else has claimed it meanwhile. The claim lasts `until` then.
        """
        if not Event.objects.held(self).update(attempts=F("attempts") + 1, due_at=until):
            return False
        self.attempts += 1
        return True

    def put_off(self, *, until: datetime, reason: str, counts: bool) -> bool:
        """Let it be tried again later; what it only has to wait for does not count as an attempt."""
        attempts = self.attempts if counts else self.attempts - 1
        held = Event.objects.held(self)
        return bool(held.update(due_at=until, reason=reason[:300], claim=None, attempts=attempts))

    def let_go(self, *, now: datetime) -> bool:
        """Claimed and not begun: anybody may have it at once."""
        return bool(Event.objects.held(self).update(due_at=now, claim=None))


class UsageComparison(models.Model):
    """What Coze says that one call came to, beside what our usage record says. Nothing is charged by it."""

    class Verdict(models.TextChoices):
        """Whether the two say the same."""

        AGREES = "agrees", _("agrees")
        DIFFERS = "differs", _("differs")
        MISSING = "missing", _("no usage record")

    root_id = models.CharField(_("Coze's id"), max_length=ID_LENGTH, unique=True, editable=False)
    record = models.ForeignKey(
        UsageRecord,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("usage record"),
    )
    coze_input = models.PositiveBigIntegerField(_("input tokens at Coze"), default=0, editable=False)
    coze_output = models.PositiveBigIntegerField(_("output tokens at Coze"), default=0, editable=False)
    our_input = models.PositiveBigIntegerField(_("input tokens here"), default=0, editable=False)
    our_output = models.PositiveBigIntegerField(_("output tokens here"), default=0, editable=False)
    verdict = models.CharField(
        _("verdict"), max_length=7, choices=Verdict.choices, default=Verdict.MISSING, editable=False
    )
    first_at = models.DateTimeField(_("first told"), editable=False)
    compared_at = models.DateTimeField(_("compared"), editable=False)

    class Meta:
        verbose_name = _("comparison with Coze")
        verbose_name_plural = _("comparisons with Coze")
        ordering = ("-first_at", "-pk")
        indexes = (
            models.Index(fields=["verdict", "-first_at"], name="comparisons_by_verdict"),
            models.Index(fields=["-first_at"], name="comparisons_by_time"),
        )

    def __str__(self) -> str:
        return self.root_id


class CozeCharge(models.Model):
    """One entry of Coze's bill, as `benefit.usage` tells it."""

    comparison = models.ForeignKey(
        UsageComparison, on_delete=models.CASCADE, related_name="charges", verbose_name=_("comparison")
    )
    coze_id = models.CharField(_("Coze's id"), max_length=ID_LENGTH, unique=True, editable=False)
    consumed_at = models.DateTimeField(_("time"), editable=False)
    resource = models.CharField(_("resource"), max_length=ID_LENGTH, blank=True, editable=False)
    input_tokens = models.PositiveBigIntegerField(_("input tokens"), default=0, editable=False)
    output_tokens = models.PositiveBigIntegerField(_("output tokens"), default=0, editable=False)
    points = models.CharField(_("points"), max_length=40, blank=True, editable=False)

    class Meta:
        verbose_name = _("charge at Coze")
        verbose_name_plural = _("charges at Coze")
        ordering = ("consumed_at", "pk")

    def __str__(self) -> str:
        return self.coze_id
