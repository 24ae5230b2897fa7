"""Flask: applications over HTTP and WebSockets."""
