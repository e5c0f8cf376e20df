"""The soak: two servers, four writers and a crowd of viewers, while everything under them breaks and heals.

``house`` holds the engines and processes, ``troubles`` breaks them, ``writer`` writes, ``crowd`` watches and judges
every frame. ``tests/stories/test_soak.py`` conducts.
"""
