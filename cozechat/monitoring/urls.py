"""What staff and machines may see of the inside; `/health` has an entrance of its own."""

from django.urls import path

from cozechat.monitoring import views

urlpatterns = [path("diagnostics/coze", views.diagnose_coze, name="diagnose_coze")]
