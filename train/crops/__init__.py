"""Random crops of scenes, and what the face networks should return for them."""
