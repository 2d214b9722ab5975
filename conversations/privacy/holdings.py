"""What is stored about a person, counted: every table that hangs on the account, whichever app has it."""

from dataclasses import dataclass
from typing import Any

from django.db.models import CASCADE, ForeignKey
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.models import User
from conversations.models import Message


@dataclass(frozen=True, slots=True)
class Holding:
    """How many rows of one kind."""

    label: str
    count: int


def going(user: User) -> list[Holding]:
    """What a deletion of the account takes along, most first."""
    counted = [Holding(_("Messages"), Message.objects.filter(conversation__owner=user).count())]
    for relation in User._meta.related_objects:
        if relation.on_delete is CASCADE and isinstance(relation.field, ForeignKey):
            model: Any = relation.related_model
            count = model._base_manager.filter(**{relation.field.name: user.pk}).count()
            counted.append(Holding(capfirst(str(model._meta.verbose_name_plural)), count))
    return sorted((each for each in counted if each.count), key=lambda each: -each.count)
