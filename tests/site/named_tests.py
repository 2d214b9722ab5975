"""Documents that name tests: `folder/file.py::test_name`, below tests/."""

import ast
import functools
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")


@functools.cache
def names_in(path: str) -> frozenset[str]:
    file = ROOT / "tests" / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def missing(held_by: str) -> list[str]:
    """The named tests that do not exist."""
    return [f"{path}::{name}" for path, name in TEST.findall(held_by) if name not in names_in(path)]
