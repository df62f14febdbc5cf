"""A server that answers as Fauna does: the part of FQL v4 that a log store needs.

It exists because no Fauna can be installed for tests. It is judged by the wire
cases beside it, which were written from the published server's own source, and
never against a running one.
"""
