"""Answering from memory, without inventing."""

import re
from collections.abc import Callable, Iterable

from cozechat.emulator.memory import Memory, Person

Words = dict[str, str]

ZH: Words = {
    "name": "你叫**{}**。",
    "no_name": "你还没有告诉我你的名字。",
    "age": "你 **{}** 岁。",
    "no_age": "你还没有告诉我你的年龄。",
    "job": "你是**{}**。",
    "no_job": "你还没有告诉我你的职业。",
    "thing": "你的{}:**{}**。",
    "no_thing": "你还没有告诉我你的{}。",
    "note": "你让我记住的是:**{}**。",
    "no_note": "你还没有让我记住什么。",
    "stranger": "我不知道{}是谁,你没有跟我提起过。",
    "self": "{}就是你。",
    "kin": "{}是你的{}。",
    "name_of": "{}",
    "job_of": "是{}",
    "age_of": "{}岁",
    "thing_of": "{}:{}",
    "nothing": "我对你还一无所知,先告诉我一点吧。",
    "comma": ",",
    "gap": "",
    "stop": "。",
}
EN: Words = {
    "name": "Your name is **{}**.",
    "no_name": "You have not told me your name yet.",
    "age": "You are **{}** years old.",
    "no_age": "You have not told me your age yet.",
    "job": "You are a **{}**.",
    "no_job": "You have not told me your job yet.",
    "thing": "Your {}: **{}**.",
    "no_thing": "You have not told me your {} yet.",
    "note": "You asked me to remember: **{}**.",
    "no_note": "You have not asked me to remember anything yet.",
    "stranger": "I do not know who {} is; you have not mentioned them to me.",
    "self": "{} is you.",
    "kin": "{} is your {}.",
    "name_of": "{}",
    "job_of": "a {}",
    "age_of": "{} years old",
    "thing_of": "{}: {}",
    "nothing": "I know nothing about you yet. Tell me something first.",
    "comma": ", ",
    "gap": " ",
    "stop": ".",
}

_NAME = re.compile(
    r"我叫什么|我的?名字|我姓什么|我是谁|(?i:\bmy name\b|\bwho am i\b|\bwhat am i called\b|call me\?)"
)
_AGE = re.compile(r"我(?:今年)?(?:多大|几岁|多少岁)|我的?年龄|(?i:\bhow old am i\b|\bmy age\b)")
_JOB = re.compile(
    r"我的?(?:职业|工作)|我(?:是)?(?:做什么|干什么)"
    r"|(?i:\bmy (?:job|occupation|profession)\b|what do i do\b|what is my work)"
)
_ABOUT_ME = re.compile(r"了解我|知道我(?:的|什么|哪)|关于我|(?i:\babout me\b|know me\b)")
_NOTES = re.compile(
    r"(?:让|叫|要)你记|记得什么|记住(?:了)?什么|(?i:ask(?:ed)? you to remember|do you remember\b)"
)
_SECRETS = re.compile(
    r"暗号|密码|口令|密语|暗语|秘密|代号|幸运数字"
    r"|(?i:secret(?: word| code| phrase)?|pass ?(?:word|phrase|code)|code ?word)"
)
_MINE = re.compile(
    r"我的?(?P<v>[^是叫有?]{1,8}?)(?:是|叫|有)(?:什么|谁|哪|多少)|(?i:what(?:'s| is| are) my (?P<e>[\w' -]+))"
)
_WHO = [
    re.compile(r"(?P<v>[^\s,。?!是的你我他她它这那]{1,8}?)(?:这个人)?是(?:谁|什么人|做什么|干什么)"),
    re.compile(r"谁是(?P<v>[^\s,。?!的你我]{1,8})"),
    re.compile(r"(?:认识|听说过|知道)(?P<v>[^\s,。?!的你我吗么谁]{1,8}?)(?:这个人)?(?:吗|么|是|的|\?|$)"),
    re.compile(
        r"(?P<v>[^\s,。?!是的你我他她能会要想该在去天]{1,8}?)(?:的(?:职业|工作|年龄|暗号)|做什么|多大|几岁)"
    ),
    re.compile(r"(?i:\bwho(?:'s| is| was))\s+(?P<v>[A-Z\u4e00-\u9fff][\w\u4e00-\u9fff-]*(?: [A-Z][\w-]*)*)"),
    re.compile(r"(?i:\bdo you know(?: about| who)?|\bknow about|\bhow old is|\bwhat does)\s+(?P<v>[A-Z]\w+)"),
    re.compile(r"(?i:\bwhat(?:'s| is))\s+(?P<v>[A-Z]\w+)'s\b"),
]
_NOBODY = frozenset({"今天", "现在", "谁", "什么", "I", "It", "This", "That"})


def recall(text: str, memory: Memory, *, words: Words) -> str | None:
    """An answer to a question about what was told, or None when it asks about something else."""
    told: list[str] = []
    for topic in (_about_me, _name, _age, _job, _who, _things, _notes):
        told += topic(text, memory, words)
    return words["gap"].join(dict.fromkeys(told)) or None


def facts_of(person: Person, *, words: Words) -> str:
    """All that is known of somebody, in one line."""
    parts = [
        words[f"{kind}_of"].format(value)
        for kind, value in (("name", person.name), ("age", person.age), ("job", person.job))
        if value
    ]
    parts += [words["thing_of"].format(key, value) for key, value in person.things.items()]
    return words["comma"].join(parts + [f"“{note}”" for note in person.notes])


def _about_me(text: str, memory: Memory, words: Words) -> list[str]:
    if not _ABOUT_ME.search(text):
        return []
    facts = facts_of(memory.me, words=words)
    return [facts + words["stop"]] if facts else [words["nothing"]]


def _fact(kind: str, pattern: re.Pattern[str]) -> Callable[[str, Memory, Words], list[str]]:
    def topic(text: str, memory: Memory, words: Words) -> list[str]:
        if not pattern.search(text):
            return []
        value = next((getattr(each, kind) for each in _people(memory) if getattr(each, kind)), None)
        return [words[kind].format(value) if value else words[f"no_{kind}"]]

    return topic


_name, _age, _job = _fact("name", _NAME), _fact("age", _AGE), _fact("job", _JOB)


def _people(memory: Memory) -> Iterable[Person]:
    """The asker first, then the latest heard."""
    return (memory.me, *reversed(memory.others))


def _who(text: str, memory: Memory, words: Words) -> list[str]:
    name = next((match["v"] for pattern in _WHO if (match := pattern.search(text))), None)
    if name is None or name in _NOBODY:
        return []
    if name == memory.me.name:
        return [words["self"].format(name), facts_of(memory.me, words=words) + words["stop"]]
    kin = next((key for key, value in memory.me.things.items() if value == name), None)
    if kin is not None:
        return [words["kin"].format(name, kin)]
    known = next((each for each in _people(memory) if each.name == name), None)
    return [words["stranger"].format(name) if known is None else facts_of(known, words=words) + words["stop"]]


def _things(text: str, memory: Memory, words: Words) -> list[str]:
    asked = _SECRETS.search(text)
    for person in _people(memory):
        for key, value in reversed(person.things.items()):
            if (asked and _SECRETS.search(key)) or _mentions(text, key):
                return [words["thing"].format(key, value)]
    if asked:
        return [words["no_thing"].format(asked.group())]
    mine = _MINE.search(text)
    if mine is None or any(pattern.search(text) for pattern in (_NAME, _AGE, _JOB)):
        return []
    return [words["no_thing"].format((mine["v"] or mine["e"]).strip())]


def _mentions(text: str, key: str) -> bool:
    """All words of an English key, or the whole of a Chinese one."""
    if not key.isascii():
        return key in text
    said = set(re.findall(r"\w+", _spelling(text)))
    return all(word in said for word in re.findall(r"\w+", _spelling(key)) if len(word) > 1)


def _spelling(text: str) -> str:
    return text.lower().replace("favourite", "favorite").replace("colour", "color")


def _notes(text: str, memory: Memory, words: Words) -> list[str]:
    if not _NOTES.search(text):
        return []
    notes = [note for person in _people(memory) for note in person.notes]
    known = memory.me.count() > 0
    return [words["note"].format(note) for note in notes] or ([] if known else [words["no_note"]])
