"""The index itself: words of messages that are finished go in, numbers of messages come out.

SQLite has it as an FTS5 table that triggers keep like `SearchEntry`, PostgreSQL as a column of that table with a GIN
index. Both hold the same words, so both find the same.
"""

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from conversations.finding import words
from conversations.models import Message, SearchEntry

_SQLITE = """
    SELECT rowid FROM conversations_searchwords
    WHERE conversations_searchwords MATCH %s AND rowid < %s ORDER BY rowid DESC LIMIT %s
"""
# Without MATERIALIZED the planner may walk backwards through everybody's messages until enough of them fit.
_POSTGRES = """
    WITH hits AS MATERIALIZED (SELECT message_id FROM conversations_searchentry WHERE vector @@ %s::tsquery)
    SELECT message_id FROM hits WHERE message_id < %s ORDER BY message_id DESC LIMIT %s
"""


def pending() -> QuerySet[Message]:
    """Messages that have their last word and are not in the index, the newest first."""
    finished = Q(turn=None) | Q(turn__ended_at__isnull=False)
    return Message.objects.filter(finished, is_indexed=False).order_by("-pk")


def take_in(rows: QuerySet[Message], *, most: int) -> int:
    """Index some messages in one transaction; how many there were."""
    with transaction.atomic():
        found = list(rows.values_list("pk", "conversation__owner_id", "content")[:most])
        if not found:
            return 0
        ids = [pk for pk, _owner_id, _content in found]
        SearchEntry.objects.filter(pk__in=ids).delete()
        SearchEntry.objects.bulk_create(
            (
                SearchEntry(message_id=pk, words=words.index_text(content, owner_id=owner_id))
                for pk, owner_id, content in found
                if content
            ),
            ignore_conflicts=True,
        )
        Message.objects.filter(pk__in=ids).update(is_indexed=True)
    return len(found)


def catch_up(owner_id: int, *, most: int) -> None:
    """Index what of this owner's is missing among the newest that is missing anywhere.

    In two steps: in one, a database would look through all that the owner has ever said.
    """
    newest = Message.objects.filter(is_indexed=False).order_by("-pk").values_list("pk", flat=True)
    missing = list(newest[:most])
    if missing:
        take_in(pending().filter(pk__in=missing, conversation__owner_id=owner_id), most=most)


def holding(query: str, *, owner_id: int, before: int, most: int) -> list[int]:
    """Ids of the owner's messages whose words fit the query, below an id, the newest first."""
    wanted = words.wanted(query)
    if not wanted:
        return []
    own = (words.owner_word(owner_id), False)
    is_sqlite = connection.vendor == "sqlite"
    match = _fts5([own, *wanted]) if is_sqlite else _tsquery([own, *wanted])
    with connection.cursor() as cursor:
        cursor.execute(_SQLITE if is_sqlite else _POSTGRES, [match, before, most])
        return [pk for (pk,) in cursor.fetchall()]


# No word holds a quotation mark or a backslash: signs of ASCII are kept as private characters.
def _fts5(wanted: list[tuple[str, bool]]) -> str:
    return " AND ".join(f'"{word}"{"*" if is_open else ""}' for word, is_open in wanted)


def _tsquery(wanted: list[tuple[str, bool]]) -> str:
    return " & ".join(f"'{word}'{':*' if is_open else ''}" for word, is_open in wanted)
