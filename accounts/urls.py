"""The pages of an account that allauth does not bring."""

from django.urls import path

from accounts import choosing, views
from accounts.seeing import pages as seeing

urlpatterns = [
    path("profile/", views.profile, name="account_profile"),
    path("settings/shortcuts/", choosing.keys, name="account_shortcuts"),
    path("settings/", choosing.page, name="account_settings"),
    path("seeing/end/", seeing.end, name="seeing_end"),
]
