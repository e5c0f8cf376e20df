"""What ``./dev`` does once the virtual environment stands. Never imported in production."""
