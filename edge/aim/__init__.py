"""A page for aiming a camera: lines of what it sees, and what is read there, for one viewer at a time."""
