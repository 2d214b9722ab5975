"""The addresses of arranging."""

from django.urls import path

from conversations.arranging import pages, views

app_name = "arranging"
urlpatterns = [
    path("search/", pages.search, name="search"),
    path("api/arrange", views.arrange, name="arrange"),
    path("api/discard", views.discard, name="discard"),
    path("api/restore", views.restore, name="restore"),
    path("api/folders/", views.folders, name="folders"),
    path("api/folders/<uuid:folder_id>/", views.folder, name="folder"),
]
