"""Deliberately broken stores: each is the reference store with one fault."""
