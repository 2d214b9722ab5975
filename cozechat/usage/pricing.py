"""What a call costs: a pure function of price, group ratio and tokens."""

from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, localcontext
from typing import Any, Self

from cozechat.usage.money import Nano

MOST_TOKENS = 10**9
# Wide enough for the largest product of all factors; if it ever were not, this raises instead of rounding.
_EXACT = Context(prec=120, traps=[Inexact])


@dataclass(frozen=True, slots=True)
class Tokens:
    """How much was read and written; `total` is what the upstream calls the sum, if it does."""

    input: int
    output: int
    total: int | None = None

    @property
    def can_be_charged(self) -> bool:
        """Whether both counts are possible at all."""
        return 0 <= self.input <= MOST_TOKENS and 0 <= self.output <= MOST_TOKENS

    @property
    def fit_together(self) -> bool:
        """Whether the counts do not contradict each other."""
        return self.can_be_charged and self.total in {None, self.input + self.output}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A price as it was when the call began. Token prices are for 1000 tokens.

    Output has a price of its own or a ratio to the input's price, exactly one of them.
    """

    input_price: Nano
    output_price: Nano | None = None
    completion_ratio: Decimal | None = None
    per_call: Nano = 0
    minimum: Nano = 0

    def __post_init__(self) -> None:
        if (self.output_price is None) == (self.completion_ratio is None):
            raise ValueError("a price has an output price or a completion ratio, and not both")

    @property
    def counts_tokens(self) -> bool:
        """Whether the number of tokens makes a difference."""
        return bool(self.input_price or self.output_price)

    def as_json(self) -> dict[str, Any]:
        """For the JSON column of a hold and of a usage record."""
        ratio = self.completion_ratio
        return {**asdict(self), "completion_ratio": None if ratio is None else str(ratio)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """The snapshot that `as_json` wrote."""
        ratio = stored["completion_ratio"]
        return cls(**{**stored, "completion_ratio": None if ratio is None else Decimal(ratio)})


def cost(snapshot: Snapshot, *, ratio: Decimal, tokens: Tokens) -> Nano:
    """max(tokens + per call, minimum) × group ratio, rounded once, half up, to 10⁻⁹ credits.

    Nobody is ever paid for a call: counts must not be negative.
    """
    if tokens.input < 0 or tokens.output < 0:
        raise ValueError("negative token counts")
    with localcontext(_EXACT):
        if snapshot.output_price is None:
            output_price = snapshot.input_price * (snapshot.completion_ratio or Decimal(0))
        else:
            output_price = Decimal(snapshot.output_price)
        by_tokens = (tokens.input * Decimal(snapshot.input_price) + tokens.output * output_price).scaleb(-3)
        whole = max(by_tokens + snapshot.per_call, Decimal(snapshot.minimum)) * ratio
        return int(whole.to_integral_value(ROUND_HALF_UP))
