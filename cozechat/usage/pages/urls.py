"""The pages of usage and balance, below `/accounts/`. Redeeming is limited, so it is routed by the site itself."""

from django.urls import path

from cozechat.usage.pages import balance, usage

urlpatterns = [
    path("usage/", usage.usage, name="usage"),
    path("usage/export.csv", usage.export, name="usage_export"),
    path("usage/calls/<str:request_id>/", usage.record, name="usage_record"),
    path("balance/", balance.balance, name="balance"),
    path("balance/warning/", balance.warn, name="balance_warning"),
    path("balance/requests/", balance.ask, name="top_up_request"),
    path("balance/requests/<int:pk>/withdraw/", balance.withdraw, name="top_up_request_withdraw"),
]
