"""The warehouse itself: the server, who may do what in it, its migrations, and publishing."""
