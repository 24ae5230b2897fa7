"""The ``bokeh-server`` command."""
