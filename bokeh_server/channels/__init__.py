"""The live feed of one document: recent changes as bytes ready to send, and who follows it."""

from bokeh_server.channels.broker import Broker, MemoryBroker
from bokeh_server.channels.channel import Behind, Channel, Closed, Cursor, Entry, Follower

__all__ = ["Behind", "Broker", "Channel", "Closed", "Cursor", "Entry", "Follower", "MemoryBroker"]
