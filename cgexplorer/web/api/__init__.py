"""/api/v1: the same answers as the pages and the commands, for programs. Reads only."""
