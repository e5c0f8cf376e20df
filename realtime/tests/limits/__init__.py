"""Limits in one process and in several on one Redis: what is refused is counted, what is held is bounded, and a Redis
that is away refuses nobody.
"""
