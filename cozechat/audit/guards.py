"""Triggers that refuse to change an event, and to delete one before its time.

They hold for whatever speaks SQL to the database. Only its owner can get around them, by dropping them or by
truncating the table.
"""

from typing import Any

TABLE = "audit_auditevent"

_SQLITE = (
    f"""CREATE TRIGGER IF NOT EXISTS audit_no_update BEFORE UPDATE ON {TABLE}
    BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END""",
    f"""CREATE TRIGGER IF NOT EXISTS audit_no_delete BEFORE DELETE ON {TABLE}
    WHEN OLD.kept_until > strftime('%Y-%m-%d %H:%M:%f', 'now')
    BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END""",
)
_SQLITE_OFF = ("DROP TRIGGER IF EXISTS audit_no_update", "DROP TRIGGER IF EXISTS audit_no_delete")

_POSTGRESQL = (
    """CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF OLD.kept_until <= now() THEN RETURN OLD; END IF;
        END IF;
        RAISE EXCEPTION 'audit events are append-only' USING ERRCODE = 'integrity_constraint_violation';
    END $$""",
    f"DROP TRIGGER IF EXISTS audit_append_only ON {TABLE}",
    f"""CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON {TABLE}
    FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
)
_POSTGRESQL_OFF = (
    f"DROP TRIGGER IF EXISTS audit_append_only ON {TABLE}",
    "DROP FUNCTION IF EXISTS audit_refuse()",
)


def set_up(connection: Any) -> None:
    """Put the triggers in place; on a database that is neither SQLite nor PostgreSQL the models alone refuse."""
    _execute(connection, {"sqlite": _SQLITE, "postgresql": _POSTGRESQL})


def take_down(connection: Any) -> None:
    """Without them: for the migration's way back, and for tests that empty the tables."""
    _execute(connection, {"sqlite": _SQLITE_OFF, "postgresql": _POSTGRESQL_OFF})


def _execute(connection: Any, statements: dict[str, tuple[str, ...]]) -> None:
    with connection.cursor() as cursor:
        for statement in statements.get(connection.vendor, ()):
            cursor.execute(statement)
