"""URL map. Pages live in web/, named after what they show."""

from django.urls import include, path

from cgexplorer.web import home

handler400 = "cgexplorer.web.errors.bad_request"
handler404 = "cgexplorer.web.errors.not_found"
handler500 = "cgexplorer.web.errors.server_error"

urlpatterns = [
    path("livez", home.livez, name="livez"),
    path("readyz", home.readyz, name="readyz"),
    path("", include("cgexplorer.web.urls")),
]
