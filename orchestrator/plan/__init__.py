"""From YAML to a resolved plan in which no choice is left: parse, resolve, waves, digest."""
