"""Keys and signatures; the only home of `cryptography`."""
