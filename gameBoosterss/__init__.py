"""GameBoosterss: the marketplace on top of ``realtime``."""
