"""Whatever the site says, it says in Chinese too."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.utils import translation
from django.utils.translation.template import templatize

from cozechat.management.commands.compile_translations import catalogues, compiled

ROOT = Path(settings.BASE_DIR)
PACKAGES = ("accounts", "conversations", "cozechat")
ONE = {"_", "gettext", "gettext_lazy", "gettext_noop"}
PLURAL = {"ngettext", "ngettext_lazy"}
CONTEXT = {"pgettext", "pgettext_lazy"}
PLACEHOLDER = re.compile(r"%\([a-z_]+\)[sd]|%[sd]|\{[a-z_]*\}")
# What templatize makes of {% translate %} and {% blocktranslate %}.
CALL = re.compile(
    r"\b(_|gettext|ngettext|pgettext)\(((?:\s*u?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"),?)+)"
)
LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")

CATALOGUE = next(po for po in catalogues() if "zh_Hans" in po.parts)
ENTRIES = list(polib.pofile(str(CATALOGUE), encoding="utf-8"))


def marked(function: str, arguments: list[str]) -> str:
    return arguments[1] if function in CONTEXT else arguments[0]


def in_python(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            texts = [
                part.value
                for part in node.args
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            if name in ONE | PLURAL | CONTEXT and texts:
                yield marked(name, texts)


def in_template(path: Path) -> Iterator[str]:
    for function, arguments in CALL.findall(templatize(path.read_text(), origin=str(path))):
        yield marked(function, [ast.literal_eval(text) for text in LITERAL.findall(arguments)])


def said_by_the_site() -> dict[str, str]:
    """Every marked text with the first file that says it."""
    said: dict[str, str] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for text in in_python(path):
                said.setdefault(text, str(path.relative_to(ROOT)))
    for path in sorted((ROOT / "templates").rglob("*.*")):
        for text in in_template(path):
            said.setdefault(text, str(path.relative_to(ROOT)))
    return said


def test_every_text_of_the_site_is_translated() -> None:
    translated = {entry.msgid for entry in ENTRIES if entry.translated() and not entry.fuzzy}
    missing = {
        text: where for text, where in said_by_the_site().items() if text.strip() and text not in translated
    }
    assert missing == {}


def test_texts_are_found_in_python_and_in_templates() -> None:
    said = said_by_the_site()
    assert {Path(where).suffix for where in said.values()} >= {".py", ".html"}
    assert "conversation" in said
    assert len(said) > 150


def test_no_translation_is_unfinished() -> None:
    unfinished = [
        entry.msgid for entry in ENTRIES if not entry.obsolete and (entry.fuzzy or not entry.translated())
    ]
    assert unfinished == []


def test_a_translation_keeps_the_placeholders_of_its_text() -> None:
    changed = []
    for entry in ENTRIES:
        wanted = set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
        texts = entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]
        if any(set(PLACEHOLDER.findall(text)) != wanted for text in texts):
            changed.append(entry.msgid)
    assert changed == []


@pytest.mark.parametrize("po", catalogues(), ids=lambda po: po.parts[-3])
def test_the_compiled_catalogue_is_fresh(po: Path) -> None:
    mo = po.with_suffix(".mo")
    assert mo.is_file(), "run script/setup"
    fresh = {
        (entry.msgctxt, entry.msgid): entry.msgstr_plural or entry.msgstr
        for entry in polib.pofile(str(po), encoding="utf-8").translated_entries()
    }
    read = {
        (entry.msgctxt, entry.msgid): entry.msgstr_plural or entry.msgstr
        for entry in polib.mofile(str(mo), encoding="utf-8")
    }
    assert read == fresh, "run script/setup"


def test_compiling_leaves_out_what_is_not_finished(tmp_path: Path) -> None:
    po = polib.POFile()
    po.metadata = {"Content-Type": "text/plain; charset=utf-8"}
    po.append(polib.POEntry(msgid="finished", msgstr="完成"))
    po.append(polib.POEntry(msgid="guessed", msgstr="猜的", flags=["fuzzy"]))
    po.append(polib.POEntry(msgid="untouched", msgstr=""))
    po.save(str(tmp_path / "django.po"))
    (tmp_path / "django.mo").write_bytes(compiled(tmp_path / "django.po"))
    assert [entry.msgid for entry in polib.mofile(str(tmp_path / "django.mo"))] == ["finished"]


def test_a_chinese_reader_reads_chinese() -> None:
    with translation.override("zh-hans"):
        assert "拒绝" in translation.gettext("The assistant declined to answer this.")
