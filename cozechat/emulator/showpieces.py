"""Set pieces in Markdown that a visitor can ask for: everything a chat page has to be able to draw."""

import re

_TABLE_ZH = """下面是一张表格:

| 城市 | 省份 | 气温 (°C) | 天气 |
|:-----|:----:|----------:|------|
| 北京 | 北京 | 12 | 晴 |
| 上海 | 上海 | 17 | 多云 |
| 广州 | 广东 | 24 | 小雨 |
| 成都 | 四川 | 15 | 阴 |

这些数字是编的,只为看看表格好不好看。"""
_TABLE_EN = """Here is a table:

| City | Country | Temperature (°C) | Weather |
|:-----|:-------:|-----------------:|---------|
| Oslo | Norway | 4 | clear |
| Lisbon | Portugal | 19 | sunny |
| Nairobi | Kenya | 23 | light rain |
| Quito | Ecuador | 15 | cloudy |

The figures are made up; the table is not."""
_CODE = '''```python
from collections.abc import Iterator


def fibonacci(limit: int) -> Iterator[int]:
    """The Fibonacci numbers below `limit`."""
    a, b = 0, 1
    while a < limit:
        yield a
        a, b = b, a + b


print(list(fibonacci(100)))  # [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89]
```'''
_CODE_ZH = f"""当然,这是一段 Python 代码:

{_CODE}

`fibonacci` 是一个生成器,要多少算多少。"""
_CODE_EN = f"""Certainly, some Python:

{_CODE}

`fibonacci` is a generator: it computes only what is asked for."""
_POEM_ZH = """## 夜坐

窗外一灯明,
案头半卷书。
键声如细雨,
落在夜深处。

> 写于无人问津的 `localhost`"""
_POEM_EN = """## A Night on Loopback

A lamp is lit, the page is white,
the keys fall soft as rain;
a word goes out into the night
and echoes home again.

> written at `127.0.0.1`"""
_MATH_ZH = """一元二次方程 $ax^2 + bx + c = 0$ 的解是

$$x = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2a}$$

当判别式 $\\Delta = b^2 - 4ac \\ge 0$ 时有实数解。再来一个:$e^{i\\pi} + 1 = 0$。"""
_MATH_EN = """The equation $ax^2 + bx + c = 0$ is solved by

$$x = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2a}$$

with real solutions when $\\Delta = b^2 - 4ac \\ge 0$. One more: $e^{i\\pi} + 1 = 0$."""
_LIST_ZH = """泡一杯好茶:

1. 烧水,等到八十度左右;
2. 温杯,把水倒掉;
3. 放茶叶
   - 绿茶三克
   - 乌龙五克
4. 注水,等**一分钟**。

- [x] 水
- [ ] 茶叶"""
_LIST_EN = """A good cup of tea:

1. Heat the water, not quite to the boil;
2. warm the cup and empty it;
3. add the leaves
   - three grams of green tea
   - or five of oolong
4. pour, and wait **one minute**.

- [x] water
- [ ] leaves"""
_HELP_ZH = """## 我能做什么

我是**扣子(Coze)的本地替身**。试试这些:

- 「你好,我叫张三,我25岁」,然后问「我叫什么名字?我多大?」
- 「记住暗号是斑马」,然后问「暗号是什么?」
- 「画一张表格」「写一段代码」「写一首诗」「来个公式」「列个清单」
- 「写一篇长文」,看一看长的回答
- 「数到200」,再试试「慢慢数到20」
- 「问我一个问题」,流程会停下来等你回答

我只记得**这个会话**里的事,别人的会话我看不到。"""
_HELP_EN = """## What I can do

I am a **local stand-in for Coze**. Try these:

- *My name is Alice and I am 30*, then *What is my name? How old am I?*
- *The secret word is zebra*, then *What is the secret word?*
- *Draw a table*, *show me code*, *write a poem*, *some math*, *make a list*
- *Write a long text*, for a long answer
- *Count to 200*, or *count slowly to 20*
- *Ask me a question*: the flow stops and waits for you

I remember only **this conversation**; I cannot see anybody else's."""

_PARAGRAPH_ZH = (
    "流水不争先,争的是滔滔不绝。一个好的对话系统也是这样:先把第一个字送到,再把每一个字按顺序送到,"
    "不丢、不重、不乱。网络会断,页面会关,进程会重启,可是说过的话要留下来。"
)
_PARAGRAPH_EN = (
    "A stream does not hurry; it merely never stops. A good chat is like that: the first word comes at once, "
    "every other in its order, none lost, none twice. Lines break, pages close, processes start again, "
    "and yet what was said remains."
)
_CHAPTERS_ZH = ("缘起", "水的比喻", "第一个字", "断线之后", "两个人的会话", "忘记与记得", "慢的好处", "结语")
_CHAPTERS_EN = (
    "Beginnings",
    "Of water",
    "The first word",
    "After the break",
    "Two people",
    "To forget, to remember",
    "In praise of slowness",
    "The end",
)


def _long(title: str, *, chapters: tuple[str, ...], paragraph: str) -> str:
    parts = [f"# {title}"]
    for number, chapter in enumerate(chapters, start=1):
        parts += [f"## {number}. {chapter}", paragraph, f"> {chapter}", paragraph]
    return "\n\n".join(parts)


_PIECES: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"你能做什么|你会做?什么|帮助|你是谁|(?i:\bhelp\b|what can you do|who are you)"),
        _HELP_ZH,
        _HELP_EN,
    ),
    (
        re.compile(r"长文|长一点的|很长|(?i:\blong\b)"),
        _long("说流水", chapters=_CHAPTERS_ZH, paragraph=_PARAGRAPH_ZH),
        _long("On Streams", chapters=_CHAPTERS_EN, paragraph=_PARAGRAPH_EN),
    ),
    (re.compile(r"表格|(?i:\btable\b)"), _TABLE_ZH, _TABLE_EN),
    (re.compile(r"代码|程序片段|(?i:\bcode\b|\bpython\b)"), _CODE_ZH, _CODE_EN),
    (re.compile(r"写.{0,3}诗|诗歌|(?i:\bpoem\b)"), _POEM_ZH, _POEM_EN),
    (re.compile(r"公式|数学|(?i:\bmaths?\b|\bformula\b|\bequation\b)"), _MATH_ZH, _MATH_EN),
    (re.compile(r"清单|列表|(?i:\blist\b|\bsteps\b)"), _LIST_ZH, _LIST_EN),
)


def find(text: str, *, chinese: bool) -> str | None:
    """The piece that a message asks for; several are shown one after another."""
    pieces = [zh if chinese else en for pattern, zh, en in _PIECES if pattern.search(text)]
    return "\n\n---\n\n".join(pieces) or None


def greeting(facts: str, *, chinese: bool) -> str:
    if chinese:
        known = f"我记得你:{facts}。" if facts else "告诉我你叫什么名字吧。"
        return f"你好!{known}\n\n想知道我会什么,就问 **你能做什么**。"
    known = f"I remember you: {facts}." if facts else "Tell me your name, if you like."
    return f"Hello! {known}\n\nSay **help** to see what I can do."
