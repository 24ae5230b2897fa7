"""The ``bokeh-server`` command, which writes down what it holds when it gets SIGUSR1.

``python watched.py FILE [options of bokeh-server]``
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
from pathlib import Path

from bokeh_server.cli.main import main


def count(path: Path) -> None:
    """Write how many greenlets, watchers of sockets and threads there are now."""
    # Not before the command has patched what is imported with it.
    import gevent
    import greenlet

    from bokeh_server.sockets import Connection

    gc.collect()
    objects = gc.get_objects()
    living = [each for each in objects if isinstance(each, greenlet.greenlet) and each]
    held = [each for each in objects if isinstance(each, Connection)]
    found = {
        "greenlets": len(living),
        "connections": len(held),
        "watchers": gevent.get_hub().loop.activecnt,
        "python threads": threading.active_count(),
    }
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(found))
    os.replace(draft, path)


if __name__ == "__main__":
    target = Path(sys.argv.pop(1))
    signal.signal(signal.SIGUSR1, lambda _number, _frame: count(target))
    main()
