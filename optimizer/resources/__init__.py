"""One package per kind of governed resource: how it is found, read and changed."""
