"""What Django has no constraint for: two rows that belong together are of one conversation."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, models


class SameConversation(models.BaseConstraint):
    """A foreign key of two columns: the row that `field` names has the same conversation as the row itself.

    The model that it refers to needs a unique constraint on its key and its conversation. Part of the table like any
    other constraint, so it is still there when SQLite's tables are made anew.
    """

    def __init__(self, *, field: str, name: str) -> None:
        super().__init__(name=name)
        self.field = field

    def constraint_sql(self, model: Any, schema_editor: Any) -> str:
        """What stands in the table's definition."""
        quote, options = schema_editor.quote_name, model._meta
        field = options.get_field(self.field)
        target = field.remote_field.model._meta
        # SQLite makes a new table under another name and gives it its own afterwards.
        table = target.db_table.removeprefix("new__")
        columns = (field.column, options.get_field("conversation").column)
        referred = (target.pk.column, target.get_field("conversation").column)
        own, other = (", ".join(map(quote, names)) for names in (columns, referred))
        return (
            f"CONSTRAINT {quote(self.name)} FOREIGN KEY ({own})"
            f" REFERENCES {quote(table)} ({other}) DEFERRABLE INITIALLY DEFERRED"
        )

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        """For databases that add constraints to a table that is there."""
        table = schema_editor.quote_name(model._meta.db_table)
        return f"ALTER TABLE {table} ADD {self.constraint_sql(model, schema_editor)}"

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        """And take them away."""
        table, name = map(schema_editor.quote_name, (model._meta.db_table, self.name))
        return f"ALTER TABLE {table} DROP CONSTRAINT {name}"

    def validate(self, model: Any, instance: Any, exclude: Any = None, using: str = DEFAULT_DB_ALIAS) -> None:
        """What a form is told; the database says the same."""
        other = getattr(instance, self.field)
        if other is not None and other.conversation_id != instance.conversation_id:
            raise ValidationError(self.get_violation_error_message())

    def deconstruct(self) -> Any:
        """As a migration writes it down."""
        path, arguments, keywords = super().deconstruct()
        return path, arguments, keywords | {"field": self.field}

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SameConversation):
            return (self.field, self.name) == (other.field, other.name)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]
