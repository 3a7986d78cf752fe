"""Follows faces from frame to frame and gives them identities."""
