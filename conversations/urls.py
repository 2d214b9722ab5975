"""The pages of conversations, and the JSON beside them."""

from django.urls import path

from conversations import api, embedding, icons, views

app_name = "conversations"
urlpatterns = [
    path("", views.page, name="new"),
    path("c/<uuid:conversation_id>/", views.page, name="page"),
    path("visit/", views.visit, name="visit"),
    path("visit/c/<uuid:conversation_id>/", views.visit, name="visit_page"),
    path("widget/", views.widget, name="widget"),
    path("widget/c/<uuid:conversation_id>/", views.widget, name="widget_page"),
    path("favicon.ico", icons.favicon, name="favicon"),
    path("widget.js", embedding.script, name="widget_script"),
    path("api/conversations/", api.conversations, name="api_conversations"),
    path("api/conversations/<uuid:conversation_id>/", api.conversation, name="api_conversation"),
    path("api/conversations/<uuid:conversation_id>/messages", api.messages, name="api_messages"),
    path("api/conversations/<uuid:conversation_id>/export", api.export, name="api_export"),
    path(
        "api/conversations/<uuid:conversation_id>/turns/<uuid:turn_id>/feedback",
        api.feedback,
        name="api_feedback",
    ),
    path("api/conversations/<uuid:conversation_id>/turns/<uuid:turn_id>", api.turn, name="api_turn"),
    path(
        "api/conversations/<uuid:conversation_id>/turns/<uuid:turn_id>/restore",
        api.restored_turn,
        name="api_restored_turn",
    ),
    path("api/conversations/<uuid:conversation_id>/cuts", api.cuts, name="api_cuts"),
    path("api/conversations/<uuid:conversation_id>/cuts/<uuid:cut_id>", api.cut, name="api_cut"),
    path("api/search", api.search, name="api_search"),
]
