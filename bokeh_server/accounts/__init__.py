"""Who people are: passwords, logins and tokens, for the blueprint and the command.

Nothing here knows of requests or cookies.
"""

from __future__ import annotations

from bokeh_server.accounts.accounts import Accounts, Known, Policy, Registration
from bokeh_server.accounts.handovers import Handovers, shown_code
from bokeh_server.accounts.links import Links, Wish, pass_of
from bokeh_server.accounts.names import LEAST_PASSWORD, check_name, check_password, folded
from bokeh_server.accounts.throttle import Throttle

__all__ = [
    "LEAST_PASSWORD",
    "Accounts",
    "Handovers",
    "Known",
    "Links",
    "Policy",
    "Registration",
    "Throttle",
    "Wish",
    "check_name",
    "check_password",
    "folded",
    "pass_of",
    "shown_code",
]
