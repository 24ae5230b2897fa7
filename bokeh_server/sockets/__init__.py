"""The WebSocket transport: connections that cost little while idle and never wait for a viewer."""

from bokeh_server.sockets.bokeh_handler import BokehHandler
from bokeh_server.sockets.connection import Connection, Handler, MakeHandler
from bokeh_server.sockets.handshake import Handshake, Refusal, read_handshake
from bokeh_server.sockets.limits import Limits
from bokeh_server.sockets.loop import SocketLoop
from bokeh_server.sockets.origin import check_name, check_origin
from bokeh_server.sockets.source import LiveSource
from bokeh_server.sockets.takeover import Leaving, Transport, find_socket, plain_transport
from bokeh_server.sockets.tickets import Kind, Right, Ticket, mint_ticket, read_ticket

__all__ = [
    "BokehHandler",
    "Connection",
    "Handler",
    "Handshake",
    "Kind",
    "Leaving",
    "Limits",
    "LiveSource",
    "MakeHandler",
    "Refusal",
    "Right",
    "SocketLoop",
    "Ticket",
    "Transport",
    "check_name",
    "check_origin",
    "find_socket",
    "mint_ticket",
    "plain_transport",
    "read_handshake",
    "read_ticket",
]
