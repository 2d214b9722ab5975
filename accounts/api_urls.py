"""The JSON beside the pages of accounts."""

from django.urls import path

from accounts import api, choosing, web_sdk

urlpatterns = [
    path("visit", api.visit, name="api_visit"),
    path("visit/leave", api.leave, name="api_visit_leave"),
    path("visit/claim", api.claim, name="api_visit_claim"),
    path("token", web_sdk.token, name="api_token"),
    path("me/settings", choosing.of_scripts, name="api_settings"),
]
