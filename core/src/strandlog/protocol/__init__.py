"""The protocol itself, pure: no event loop, no socket, no clock, no store."""
