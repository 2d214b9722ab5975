"""The lines of a conversation beside its main one, and where its owner has cut the context."""

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from conversations.models.constraints import SameConversation
from conversations.models.paths import Lines, Path, holds


class BranchQuerySet(models.QuerySet["Branch"]):
    """Branches, always those of one conversation that its owner has reached."""

    def lines_of(self, conversation_id: uuid.UUID) -> Lines:
        """How the lines of a conversation leave each other."""
        rows = self.filter(conversation_id=conversation_id)
        return Lines(
            {pk: (parent, before) for pk, parent, before in rows.values_list("pk", "parent", "before")}
        )


class Branch(models.Model):
    """A line of turns that leaves another line before one of its messages, with a Coze conversation of its own.

    It never leaves elsewhere afterwards, so lines cannot run in a circle. A conversation's main line has no row: its
    turns and messages have no branch.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        "conversations.Conversation",
        on_delete=models.CASCADE,
        related_name="branches",
        verbose_name=_("conversation"),
    )
    # The line that it leaves; none: the main line.
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="+", editable=False)
    # What of that line comes before it: the messages with a smaller id than this.
    before = models.BigIntegerField(editable=False)
    coze_conversation_id = models.CharField(
        _("Coze conversation id"), max_length=64, blank=True, editable=False
    )
    coze_title = models.CharField(_("title at Coze"), max_length=100, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    # Of several that lead through a turn, the one that was last shown is shown again.
    shown_at = models.DateTimeField(_("last shown"), db_default=Now(), editable=False)

    objects = BranchQuerySet.as_manager()

    class Meta:
        verbose_name = _("branch")
        verbose_name_plural = _("branches")
        constraints = (
            models.UniqueConstraint(
                fields=["conversation", "coze_conversation_id"],
                condition=~models.Q(coze_conversation_id=""),
                name="one_branch_a_coze_conversation",
            ),
            models.UniqueConstraint(fields=["id", "conversation"], name="a_branch_in_its_conversation"),
            models.CheckConstraint(
                condition=~models.Q(parent=models.F("id")), name="no_branch_leaves_itself"
            ),
            SameConversation(field="parent", name="a_branch_leaves_a_line_of_its_conversation"),
        )

    def __str__(self) -> str:
        return str(self.id)


class CutQuerySet(models.QuerySet["Cut"]):
    """Cuts of the context, always those of one conversation that its owner has reached."""

    def on(self, path: Path, *, conversation_id: uuid.UUID) -> list["Cut"]:
        """Those that a path of a conversation leads through, from the first to the last."""
        cuts = self.filter(conversation_id=conversation_id).order_by("after")
        return [cut for cut in cuts if holds(path, cut.branch_id, message_id=cut.after)]


class Cut(models.Model):
    """A mark on a line: what is above it is context no more. Coze is told with the next question."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        "conversations.Conversation",
        on_delete=models.CASCADE,
        related_name="cuts",
        verbose_name=_("conversation"),
    )
    branch = models.ForeignKey(
        Branch, on_delete=models.CASCADE, null=True, related_name="cuts", editable=False
    )
    # The last message above it.
    after = models.BigIntegerField(editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    applied_at = models.DateTimeField(_("done at Coze"), null=True, editable=False)

    objects = CutQuerySet.as_manager()

    class Meta:
        verbose_name = _("cut of the context")
        verbose_name_plural = _("cuts of the context")
        ordering = ("after",)
        constraints = (
            models.UniqueConstraint(fields=["branch", "after"], name="one_cut_a_place_of_a_branch"),
            models.UniqueConstraint(
                fields=["conversation", "after"],
                condition=models.Q(branch=None),
                name="one_cut_a_place_of_the_main_line",
            ),
            SameConversation(field="branch", name="a_cut_is_on_a_line_of_its_conversation"),
        )

    def __str__(self) -> str:
        return f"{self.conversation_id} after {self.after}"
