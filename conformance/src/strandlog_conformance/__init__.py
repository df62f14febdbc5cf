"""The checks that every storage plugin of strandlog has to pass."""
