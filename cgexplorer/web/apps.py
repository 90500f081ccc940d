from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "cgexplorer.web"
    label = "web"
