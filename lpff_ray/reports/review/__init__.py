"""The review page: a local server and the page that it shows."""
