"""Folders: an owner's own names for heaps of conversations."""

import uuid
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

FOLDER_NAME_LENGTH = 60
# As many as a person looks through.
FOLDERS_A_USER = 100


class FolderQuerySet(models.QuerySet["Folder"]):
    """The way to folders leads through their owner."""

    def owned_by(self, user: Any) -> Self:
        """The owner's folders, by name; anybody else's do not exist."""
        return self.filter(owner_id=user.pk).order_by("name", "pk")


class Folder(models.Model):
    """One folder; what is in it stays when it is deleted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="folders", verbose_name=_("owner")
    )
    name = models.CharField(_("name"), max_length=FOLDER_NAME_LENGTH)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = FolderQuerySet.as_manager()

    class Meta:
        verbose_name = _("folder")
        verbose_name_plural = _("folders")
        constraints = (models.UniqueConstraint(fields=["owner", "name"], name="one_folder_a_name"),)

    def __str__(self) -> str:
        return str(self.id)

    def described(self) -> dict[str, Any]:
        """As the outside sees it."""
        return {"id": str(self.pk), "name": self.name}
