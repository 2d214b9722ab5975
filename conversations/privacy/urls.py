"""The pages of privacy, below `/accounts/privacy/`. The export is limited, so it is routed by the site itself."""

from django.urls import path

from conversations.privacy import pages

urlpatterns = [
    path("", pages.privacy, name="privacy"),
    path("delete/", pages.delete, name="privacy_delete"),
    path("receipts/<str:token>.json", pages.receipt_json, name="privacy_receipt_json"),
    path("receipts/<str:token>/", pages.receipt, name="privacy_receipt"),
]
