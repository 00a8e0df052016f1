"""What the documentation of the lifecycle is made from: its picture and its cookbook."""
