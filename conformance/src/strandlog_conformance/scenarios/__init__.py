"""The checks, a module to a subject; ``suite.MODULES`` gives their order."""
