"""What the documentation is made from: the picture of the lifecycle and the cookbooks."""
