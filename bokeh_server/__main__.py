"""Run the ``bokeh-server`` command: ``python -m bokeh_server``."""

from bokeh_server.cli.main import main

if __name__ == "__main__":
    main()
