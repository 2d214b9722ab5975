"""Every URL of the site."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from accounts.haste import unhurried
from accounts.languages import switch
from conversations.privacy import pages as privacy
from cozechat.monitoring.app_test import test_coze_app
from cozechat.tries import limited
from cozechat.usage.pages import api, balance

# The admin's own log-in form knows neither the second factor nor the limits.
admin.autodiscover()
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

redeem = limited(balance.redeem, name="redeem", limit=10, refusal=balance.too_many_codes)
export_all = limited(privacy.export, name="export-all", limit=3, refusal=privacy.too_many_exports)

# allauth looks for it here when somebody has tried too often.
handler429 = "accounts.haste.too_many_tries"

urlpatterns = [
    path("", include("conversations.urls")),
    path("", include("conversations.sharing.urls")),
    path("", include("conversations.arranging.urls")),
    path("", include("conversations.importing.urls")),
    path("accounts/", include("accounts.urls")),
    path("api/", include("accounts.api_urls")),
    path("api/uploads/", include("conversations.attaching.urls")),
    path("accounts/privacy/export.zip", export_all, name="privacy_export"),  # type: ignore[arg-type]  # as below
    path("accounts/privacy/", include("conversations.privacy.urls")),
    path("accounts/keys/", include("cozechat.gateway.pages.urls")),
    path("accounts/balance/redeem/", redeem, name="redeem_code"),  # type: ignore[arg-type]  # the stubs know no coroutines here
    path("accounts/", include("cozechat.usage.pages.urls")),
    path("api/me/usage", unhurried(api.my_usage), name="my_usage"),
    path("accounts/", include("allauth.urls")),
    path("i18n/setlang/", switch, name="set_language"),
    path("admin/catalog/cozeapp/<int:pk>/test/", admin.site.admin_view(test_coze_app), name="test_coze_app"),
    path("admin/", admin.site.urls),
    path("", include("cozechat.monitoring.urls")),
]
