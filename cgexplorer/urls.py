"""URL map. Pages live in web/, named after what they show."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
