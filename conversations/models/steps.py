"""The steps of a turn: tools that were invoked on the way to its answer, and nodes of a workflow that ran."""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

# What of a payload or an outcome is kept to be looked at (characters).
SHOWN = 4_000


class Step(models.Model):
    """One tool that an assistant had invoked, or one node of a run; its turn's owner alone sees it.

    One that still runs when its turn has ended was stopped with it: nobody writes that down.
    """

    class Status(models.TextChoices):
        """How it fared; the last is what a running one of an ended turn is shown as."""

        RUNNING = "running", _("running")
        COMPLETED = "completed", _("completed")
        FAILED = "failed", _("failed")
        TIMED_OUT = "timed_out", _("took too long")
        STOPPED = "stopped", _("stopped")

    class Kind(models.TextChoices):
        """What it is a step of."""

        TOOL = "tool", _("tool")
        NODE = "node", _("node")

    id = models.BigAutoField(primary_key=True)
    turn = models.ForeignKey(
        "conversations.Turn", on_delete=models.CASCADE, related_name="steps", verbose_name=_("turn")
    )
    kind = models.CharField(
        _("kind"), max_length=4, choices=Kind.choices, default=Kind.TOOL, db_default=Kind.TOOL
    )
    # Of a node: what tells it from the others of its run.
    tool = models.CharField(_("tool"), max_length=128)
    title = models.CharField(_("title"), max_length=200)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.RUNNING)
    payload = models.TextField(_("payload"), blank=True)
    outcome = models.TextField(_("outcome"), blank=True)
    started_at = models.DateTimeField(_("started"))
    seconds = models.FloatField(_("seconds"), null=True)
    tokens = models.PositiveIntegerField(_("tokens"), null=True)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.tool} ({self.status})"

    def described(self, *, turn_runs: bool = True) -> dict[str, Any]:
        """As the outside sees it."""
        stopped = self.status == self.Status.RUNNING and not turn_runs
        return {
            "id": self.pk,
            "kind": self.kind,
            "tool": self.tool,
            "title": self.title,
            "status": str(self.Status.STOPPED if stopped else self.status),
            "seconds": self.seconds,
            "tokens": self.tokens,
            "started_at": self.started_at.isoformat(),
            "payload": self.payload,
            "outcome": self.outcome,
        }


def failed_node(steps: Iterable[Step]) -> str:
    """The title of the node in which a run has failed, as far as it is known."""
    wanted = (Step.Kind.NODE, Step.Status.FAILED)
    return next((step.title for step in steps if (step.kind, step.status) == wanted), "")
