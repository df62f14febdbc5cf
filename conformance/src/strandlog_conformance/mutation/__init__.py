"""Small faults put into working code, one at a time: does the suite notice each of them?"""
