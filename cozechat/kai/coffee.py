"""What the demo server knows about coffee: pure, in both languages."""

import re
from dataclasses import dataclass

_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to know, and the words that lead to it."""

    words: str
    english: str
    chinese: str


KNOWN = (
    Entry(
        r"latte|拿铁",
        "A latte is one part espresso and three to four parts steamed milk under a thin layer of foam. "
        "Steam the milk to 60–65 °C; above that it loses its sweetness.",
        "拿铁是一份浓缩咖啡加三到四份蒸汽牛奶,上面一层薄奶泡。牛奶打到 60–65 °C,再高就不甜了。",
    ),
    Entry(
        r"cappuccino|卡布奇诺",
        "A cappuccino is one part espresso, one part steamed milk and one part foam, in a cup of 150–180 ml.",
        "卡布奇诺是浓缩咖啡、蒸汽牛奶、奶泡各一份,用 150–180 毫升的杯子。",
    ),
    Entry(
        r"espresso|浓缩",
        "An espresso: 18 g of finely ground coffee, 36 g in the cup, 25–30 seconds, 92–94 °C and 9 bar.",
        "浓缩咖啡:18 克细粉,萃出 36 克,25–30 秒,92–94 °C,9 巴压力。",
    ),
    Entry(
        r"americano|美式",
        "An americano is a double espresso with 120–180 ml of hot water; water first keeps the crema.",
        "美式是双份浓缩加 120–180 毫升热水;先倒水再倒咖啡,可以保住油脂。",
    ),
    Entry(
        r"pour|filter|v60|手冲|滤",
        "Pour-over: 15 g of medium ground coffee, 250 g of water at 92 °C, 30 s of bloom, 2:30–3:00 in all.",
        "手冲:15 克中等研磨的咖啡粉,250 克 92 °C 的水,先闷蒸 30 秒,总时间 2:30–3:00。",
    ),
    Entry(
        r"bean|roast|豆|烘焙",
        "Beans taste best 7 to 30 days after roasting; keep them closed, dark and dry, and grind just before brewing.",
        "咖啡豆在烘焙后 7 到 30 天最好喝;密封、避光、干燥保存,现磨现冲。",
    ),
)
_OTHERWISE = Entry(
    "",
    "Coffee grows between the tropics; arabica is sweeter and more acidic, robusta stronger and more bitter. "
    "Ask about latte, cappuccino, espresso, americano, pour-over or beans.",
    "咖啡生长在南北回归线之间:阿拉比卡更甜更酸,罗布斯塔更浓更苦。可以问拿铁、卡布奇诺、浓缩、美式、手冲或咖啡豆。",
)


def look_up(query: str) -> str:
    """What there is to know about the query, in its language."""
    found = [entry for entry in KNOWN if re.search(entry.words, query, re.IGNORECASE)] or [_OTHERWISE]
    return "\n".join(entry.chinese if _HAN.search(query) else entry.english for entry in found[:2])


def water_for(coffee_grams: float, *, ratio: float) -> dict[str, float]:
    """How much water for so much coffee."""
    if not 0 < coffee_grams <= 10_000 or not 1 <= ratio <= 30:
        raise ValueError("between 0 and 10000 g of coffee, and a ratio between 1 and 30")
    return {"coffee_grams": coffee_grams, "ratio": ratio, "water_grams": round(coffee_grams * ratio, 1)}
