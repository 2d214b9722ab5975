"""What the search knows of a message."""

from django.db import models

from conversations.models.messages import Message


class SearchEntry(models.Model):
    """The words of one message, as `conversations.finding.words` cuts them; it goes with its message.

    The databases keep more beside it than Django knows of (see the migration): on SQLite an FTS5 table and triggers
    on this one, on PostgreSQL a column with an index. A migration that makes this table anew has to make those too.
    """

    message = models.OneToOneField(
        Message, on_delete=models.CASCADE, primary_key=True, related_name="search_entry"
    )
    words = models.TextField(editable=False)

    def __str__(self) -> str:
        return str(self.pk)
