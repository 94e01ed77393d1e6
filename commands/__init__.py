"""The doors: one markdown definition and one handler per command, the line grammar, replies."""
