"""What a controller does that follows a branch of git: decisions and facts alone, no git."""
