"""Who uses the programs that hold keys: by which name each is found again, and when they were last seen."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from cozechat.gateway.models.conversations import StickyConversation
from cozechat.gateway.models.keys import ApiKey
from cozechat.gateway.models.stored import StoredCall
from cozechat.usage.models import Hold

# No call waits for a write that only moves `seen_at` by hours.
_SEEN_EVERY = timedelta(days=1)


class EndUserQuerySet(models.QuerySet["EndUser"]):
    """Questions to the list of end users."""

    def of(self, key: ApiKey) -> Self:
        """This key's, and those of its predecessors: they share a scope."""
        return self.filter(user__end_user_of_id=key.owner_id, scope=key.scope)

    def unused(self, *, since: datetime) -> Self:
        """Who has not come since then, and has nothing here that could be missed."""
        talking = StickyConversation.objects.values("user_id")
        remembered = StoredCall.objects.values("end_user")
        running = Hold.objects.open().values("end_user")
        return (
            self.filter(seen_at__lt=since)
            .exclude(user_id__in=talking)
            .exclude(user__session_name__in=remembered)
            .exclude(user__session_name__in=running)
        )

    def forget_unused(self, *, since: datetime, most: int = 500) -> int:
        """Delete so many of them, with their tokens; whoever comes back meanwhile stays."""
        count = 0
        for pk, user_id in list(self.unused(since=since).values_list("pk", "user_id")[:most]):
            with transaction.atomic():
                # Whoever comes now waits for this row, and then finds it new or gone.
                silent = self.select_for_update().filter(pk=pk, seen_at__lt=since).first()
                if silent is not None and self.unused(since=since).filter(pk=pk).exists():
                    silent.delete()
                    User.objects.filter(pk=user_id).exclude(end_user_of=None).delete()
                    count += 1
        return count


class EndUser(models.Model):
    """One end user of the keys of one scope.

    The name at Coze never changes, so it must not hang on a secret that does: `lookup` is the name under today's
    secret, and is written anew when somebody is found by an older one.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="end_user", verbose_name=_("user")
    )
    scope = models.CharField(max_length=32, blank=True, db_index=True)
    lookup = models.CharField(max_length=64, unique=True)
    seen_at = models.DateTimeField(_("last seen"), db_index=True)

    objects = EndUserQuerySet.as_manager()

    class Meta:
        verbose_name = _("end user")
        verbose_name_plural = _("end users")

    def __str__(self) -> str:
        return self.lookup

    def come(self, key: ApiKey, *, lookup: str, now: datetime) -> bool:
        """Note that they are here again; False if they have been deleted meanwhile."""
        same = (self.lookup, self.scope) == (lookup, key.scope)
        if same and self.seen_at > now - _SEEN_EVERY:
            return True
        row = EndUser.objects.filter(pk=self.pk)
        try:
            with transaction.atomic():
                return row.update(lookup=lookup, scope=key.scope, seen_at=now) == 1
        except IntegrityError:
            # Two rows of one person, each made under another secret: this one goes on under its old name.
            return row.update(seen_at=now) == 1
