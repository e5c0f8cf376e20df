"""The protocol without I/O: values and decisions. Imports no Django, Channels, asyncio, socket or clock."""
