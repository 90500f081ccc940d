"""`make torture`: kill, starve and lie to a running cgexplorer, and count what does not survive."""
