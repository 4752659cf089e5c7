"""Inventories in Ansible's form: groups, variables, patterns."""
