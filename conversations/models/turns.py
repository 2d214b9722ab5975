"""Turns: one question and its answer each, with their lease and their status."""

import uuid
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from conversations.models.branches import Branch
from conversations.models.constraints import SameConversation


class TurnQuerySet(models.QuerySet["Turn"]):
    """The way to turns leads through their owner, or through their lease."""

    def owned_by(self, user: Any) -> Self:
        """The owner's turns in conversations that are not deleted."""
        return self.filter(owner_id=user.pk, conversation__deleted_at=None)

    def running(self) -> Self:
        """Turns whose answer is not finished."""
        return self.filter(status__in=Turn.RUNNING)

    def kept(self) -> Self:
        """Turns that are part of their conversation: neither withdrawn nor deleted."""
        return self.filter(withdrawn=False, deleted_at=None)

    def queued(self) -> Self:
        """Turns that wait for the one before them."""
        return self.filter(status=Turn.Status.QUEUED)

    def leased(self, lease: uuid.UUID) -> Self:
        """Running turns that this lease holds: what their engine may write to."""
        # What the last two say holds of every leased turn; they make the index of leases serve.
        return self.running().filter(lease=lease, ended_at=None, lease_until__isnull=False)

    def running_of(self, owner_id: int) -> Self:
        """The owner's running turns, in all conversations."""
        return self.running().filter(owner_id=owner_id, ended_at=None, lease_until__isnull=False)

    def to_sum(self) -> Self:
        """Ended turns that no sum holds yet, the oldest end first."""
        return self.filter(summed=False, ended_at__isnull=False).order_by("ended_at")

    def asking_back(self) -> Self:
        """Turns that ended in a question which waits for its answer, and which their owner has not deleted."""
        return self.filter(interrupt_state=Turn.Interrupt.OPEN, deleted_at=None)

    def orphaned(self, now: datetime) -> Self:
        """Running turns whose engine has gone silent."""
        return self.running().filter(lease_until__lt=now)


class Turn(models.Model):
    """One question and its answer, with its status.

    A question that comes while another is answered is queued: it has neither a lease nor an end. Its owner may
    withdraw it: then the row stays, so that its `client_id` never starts again, and the text goes.

    The engine that runs a turn holds a lease: a random fencing token with an end. Each of its writes names the
    lease, so an engine that slept through its end writes nothing more.
    """

    class Status(models.TextChoices):
        """Coze's words for a chat's status, and two of ours."""

        QUEUED = "queued", _("waits for its turn")
        CREATED = "created", _("created")
        IN_PROGRESS = "in_progress", _("in progress")
        COMPLETED = "completed", _("completed")
        FAILED = "failed", _("failed")
        REQUIRES_ACTION = "requires_action", _("waits for an answer")
        CANCELED = "canceled", _("stopped")
        INTERRUPTED = "interrupted", _("interrupted")

    class Interrupt(models.TextChoices):
        """What has become of the question in which a turn ended."""

        NONE = "", "–"
        OPEN = "open", _("waits for an answer")
        ANSWERED = "answered", _("answered")
        OVER = "over", _("can no longer be answered")

    RUNNING = (Status.CREATED, Status.IN_PROGRESS)
    # What has no end yet.
    OPEN = (Status.QUEUED, *RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        "conversations.Conversation",
        on_delete=models.CASCADE,
        related_name="turns",
        verbose_name=_("conversation"),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="turns", verbose_name=_("owner")
    )
    client_id = models.UUIDField(_("client id"), editable=False)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.CREATED)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True, editable=False)
    seq = models.PositiveIntegerField(_("deltas sent"), default=0, editable=False)
    withdrawn = models.BooleanField(_("withdrawn"), default=False, db_default=False, editable=False)

    # Its answer was given again from an earlier turn of its owner's: Coze was not asked.
    cached = models.BooleanField(_("from an earlier answer"), default=False, db_default=False, editable=False)
    # Its place in the tree. A parent is a turn of the same conversation, neither deleted nor withdrawn.
    branch = models.ForeignKey(
        Branch,
        on_delete=models.CASCADE,
        null=True,
        related_name="turns",
        verbose_name=_("branch"),
        editable=False,
    )
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, related_name="children", verbose_name=_("turn before it"),
        editable=False,
    )  # fmt: skip
    repeats = models.BooleanField(_("asked once more"), default=False, db_default=False, editable=False)
    continues = models.BooleanField(_("goes on"), default=False, db_default=False, editable=False)
    # Its owner deleted it: the texts stay for a moment, in case it was a mistake.
    deleted_at = models.DateTimeField(_("deleted"), null=True, editable=False)

    lease = models.UUIDField(_("lease"), null=True, editable=False)
    lease_until = models.DateTimeField(_("leased until"), null=True, editable=False)

    coze_chat_id = models.CharField(_("Coze chat id"), max_length=64, blank=True, editable=False)
    # Of a workflow's run: Coze's id of it, known of a long one from its beginning, and when that was.
    execute_id = models.CharField(
        _("Coze run id"), max_length=64, blank=True, default="", db_default="", editable=False
    )
    run_began_at = models.DateTimeField(_("run began"), null=True, editable=False)
    # What it waits for: {question, options, inputs} for a person, {event_id, kind, manner} to go on with.
    interrupt = models.JSONField(_("question asked back"), default=dict, db_default={}, editable=False)
    interrupt_state = models.CharField(
        _("state of that question"),
        max_length=8,
        choices=Interrupt.choices,
        default=Interrupt.NONE,
        db_default=Interrupt.NONE,
        blank=True,
        editable=False,
    )
    answers = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        related_name="answered_by",
        verbose_name=_("answers"),
        editable=False,
    )
    # Follow-up questions that Coze offered, and its id of the answer's (last) message.
    suggestions = models.JSONField(_("follow-up questions"), default=list, db_default=[], editable=False)
    answer_coze_id = models.CharField(
        _("Coze message id"), max_length=120, blank=True, default="", db_default="", editable=False
    )
    error_code = models.CharField(_("error"), max_length=24, blank=True, editable=False)
    coze_error = models.CharField(_("Coze's error"), max_length=300, blank=True, editable=False)
    log_id = models.CharField(_("log id"), max_length=64, blank=True, editable=False)
    input_tokens = models.PositiveIntegerField(_("input tokens"), default=0, editable=False)
    output_tokens = models.PositiveIntegerField(_("output tokens"), default=0, editable=False)
    total_tokens = models.PositiveIntegerField(_("total tokens"), default=0, editable=False)

    created_at = models.DateTimeField(_("asked"), auto_now_add=True)
    first_delta_at = models.DateTimeField(_("first words"), null=True, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, editable=False)
    # Whether the sums of `cozechat.monitoring` hold it: written once, with them, after its end.
    summed = models.BooleanField(_("in the sums"), default=False, db_default=False, editable=False)

    objects = TurnQuerySet.as_manager()

    class Meta:
        verbose_name = _("turn")
        verbose_name_plural = _("turns")
        ordering = ("created_at", "id")
        indexes = (
            models.Index(fields=["lease_until"], name="turns_by_lease", condition=models.Q(ended_at=None)),
            models.Index(fields=["conversation"], name="turns_queued", condition=models.Q(status="queued")),
            models.Index(
                fields=["ended_at"],
                name="turns_to_sum",
                condition=models.Q(summed=False, ended_at__isnull=False),
            ),
            models.Index(
                fields=["conversation"],
                name="turns_that_ask_back",
                condition=models.Q(interrupt_state="open"),
            ),
            models.Index(
                fields=["deleted_at"], name="turns_deleted", condition=models.Q(deleted_at__isnull=False)
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=["owner", "client_id"], name="one_turn_a_client_id"),
            models.UniqueConstraint(
                fields=["conversation"],
                condition=models.Q(status__in=["created", "in_progress"]),
                name="one_running_turn_a_conversation",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["queued", "created", "in_progress"], ended_at=None)
                | (
                    ~models.Q(status__in=["queued", "created", "in_progress"])
                    & models.Q(ended_at__isnull=False)
                ),
                name="ended_exactly_when_it_has_an_end",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="queued") | models.Q(lease=None, lease_until=None),
                name="a_queued_turn_is_nobodys",
            ),
            models.CheckConstraint(
                condition=models.Q(withdrawn=False) | models.Q(status="canceled"),
                name="only_a_canceled_turn_is_withdrawn",
            ),
            models.UniqueConstraint(fields=["id", "conversation"], name="a_turn_in_its_conversation"),
            SameConversation(field="parent", name="a_parent_is_of_the_same_conversation"),
            SameConversation(field="branch", name="a_turn_is_on_a_line_of_its_conversation"),
            models.CheckConstraint(
                condition=~models.Q(parent=models.F("id")), name="no_turn_comes_before_itself"
            ),
            models.CheckConstraint(
                condition=models.Q(deleted_at=None)
                | ~models.Q(status__in=["queued", "created", "in_progress"]),
                name="no_open_turn_is_deleted",
            ),
        )

    def __str__(self) -> str:
        return f"{self.id} ({self.status})"

    @property
    def line(self) -> Any:
        """What has the conversation at Coze in which it is asked: its branch, or the conversation itself."""
        return self.branch or self.conversation

    @property
    def is_running(self) -> bool:
        """Whether the answer is still on its way."""
        return self.status in self.RUNNING
