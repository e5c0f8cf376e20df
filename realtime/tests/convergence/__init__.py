"""Random histories of writers, viewers, a bad bus and a trimmed log, judged by a model (INVARIANTS I1 to I16)."""
