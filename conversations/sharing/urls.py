"""Where links are made, kept and opened."""

from django.urls import path

from conversations.sharing import views

app_name = "shares"
urlpatterns = [
    path("c/<uuid:conversation_id>/share/", views.new, name="of"),
    path("accounts/shares/", views.listing, name="list"),
    path("accounts/shares/<uuid:share_id>/revoke/", views.revoke, name="revoke"),
    path("s/<str:token>/", views.shared, name="shared"),
]
