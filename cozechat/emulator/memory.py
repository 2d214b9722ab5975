"""What people have told of themselves: names, ages, jobs, secret words, favourite things."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

MOST_CHARACTERS = 4000
"""How much of one message is read for facts."""


class Utterance(NamedTuple):
    """One message, as far as the mind cares."""

    role: str
    content: str


@dataclass(slots=True)
class Person:
    """What one person said of themselves; `things` are whatever is theirs, by its name."""

    name: str | None = None
    age: str | None = None
    job: str | None = None
    things: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def count(self) -> int:
        named = sum(value is not None for value in (self.name, self.age, self.job))
        return named + len(self.things) + len(self.notes)


@dataclass(slots=True)
class Memory:
    """The one who asks, and whoever else the mind has heard (nobody, unless it leaks)."""

    me: Person
    others: list[Person]
    news: bool
    """Whether the last message told something."""


_SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕张孔曹严华金魏陶姜"
    "谢邹章苏潘葛范彭鲁马方任袁柳唐罗薛贺汤于徐高林郭"
)
_TRADES = "员师生手家人工者长官警兵友粉农商孩童迷"

_ZH_NAME = r"(?P<v>[\u4e00-\u9fff·]{1,8}?(?=我|今年|来自|是|住|$|\s|\d)|[A-Za-z][\w'-]*(?: [A-Z][\w'-]*)*)"
_EN_NAME = r"(?P<v>[^\W\d_][\w'’-]*(?: [A-Z][\w'’-]*){0,3})"
_NUMBER = r"(?P<v>\d{1,3}|[一二两三四五六七八九十百]{1,4})"
_A = r"(?:一名|一个|一位|名|个|位)?\s*"
_WATCHWORD = r"暗号|密码|口令|密语|暗语|秘密词|秘密|代号|幸运数字"
_EN_WATCHWORD = r"secret(?: word| code| phrase| number)?|pass ?(?:word|phrase|code)|code ?word|codename"

NAMES = [
    re.compile(rf"我(?:的?名字)?(?:叫做|名叫|叫|是叫)\s*{_ZH_NAME}"),
    re.compile(rf"我的?名字是\s*{_ZH_NAME}"),
    re.compile(rf"^(?:请|你可以|可以)?叫我\s*{_ZH_NAME}"),
    re.compile(rf"(?i:\bmy (?:full |first )?name(?: is|'s))\s+{_EN_NAME}"),
    re.compile(rf"(?i:\b(?:call me|i am called|i'm called))\s+{_EN_NAME}"),
    re.compile(r"\b(?i:i'm|i am)\s+(?P<v>[A-Z][a-z'-]+(?: [A-Z][a-z'-]+){0,2})\b"),
]
AGES = [
    re.compile(rf"^(?:我|今年|现在|的?年龄|是|有|也|才|刚|\s)*{_NUMBER}\s*周?岁"),
    re.compile(rf"我(?:叫|是).{{1,8}}?{_NUMBER}\s*周?岁"),
    re.compile(rf"我的?年龄(?:是|:)\s*{_NUMBER}"),
    re.compile(r"(?i)\bi(?:'m| am)\s+(?P<v>\d{1,3})\b(?!\s*(?:%|percent|minutes|hours|days))"),
    re.compile(r"(?i)\bmy age is\s+(?P<v>\d{1,3})"),
    re.compile(r"(?i)^(?P<v>\d{1,3}) years old"),
]
JOBS = [
    re.compile(rf"(?:我的)?(?:职业|工作)(?:是|:)\s*{_A}(?P<v>.{{1,20}})$"),
    re.compile(r"^我?(?:是|当|做)(?:一名|一个|一位|名|个|位)\s*(?P<v>.{1,20})$"),
    re.compile(r"^我是(?P<v>[\u4e00-\u9fff A-Za-z]{2,20})$"),
    re.compile(rf"^是(?P<v>[\u4e00-\u9fff]{{1,10}}[{_TRADES}])$"),
    re.compile(r"(?i)\bi(?:'m| am) an? (?P<v>[a-z][\w -]{1,40})"),
    re.compile(r"(?i)\bi work as (?:an? )?(?P<v>[a-z][\w -]{1,40})"),
    re.compile(r"(?i)\bmy (?:job|occupation|profession)(?: is|:)\s*(?:an? )?(?P<v>[a-z][\w -]{1,40})"),
]
THINGS = [
    re.compile(rf"(?P<k>{_WATCHWORD})\s*(?:就是|是|为|叫|:|=)\s*(?P<v>\S.*)$"),
    re.compile(rf"(?P<k>{_WATCHWORD})\s+(?P<v>[\w-]+)$"),
    re.compile(r"我(?P<k>最?喜欢的[^是]{1,10}?)是(?P<v>.+)$"),
    re.compile(r"我的(?P<k>[^是叫为:]{1,10}?)\s*(?:是|叫|为|:)\s*(?P<v>.+)$"),
    re.compile(r"我(?P<k>最?喜欢|住在|来自|养了)(?P<v>[^的]+)$"),
    re.compile(r"^(?P<v>[\u4e00-\u9fff·]{2,4}|[A-Z]\w+)是我的?(?P<k>[^,]{1,10})$"),
    re.compile(rf"(?i)\b(?P<k>{_EN_WATCHWORD})\s*(?:is|'s|:|=)\s*(?P<v>.+)$"),
    re.compile(rf"(?i)\b(?P<k>{_EN_WATCHWORD})\s+(?P<v>[\w-]+)$"),
    re.compile(r"(?i)\bmy (?P<k>[\w' -]{1,40}?) (?:is|are)(?: called| named)? (?P<v>.+)$"),
    re.compile(r"(?i)\bi (?P<k>live in|come from|like|love) (?P<v>.+)$"),
    re.compile(r"^(?P<v>[A-Z]\w+) is my (?P<k>[\w ]+)$"),
]
NOTES = [
    re.compile(r"(?:记住|记得|别忘了|记一下)[:,]?\s*(?:这个|这句)?(?:词|数字|话|单词)?[:,]?\s*(?P<v>.+)$"),
    re.compile(
        r"(?i)\bremember(?: that| this| the)?(?: (?:word|number|code|phrase|sentence)s?)?[:,]?\s+(?P<v>.+)$"
    ),
]
NOT_THINGS = re.compile(
    r"(?i)^(?:full |first )?(?:name|age|job|occupation|profession|名字|姓名|年龄|职业|工作)$"
)

_SENTENCE = re.compile(r"(?:[^。!?;\n.]|\.(?!\s|$))+[。!?;\n.]?")
_CLAUSE = re.compile(r"[,、]|\s+(?:and|but)\s+(?=(?:i|my|the|our)\b)|(?:而且|并且)", re.IGNORECASE)
_ASKING = re.compile(
    r"\?|什么|谁|多大|几岁|多少|哪|怎么|吗[。!]?$|呢[。!]?$|告诉我|还记得"
    r"|^\s*(?:what|who|whose|how|where|when|why|which|do|does|did|can|could|would|is|are|tell me)\b",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """The beginning of a text, with half-width digits and punctuation and single spaces."""
    narrow = unicodedata.normalize("NFKC", text[:MOST_CHARACTERS]).replace("’", "'")
    return re.sub(r"[^\S\n]+", " ", narrow).strip()


def is_question(text: str) -> bool:
    return _ASKING.search(text) is not None


def remember(threads: Sequence[Sequence[Utterance]]) -> Memory:
    """Reads every thread; the last one is the asker's own."""
    others = [_listen(Person(), thread) for thread in threads[:-1]]
    *earlier, last = threads[-1]
    me = _listen(Person(), earlier)
    before = deepcopy(me)
    return Memory(_listen(me, [last]), others, news=me != before)


def _listen(person: Person, thread: Iterable[Utterance]) -> Person:
    for said in thread:
        for sentence in _statements(said.content) if said.role == "user" else ():
            _absorb(person, sentence)
    return person


@lru_cache(maxsize=4096)
def _statements(text: str) -> tuple[str, ...]:
    sentences = _SENTENCE.findall(plain(text))
    return tuple(sentence.strip(" 。!;\n.") for sentence in sentences if not is_question(sentence))


def _absorb(person: Person, sentence: str) -> None:
    note = _first(NOTES, sentence)
    if note is not None and note not in person.notes:
        person.notes.append(note)
    for clause in _CLAUSE.split(sentence):
        _absorb_clause(person, clause.strip())


def _absorb_clause(person: Person, clause: str) -> None:
    person.name = _first(NAMES, clause) or person.name
    age = _first(AGES, clause)
    person.age = age or person.age
    if age is None:
        _absorb_job(person, _first(JOBS, clause))
    for pattern in THINGS:
        match = pattern.search(clause)
        if match and not NOT_THINGS.match(match["k"].strip()):
            person.things[match["k"].strip().lower()] = _tidy(match["v"])
            return


def _absorb_job(person: Person, job: str | None) -> None:
    """「我是李四」 says a name, 「我是老师」 a job."""
    if job is None or job in (person.name or "") or job.startswith("我的"):
        return
    if len(job) <= 3 and job[0] in _SURNAMES and job[-1] not in _TRADES:
        person.name = job
    else:
        person.job = job


def _first(patterns: Iterable[re.Pattern[str]], text: str) -> str | None:
    for pattern in patterns:
        match = pattern.search(text)
        if match:
            return _tidy(match["v"])
    return None


def _tidy(value: str) -> str:
    return value.strip(" \t\"'“”「」『』《》`*。.!,;:吧哦啊呀")
