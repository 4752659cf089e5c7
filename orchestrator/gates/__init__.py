"""How each kind of controller-side gate takes its samples."""
