"""Where files are brought to and fetched from."""

from django.urls import path

from conversations.attaching import views

app_name = "attaching"
urlpatterns = [
    path("", views.uploads, name="uploads"),
    path("<uuid:attachment_id>/", views.upload, name="upload"),
]
