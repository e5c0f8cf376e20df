"""No write escapes the capture: write paths, a witness that shares nothing with it, and their comparison."""
