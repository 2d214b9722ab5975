"""Messages: what was said, with a turn or without one."""

from typing import Any, Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from conversations.models.branches import Branch
from conversations.models.constraints import SameConversation
from conversations.models.paths import Path
from conversations.models.turns import Turn

# Lines of a path that are asked for in one statement.
_LINES_AT_ONCE = 100


class MessageQuerySet(models.QuerySet["Message"]):
    """The way to messages leads through their conversation's owner."""

    def owned_by(self, user: Any) -> Self:
        """The owner's messages in conversations that are not deleted."""
        return self.filter(conversation__owner_id=user.pk, conversation__deleted_at=None)

    def worth_showing(self) -> Self:
        """Without what is queued, was withdrawn or deleted, and without answers stopped before their first word.

        Both messages of a withdrawn turn are empty; the question of any other is not.
        """
        asked = self.exclude(turn__status=Turn.Status.QUEUED).filter(turn__deleted_at=None)
        return asked.exclude(content="", turn__status=Turn.Status.CANCELED)

    def newest_on(self, path: Path, *, limit: int) -> list["Message"]:
        """The newest of these messages on a path of their conversation, the newest first."""
        found: list[Message] = []
        for start in range(0, len(path), _LINES_AT_ONCE):
            rows = self.filter(_on(path[start : start + _LINES_AT_ONCE])).order_by("-pk")
            found += rows[: limit - len(found)]
            if len(found) >= limit:
                break
        return found


def _on(path: Path) -> models.Q:
    condition = models.Q()
    for line, before in path:
        reach = models.Q(branch=line)
        condition |= reach if before is None else reach & models.Q(pk__lt=before)
    return condition


class Message(models.Model):
    """One stored utterance: a question, the answer to it as far as it came, or what came without a turn."""

    class Role(models.TextChoices):
        """Who speaks."""

        USER = "user", _("user")
        ASSISTANT = "assistant", _("assistant")

    id = models.BigAutoField(primary_key=True)
    conversation = models.ForeignKey(
        "conversations.Conversation",
        on_delete=models.CASCADE,
        related_name="messages",
        verbose_name=_("conversation"),
    )
    # A message that Coze told us of by itself belongs to none of our turns.
    turn = models.ForeignKey(
        Turn, on_delete=models.CASCADE, null=True, blank=True, related_name="messages", verbose_name=_("turn")
    )
    # The line that it stands on: its turn's, or where it came.
    branch = models.ForeignKey(
        Branch, on_delete=models.CASCADE, null=True, related_name="messages", editable=False
    )
    # Known of such messages only: it keeps the same one from being stored twice.
    coze_message_id = models.CharField(
        _("Coze message id"), max_length=120, blank=True, default="", db_default="", editable=False
    )
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    content = models.TextField(_("content"))
    # Where in `content` Coze began another answer message (a flow may have several output nodes).
    breaks = models.JSONField(_("breaks"), default=list, blank=True, editable=False)
    # The answer as safe HTML, kept with the version of the rendering that made it; empty while it runs.
    html = models.TextField(_("HTML"), blank=True, editable=False)
    html_version = models.PositiveSmallIntegerField(default=0, editable=False)
    # What the assistant thought aloud before it, and for how long.
    reasoning = models.TextField(_("reasoning"), blank=True, default="", db_default="", editable=False)
    reasoning_seconds = models.FloatField(_("thought for (seconds)"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    # Whether the search knows its last words. Whoever changes the words of a finished message takes it back.
    is_indexed = models.BooleanField(default=False, db_default=False, editable=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("id",)
        indexes = (
            models.Index(fields=["id"], name="messages_to_index", condition=models.Q(is_indexed=False)),
            models.Index(fields=["conversation", "branch", "id"], name="messages_of_a_line"),
        )
        constraints = (
            models.UniqueConstraint(fields=["turn", "role"], name="one_question_one_answer_a_turn"),
            models.UniqueConstraint(
                fields=["conversation", "coze_message_id"],
                condition=~models.Q(coze_message_id=""),
                name="one_row_a_coze_message",
            ),
            models.CheckConstraint(
                condition=models.Q(turn__isnull=False, coze_message_id="")
                | (models.Q(turn=None) & ~models.Q(coze_message_id="")),
                name="a_message_has_a_turn_or_came_by_itself",
            ),
            SameConversation(field="branch", name="a_message_is_on_a_line_of_its_conversation"),
        )

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"
