"""A third party's own tests against its own store with a fault in it: which do they notice?"""
