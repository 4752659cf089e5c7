"""Inventories and patterns whose meaning Ansible knows: the same cases for it and for us.

Most are generated: every literal on a host line and in a section of variables, every range in
both forms, every subset of the places a variable can be written in, random trees of groups.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from tests.ansible_texts import CONFIGURATIONS, GROUPINGS


@dataclass(frozen=True, slots=True)
class Case:
    """One inventory; with a pattern, the question is which hosts that is, or what `variable` of
    that one host comes to.

    `refused` is the code of our error where Ansible goes on and we deliberately do not. `ours` are
    the sources for us, where Ansible says the same in another way. With `is_config` the question is
    what is made of `ansible.cfg`.
    """

    name: str
    files: dict[str, str]
    sources: tuple[str, ...] = ("hosts",)
    pattern: str = ""
    limit: str = ""
    variable: str = ""
    refused: str = ""
    ours: tuple[str, ...] = ()
    is_config: bool = False

    @property
    def digest(self) -> str:
        """Of all that the answer depends on."""
        asked = [self.files, self.sources, self.pattern, self.limit]
        asked += [self.variable] if self.variable else []
        text = json.dumps([*asked, "config"] if self.is_config else asked)
        return sha256(text.encode()).hexdigest()[:16]


def all_cases() -> list[Case]:
    """Every case; names are unique."""
    parts = (
        literals(), ini(), yaml(), ranges(), places(), trees(), sources(), patterns(), limits(),
        templates(), groupings(), configurations(),
    )  # fmt: skip
    return list(itertools.chain(*parts))


LITERALS = (
    "5", "-5", "+3", "0", "007", "0755", "0o755", "0x1f", "0b11", "1_000", "1.5", "1e3", "-0.0", ".5",
    "True", "False", "None", "true", "false", "yes", "no", "on", "null", "1,2", "(1,2)", "[1,'a']",
    "{1}", "{'a':1}", "{'a':{'b':[1]}}", "b'x'", "1j", "...", "a.b", "1.10.2", "10.0.0.1", "::1",
    "a=b", "==", "'it'", '"5"', "'true'", "a'b'c", "~/x", "$HOME", "a;b", "${x}", "%h", "a,b", "1+2",
    "2024-01-02", "22:30", "0.1.0", "--x", "[]", "{}", "()", "''", "u'x'", "not", "lambda", "é",
)  # fmt: skip


def literals() -> Iterator[Case]:
    """Each value on a host line and in `[group:vars]`."""
    for text in LITERALS:
        yield Case(f"literal host {text}", {"hosts": f"[g]\nw1 v={text}\n"})
        yield Case(f"literal vars {text}", {"hosts": f"[g]\nw1\n[g:vars]\nv = {text}\n"})


INI = {
    "comment-lines": "# c\n; c\n\n[g]\n# c\nw1\n  ; c\n",
    "comment-behind-host": "[g]\nw1 a=1 # b=2\n",
    "comment-behind-head": "[g] # c\nw1\n",
    "comment-in-value": "[g]\nw1\n[g:vars]\na=1 # no comment\n",
    "hash-in-value": "[g]\nw1 color=#fff b=1\n",
    "before-first-section": "w1\nw2\n[g]\nw3\n",
    "moved-out-of-ungrouped": "w1\n[g]\nw1\n",
    "head-again": "[g]\nw1\n[h]\nw2\n[g]\nw3\n",
    "vars-before-group": "[g:vars]\na=1\n[g]\nw1\n",
    "vars-of-nobody": "[g:vars]\na=1\n[h]\nw1\n",
    "vars-of-child-only": "[h:children]\ng\n[g:vars]\na=1\n",
    "children-later": "[p:children]\nc\n[c]\nw1\n",
    "children-unknown": "[p:children]\nc\n",
    "children-twice": "[p:children]\nc\nc\n[c]\nw1\n",
    "children-comment": "[p:children]\nc # x\n[c]\nw1\n",
    "grandchildren": "[a:children]\nb\n[b:children]\nc\n[c]\nw1\n[a:vars]\nx=a\ny=a\n[c:vars]\ny=c\n",
    "loop": "[a:children]\nb\n[b:children]\na\n",
    "self": "[a:children]\na\n",
    "unknown-kind": "[a:hosts2]\nw1\n",
    "blank-in-head": "[a b]\nw1\n",
    "empty-head": "[]\nw1\n",
    "hosts-kind": "[a:hosts]\nw1\n",
    "yaml-marker": "---\n[g]\nw1\n",
    "no-equals": "[g]\nw1 a\n",
    "no-equals-vars": "[g]\nw1\n[g:vars]\na\n",
    "quotes": '[g]\nw1 a=\'x y\' b="p q" c=r\\ s d="t\'u"\n',
    "open-quote": "[g]\nw1 a='x\n",
    "last-wins": "[g]\nw1 a=1 a=2\nw1 a=3\n",
    "same-host-two-groups": "[g]\nw1 a=1\n[h]\nw1 b=2\n",
    "port": "[g]\nw1:2222\nw2:22 ansible_port=23\n",
    "port-again": "[g]\nw1:2222\n[h]\nw1:2223\n",
    "ipv6": "[g]\nfe80::1\n[fe80::2]:2200\n",
    "crlf": "[g]\r\nw1 a=1\r\n",
    "tabs": "[g]\n\tw1\ta=1\n",
    "all-vars": "[g]\nw1\n[all:vars]\na=1\n",
    "ungrouped-vars": "w1\n[ungrouped:vars]\na=1\n",
    "all-hosts": "[all]\nw1\n",
    "dash-group": "[g-1]\nw1\n[g.2]\nw2\n",
    "priority": "[a]\nw\n[b]\nw\n[a:vars]\nv=a\nansible_group_priority=2\n[b:vars]\nv=b\n",
    "empty": "",
    "only-comments": "# nothing\n",
    "empty-group": "[g]\n[h]\nw1\n",
}


def ini() -> Iterator[Case]:
    """What INI files do."""
    for name, text in INI.items():
        yield Case(f"ini-{name}", {"hosts.ini": text}, ("hosts.ini",))
    yield Case("ini-name-equals-nothing", {"hosts": "[g]\nw1 =1\n"}, refused="I107")
    yield Case("ini-infinite", {"hosts": "[g]\nw1 a=1e999\n"}, refused="I125")


YAML = {
    "all": "all: {hosts: {w1: {a: 1}}, vars: {b: 2}, children: {g: {hosts: {w2: }}}}\n",
    "no-all": "g: {hosts: {w1: }}\nh: {hosts: {w2: }}\n",
    "hosts-text": "g: {hosts: w1}\n",
    "pieces": "g: {hosts: {w1: }}\nall: {children: {g: {hosts: {w2: }, vars: {a: 1}}}}\n",
    "nested": "g: {children: {h: {children: {i: {hosts: {w1: }, vars: {a: 3}}}}, i: {vars: {b: 1}}}}\n",
    "scalars": "g: {hosts: {w1: {a: no, b: 0755, c: 22:30, d: 1e3, e: 1_000, f: ~, g: .5, h: 08}}}\n",
    "texts": "g: {hosts: {w1: {a: 'no', b: \"5\", c: 'é', d: '', e: ' x '}}}\n",
    "dates": "g: {hosts: {w1: {a: 2024-01-02}}}\n",
    "lists": "g: {hosts: {w1: {a: [1, [2]], b: {c: {d: 1}}}}}\n",
    "block": "g:\n  hosts:\n    w1:\n      a: |\n        one\n        two\n      b: >-\n        one\n        two\n",
    "anchors": "g: {hosts: {w1: &v {a: 1}, w2: *v}}\n",
    "merge": "x: &v {hosts: {}}\ng:\n  <<: *v\n  vars: {a: 1}\n  hosts: {w1: }\n",
    "port": "g: {hosts: {'w1:2222': , 'w2:22': {ansible_port: 23}}}\n",
    "ungrouped": "ungrouped: {hosts: {w1: }}\nall: {hosts: {w2: }}\n",
    "empty-group": "g:\nh: {hosts: {w1: }}\n",
    "unsafe": "g: {hosts: {w1: {a: !unsafe '{{ x }}'}}}\n",
    "json": '{"g": {"hosts": {"w1": {"a": [1, 2.5, null, true]}}, "vars": {"b": {"c": ""}}}}\n',
    "list-of-hosts": "g: {hosts: [w1]}\n",
    "unknown-tag": "g: {hosts: {w1: {a: !x 1}}}\n",
    "two-documents": "g: {hosts: {w1: }}\n---\nh: {hosts: {w2: }}\n",
    "group-list": "g: [w1]\n",
    "text": "just words\n",
    "priority": "a: {hosts: {w: }, vars: {v: a, ansible_group_priority: 2}}\nb: {hosts: {w: }, vars: {v: b}}\n",
    "loop": "a: {children: {b: {children: {a: }}}}\n",
}


def yaml() -> Iterator[Case]:
    """What YAML files do."""
    refused = {"group-list": "I104"}
    for name, text in YAML.items():
        yield Case(f"yaml-{name}", {"h.yml": text}, ("h.yml",), refused=refused.get(name, ""))
    traps = {
        "unknown-key": ("g: {host: {w1: }, hosts: {w2: }}\n", "I105"),
        "duplicate": ("g: {hosts: {w1: }}\ng: {hosts: {w2: }}\n", "Y111"),
        "child-all": ("g: {children: {ungrouped: {hosts: {w1: }}}}\n", "I110"),
    }
    for name, (text, code) in traps.items():
        yield Case(f"yaml-trap-{name}", {"h.yml": text}, ("h.yml",), refused=code)


RANGES = (
    "w[1:3]", "w[01:03]", "w[08:12]", "w[:3]", "w[0:6:2]", "w[1:10:4]", "w[a:c]", "w[A:C]", "w[y:B]",
    "w[a:e:2]", "[a:b]w[1:2]", "w[1:2]-[a:b]", "w[1:2][1:2]", "10.0.0.[1:3]", "10.[0:1].0.[1:2]",
    "w[001:003]", "w[9:11]", "w[1:1]", "w[1:3]:2222", "w-[1:2].x.y", "w[0:0]", "w[5:5:3]",
    "w[c:a]", "w[1-3]", "w[1:]", "w[1:3:0]", "w[aa:ad]", "w[01:100]", "w[1:3", "w[a:3]",
)  # fmt: skip


def ranges() -> Iterator[Case]:
    """Ranges in both forms."""
    for text in RANGES:
        yield Case(f"range ini {text}", {"hosts": f"[g]\n{text}\n"})
        yield Case(f"range yaml {text}", {"h.yml": f"g: {{hosts: {{'{text}': }}}}\n"}, ("h.yml",))
    yield Case("range-bracket", {"hosts": "[g]\nw1]\n"}, refused="I108")
    yield Case("range-backwards", {"hosts": "[g]\nw0\nw[3:1]\n"}, refused="I108")


def places() -> Iterator[Case]:
    """One variable, written in every subset of the places it can stand in."""
    for chosen in itertools.product((False, True), repeat=6):
        in_all, in_group, file_all, file_group, in_host, file_host = chosen
        lines = ["[p:children]", "g", "[g]", "w1 v=host" if in_host else "w1", "w2"]
        lines += ["[all:vars]", "v=all"] if in_all else []
        lines += ["[g:vars]", "v=group"] if in_group else []
        files = {"hosts": "\n".join(lines) + "\n"}
        if file_all:
            files["group_vars/all.yml"] = "v: file-all\n"
        if file_group:
            files["group_vars/g/one.yml"] = "v: file-group\nu: 1\n"
        if file_host:
            files["host_vars/w1.json"] = '{"v": "file-host"}\n'
        name = "".join("x" if one else "-" for one in chosen)
        yield Case(f"places-{name}", files)


def trees() -> Iterator[Case]:
    """Random groups: several parents, different depths, priorities, variables at each."""
    for seed in range(40):
        draw = random.Random(seed)
        count = draw.randint(3, 7)
        names = [f"g{number}" for number in range(count)]
        draw.shuffle(names)
        lines: list[str] = []
        for at, name in enumerate(names):
            lines.append(f"[{name}]")
            lines += [f"h{draw.randint(1, 4)}" for _ in range(draw.randint(0, 2))]
            lines += [f"[{name}:vars]", f"v={name}", f"own_{name}=1"]
            if draw.random() < 0.3:
                lines.append(f"ansible_group_priority={draw.randint(-1, 3)}")
            below = [other for other in names[at + 1 :] if draw.random() < 0.4]
            if below:
                lines += [f"[{name}:children]", *below]
        yield Case(f"tree-{seed}", {"hosts": "\n".join(lines) + "\n"})


def sources() -> Iterator[Case]:
    """Directories and several sources."""
    two = {"a/hosts": "[g]\nw1 v=a\nw2\n[g:vars]\nu=a\n", "b/hosts": "[g]\nw1 v=b\n[g:vars]\nu=b\n"}
    yield Case("two-sources", two, ("a/hosts", "b/hosts"))
    yield Case("two-sources-back", two, ("b/hosts", "a/hosts"))
    with_files = {
        **two,
        "a/group_vars/all.yml": "t: all-a\ns: all-a\n",
        "b/group_vars/all.yml": "t: all-b\n",
        "a/group_vars/g.yml": "s: g-a\n",
        "b/host_vars/w1.yml": "r: b\n",
        "a/host_vars/w1.yml": "r: a\nq: a\n",
    }
    yield Case("two-sources-files", with_files, ("a/hosts", "b/hosts"))
    yield Case("two-sources-files-back", with_files, ("b/hosts", "a/hosts"))
    yield Case("list-and-file", two, ("w9,w8,", "a/hosts"))
    yield Case("list-of-names", {}, ("w1,w2:2222,",))
    directory = {
        "d/1-yaml.yml": "g: {hosts: {w1: {v: 1}}}\n",
        "d/2-ini": "[g]\nw1 v=2\n[h]\nw2\n",
        "d/3.ini": "[k:children]\ng\nh\n",
        "d/sub/x": "[g]\nw3\n",
        "d/group_vars/g.yml": "a: 1\n",
        "d/notes.md": "x",
        "d/.hidden": "x",
        "d/old~": "x",
        "d/x.cfg": "x",
    }
    yield Case("directory", directory, ("d",))
    yield Case("directory-child-later", {"d/1": "[a:children]\nb\n", "d/2": "[b]\nw1\n"}, ("d",))
    yield Case("directory-child-before", {"d/1": "[b]\nw1\n", "d/2": "[a:children]\nb\n"}, ("d",))
    vars_files = {
        "hosts": "[g]\nw1\n",
        "group_vars/g/1.yml": "a: 1\nb: 1\n",
        "group_vars/g/2": "b: 2\n",
        "group_vars/g/sub/3.json": '{"c": 3}',
        "group_vars/g/skipped.txt": "x",
    }
    yield Case("vars-directory", vars_files)
    yield Case("vars-extensions", {"hosts": "[g]\nw1\n", "group_vars/g": "a: 1\n"})
    yield Case("vars-of-ungrouped", {"hosts": "w1\n", "group_vars/ungrouped.yml": "a: 1\n"})
    yield Case("other-extension", {"hosts.prod": "[g]\nw1\n"}, ("hosts.prod",))
    yield Case("no-extension-yaml", {"hosts": "g:\n  hosts:\n    w1:\n"})
    yield Case("no-extension-names", {"hosts": "w1\nw2 a=1\n"})


FLEET = "w0\n[web]\nweb1\nweb2\nweb3\n[webcache]\nc1\nc2\n[db]\ndb1\nweb2\n[eu:children]\nweb\ndb\n"
PATTERNS = (
    "all", "*", "web", "web,db", "web:db", "db:web", "web:&db", "web:!db", "!db", "&db", "all:!web:!db",
    "web*", "*1", "web?", "w*", "ungrouped", "eu", "eu:!web2", "web[0]", "web[-1]",
    "web[0:1]", "web[1:]", "web[0:5]", "eu[2]", "~web\\d", "~(web|db)1", "~c", "~.*1$", "!~web.*",
    "web1,db1", "db1,web1", "web:&~.*2", "all[0]", "all[-1]", "web*[0]", "web1", "*:&eu", "web,!web1",
    "c*:!c1", "~^w", "[wd]*", "all:&web:&db", "eu:&web:!web1", "web[2]", "db[0:0]",
)  # fmt: skip


def patterns() -> Iterator[Case]:
    """Which hosts a pattern means."""
    for pattern in PATTERNS:
        yield Case(f"pattern {pattern}", {"hosts": FLEET}, pattern=pattern)
    for pattern, code in (
        ("nobody", "I201"), ("web:!nobody", "I201"), ("web:&nobody", "I201"), ("nob*", "I201"),
        ("web[9]", "I204"), ("~nobody", "I201"), ("web[12]", "I204"), ("web[1-2]", "I204"),
        ("web[01:02]", "I204"), ("web[00]", "I204"),
    ):  # fmt: skip
        yield Case(f"pattern trap {pattern}", {"hosts": FLEET}, pattern=pattern, refused=code)


def limits() -> Iterator[Case]:
    """A limit cuts down and keeps the order of the pattern."""
    for pattern, limit in (
        ("web", "web1"), ("all", "db"), ("web", "eu:!web2"), ("eu", "web3,web1"), ("web", "*1"),
        ("all", "~web"), ("web", "!web1"), ("all", "@few"), ("eu", "@few"),
    ):  # fmt: skip
        files = {"hosts": FLEET, "few": "web3\nc1\nweb1\n"}
        yield Case(f"limit {pattern} {limit}", files, pattern=pattern, limit=limit)


TEMPLATES = (
    "{{ inventory_hostname }}.lan",
    "{{ inventory_hostname_short }}.lan",
    "{{ site }}",
    "{{ site | upper }}-{{ number }}",
    "{{ missing | default('x') }}",
    "{{ port }}",
    "{{ keys }}",
    "{{ keys[0] }}",
    "{{ map.a }}",
    "{{ map['a'] }}",
    "{{ chained }}",
    "{{ groups['web'][0] }}",
    "{{ groups.web | join(',') }}",
    "{{ group_names | join(',') }}",
    "{{ hostvars['db.example'].site }}",
    "{{ hostvars['db.example']['chained'] }}",
    "{{ enabled | ternary('yes', 'no') }}",
    "{{ site | replace('b', 'c') }}",
    "a {{ number }} b",
    "{{ 'a' }}b",
)
TEMPLATE_FLEET = """\
web:
  hosts:
    web1.example: {v: %s}
    web2.example:
all:
  hosts:
    db.example: {site: potsdam}
  vars:
    site: berlin
    number: 7
    port: 2222
    enabled: true
    keys: [a, b]
    map: {a: x}
    chained: "{{ site }}/{{ inventory_hostname }}"
"""


def templates() -> Iterator[Case]:
    """What a variable with a template comes to for one host."""
    for text in TEMPLATES:
        files = {"hosts.yml": TEMPLATE_FLEET % json.dumps(text)}
        yield Case(f"template {text}", files, ("hosts.yml",), "web1.example", variable="v")
    mixed = "[!unsafe '{{ site }}', '{{ site }}', {a: !unsafe '{{ site }}', b: '{{ site }}'}]"
    files = {"hosts.yml": TEMPLATE_FLEET % mixed}
    yield Case("template unsafe inside", files, ("hosts.yml",), "web1.example", variable="v")


def groupings() -> Iterator[Case]:
    """`groups_by`, and what Ansible's plug-in `constructed` makes of the same."""
    files = {
        "group_vars/web.yml": "tier: web\n",
        "group_vars/site_bern.yml": "v: bern\n",
        "group_vars/tier_db/a.yml": "v: db\n",
    }
    for name, (hosts, rules) in GROUPINGS.items():
        ours = "".join(f"- {{label: {label}, prefix: {text}}}\n" for label, text in rules.items())
        keyed = "".join(
            f"- {{key: {label}, prefix: {text[:-1]}}}\n" for label, text in rules.items()
        )
        theirs = f"plugin: constructed\nuse_vars_plugins: true\nkeyed_groups:\n{keyed}"
        yield Case(
            f"groups-by-{name}",
            {**files, "hosts.yml": hosts, "keyed.yml": theirs, "by.yml": f"groups_by:\n{ours}"},
            ("hosts.yml", "keyed.yml"),
            ours=("hosts.yml", "by.yml"),
        )


def configurations() -> Iterator[Case]:
    """What `ansible.cfg` says of connections."""
    for name, text in CONFIGURATIONS.items():
        yield Case(f"config-{name}", {"ansible.cfg": text}, is_config=True)
