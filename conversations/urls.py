"""The pages of conversations, and the JSON beside them."""

from django.urls import path

from conversations import api, views

app_name = "conversations"
urlpatterns = [
    path("", views.page, name="new"),
    path("c/<uuid:conversation_id>/", views.page, name="page"),
    path("api/conversations/", api.conversations, name="api_conversations"),
    path("api/conversations/<uuid:conversation_id>/", api.conversation, name="api_conversation"),
    path("api/conversations/<uuid:conversation_id>/messages", api.messages, name="api_messages"),
    path("api/conversations/<uuid:conversation_id>/export", api.export, name="api_export"),
    path("api/search", api.search, name="api_search"),
]
