"""Ways to the socket that need more than a consumer."""
