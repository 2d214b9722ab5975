"""Balances, holds, prices, records, codes and requests; what must always hold is a constraint."""

from cozechat.usage.models.accounts import Account, AppendOnly, LedgerEntry, PriceGroup
from cozechat.usage.models.calls import Origin
from cozechat.usage.models.codes import RedeemCode
from cozechat.usage.models.holds import BudgetWindow, Hold
from cozechat.usage.models.prices import Price, PriceNotConfigured
from cozechat.usage.models.records import UsageRecord
from cozechat.usage.models.requests import TopUpRequest

__all__ = [
    "Account",
    "AppendOnly",
    "BudgetWindow",
    "Hold",
    "LedgerEntry",
    "Origin",
    "Price",
    "PriceGroup",
    "PriceNotConfigured",
    "RedeemCode",
    "TopUpRequest",
    "UsageRecord",
]
