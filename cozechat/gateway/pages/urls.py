"""The URLs under `/accounts/keys/`."""

from django.urls import path

from cozechat.gateway.pages import views

app_name = "keys"
urlpatterns = [
    path("", views.listing, name="list"),
    path("new/", views.new, name="new"),
    path("<int:key_id>/", views.one, name="one"),
    path("<int:key_id>/rotate/", views.rotate, name="rotate"),
    path("<int:key_id>/revoke/", views.revoke, name="revoke"),
    path("<int:key_id>/off/", views.switch, {"off": True}, name="off"),
    path("<int:key_id>/on/", views.switch, {"off": False}, name="on"),
]
