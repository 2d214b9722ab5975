"""The index of the search, empty: a chore of the web processes takes in what was said, a piece at a time."""

import django.db.models.deletion
from django.db import migrations, models

SQLITE = (
    # The words are cut by us; this tokenizer parts them at blanks and leaves all else alone.
    """
    CREATE VIRTUAL TABLE conversations_searchwords
    USING fts5(words, content='', detail='none', columnsize=0, prefix='2 3', tokenize='ascii')
    """,
    """
    CREATE TRIGGER conversations_searchentry_added AFTER INSERT ON conversations_searchentry BEGIN
        INSERT INTO conversations_searchwords (rowid, words) VALUES (new.message_id, new.words);
    END
    """,
    """
    CREATE TRIGGER conversations_searchentry_removed AFTER DELETE ON conversations_searchentry BEGIN
        INSERT INTO conversations_searchwords (conversations_searchwords, rowid, words)
        VALUES ('delete', old.message_id, old.words);
    END
    """,
)
POSTGRES = (
    """
    ALTER TABLE conversations_searchentry ADD COLUMN vector tsvector
    GENERATED ALWAYS AS (array_to_tsvector(string_to_array(words, ' '))) STORED
    """,
    "CREATE INDEX conversations_searchentry_vector ON conversations_searchentry USING gin (vector)",
)


def make_index(apps, schema_editor):
    for statement in SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRES:
        schema_editor.execute(statement)


def drop_index(apps, schema_editor):
    # On PostgreSQL column and index go with their table.
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("DROP TRIGGER conversations_searchentry_removed")
        schema_editor.execute("DROP TRIGGER conversations_searchentry_added")
        schema_editor.execute("DROP TABLE conversations_searchwords")


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0011_deletion_receipts"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="is_indexed",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("is_indexed", False)), fields=["id"], name="messages_to_index"
            ),
        ),
        migrations.CreateModel(
            name="SearchEntry",
            fields=[
                (
                    "message",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="search_entry",
                        serialize=False,
                        to="conversations.message",
                    ),
                ),
                ("words", models.TextField(editable=False)),
            ],
        ),
        migrations.RunPython(make_index, drop_index, elidable=False),
    ]
