import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cgexplorer.settings")
# Nobody waits longer for a page, and one question must not keep the database from the others.
os.environ.setdefault("CGEXPLORER_STATEMENT_TIMEOUT_MS", "5000")
application = get_wsgi_application()
