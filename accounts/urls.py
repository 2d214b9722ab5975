"""The pages of an account that allauth does not bring."""

from django.urls import path

from accounts import views

urlpatterns = [path("profile/", views.profile, name="account_profile")]
