"""Flask: the pages, JSON and WebSockets of stored documents."""
