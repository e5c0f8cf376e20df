"""Ways to learn that a record changed; each reads the declared state afresh, inside the writer's transaction."""
