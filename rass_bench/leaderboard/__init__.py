"""Leaderboards: records and reported numbers become versioned tables."""
