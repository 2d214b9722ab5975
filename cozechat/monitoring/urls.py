"""What staff and machines may see of the inside; `/health` has an entrance of its own."""

from django.urls import path

from cozechat.monitoring import views
from cozechat.monitoring.board.page import board

urlpatterns = [
    path("monitoring/", board, name="monitoring"),
    path("metrics", views.metrics, name="metrics"),
    path("diagnostics/coze", views.show_coze, name="diagnose_coze"),
    path("diagnostics/kai", views.show_kai, name="diagnose_kai"),
]
