"""Money in the admin: prices and groups are edited; what happened is looked at."""

from cozechat.usage.admin.balances import AccountAdmin, LedgerAdmin, PriceGroupAdmin
from cozechat.usage.admin.codes import RedeemCodeAdmin
from cozechat.usage.admin.holds import BudgetWindowAdmin, HoldAdmin
from cozechat.usage.admin.prices import PriceAdmin
from cozechat.usage.admin.records import UsageRecordAdmin
from cozechat.usage.admin.requests import TopUpRequestAdmin

__all__ = [
    "AccountAdmin",
    "BudgetWindowAdmin",
    "HoldAdmin",
    "LedgerAdmin",
    "PriceAdmin",
    "PriceGroupAdmin",
    "RedeemCodeAdmin",
    "TopUpRequestAdmin",
    "UsageRecordAdmin",
]
