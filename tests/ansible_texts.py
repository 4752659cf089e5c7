"""Texts of the cases of `groups_by` and of `ansible.cfg`, for `ansible_cases`."""

LABELLED = (
    "web: {hosts: {w1: {site: bern}, w2: {site: basel}, w3: {}}}\n"
    "db: {hosts: {w1: {}, d1: {site: bern}}, vars: {tier: db}}\n"
)
GROUPINGS = {
    "hosts-and-groups": (LABELLED, {"site": "site_", "tier": "tier_"}),
    "without-groups": ("all: {hosts: {w1: {site: bern}, w2: {}}}\n", {"site": "site_"}),
    "group-that-is-there": (
        "site_bern: {hosts: {x: {}}, vars: {here: 1}}\nweb: {hosts: {w1: {site: bern}}}\n",
        {"site": "site_"},
    ),
    "below-another": (
        "south: {children: {site_bern: {}}, vars: {v: south}}\nweb: {hosts: {w1: {site: bern}}}\n",
        {"site": "site_"},
    ),
    "template": ("all: {hosts: {w1: {site: '{{ place }}', place: bern}}}\n", {"site": "site_"}),
    "empty": ("web: {hosts: {w1: {site: ''}}}\n", {"site": "site_"}),
    "nobody": ("web: {hosts: {w1: {}}}\n", {"site": "site_"}),
}

CONFIGURATIONS = {
    "all": "[defaults]\nremote_user = ota\nremote_port = 2200\nforks = 50\ninventory = a\n"
    "private_key_file = keys/id\n[ssh_connection]\nssh_common_args = -J gw\npipelining = True\n",
    "quotes": "[defaults]\nremote_user = \"ota\"\nprivate_key_file = 'k'\n",
    "comments": "# c\n; c\n[defaults]\n# c\nremote_user = ota ; c\nremote_port = 2200 ;c\n",
    "colons": "[defaults]\nremote_user: ota\n[ssh_connection]\nssh_args: -o ControlPersist=60s\n",
    "lines": "[ssh_connection]\nssh_args = -C\n  -o ControlMaster=auto\nssh_extra_args = -C\n",
    "inventories": "[defaults]\ninventory = a, b/c ,/srv/d\n",
    "percent": '[ssh_connection]\nssh_args = -o ProxyCommand="ssh -W %h:%p gw"\n',
    "capitals": "[defaults]\nRemote_User = ota\n[DEFAULTS]\nremote_port = 1\n",
    "empty": "[defaults]\nremote_user =\n[ssh_connection]\n",
    "twice": "[defaults]\nremote_user = a\nremote_user = b\n",
    "sections-twice": "[defaults]\nremote_user = a\n[defaults]\nremote_port = 1\n",
    "no-section": "remote_user = a\n",
    "no-value": "[defaults]\nremote_user\n",
    "unchecked": "[defaults]\nhost_key_checking = False\n",
    "unchecked-ssh": "[ssh_connection]\nhost_key_checking = no\n",
    "checked": "[defaults]\nhost_key_checking = yes\n",
}
