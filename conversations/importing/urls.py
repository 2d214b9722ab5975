"""The addresses of importing."""

from django.urls import path

from conversations.importing import views

app_name = "importing"
urlpatterns = [
    path("import/", views.page, name="page"),
    path("api/import", views.api, name="api"),
]
