"""A local fleet of real SSH devices that any user can run."""
