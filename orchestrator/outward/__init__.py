"""How the controller speaks to what is neither a device nor its store: HTTP, and programs.

Gates and notifications share these limits: no shell, no other host, no secret that is shown.
"""
